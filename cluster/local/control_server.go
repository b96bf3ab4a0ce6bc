package local

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// A controlError is an error on its way to another process, and there.
type controlError struct {
	Message string `json:"error"`
	Help    string `json:"hint,omitempty"`
	// Kind is the index of the sentinel in controlSentinels, -1 for none.
	Kind int `json:"kind"`
}

// controlSentinels are the errors that callers branch on, so they have to survive the journey. Both ends are the same
// program or nearly so; append only.
var controlSentinels = []error{
	topology.ErrUnknownMember, topology.ErrUnknownDatacenter, cluster.ErrUnsupported, cluster.ErrRunning,
	cluster.ErrNotRunning, cluster.ErrClosed, cluster.ErrBadFault, context.DeadlineExceeded, context.Canceled,
	cluster.ErrForeign,
}

// serveControl lets other processes of the same user operate the cluster: HTTP on loopback, every request with the token from the state file.
func (c *Cluster) serveControl() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for control: %w", err)
	}
	c.state.Control, c.state.Token = listener.Addr().String(), rand.Text()
	c.control = &http.Server{Handler: guard(c.state.Token, c.controlRoutes()), ReadHeaderTimeout: 5 * time.Second}
	c.serving.Go(func() { _ = c.control.Serve(listener) }) // always ErrServerClosed
	return nil
}

func guard(token string, next http.Handler) http.Handler {
	want := []byte("Bearer " + token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
		next.ServeHTTP(w, r)
	})
}

func (c *Cluster) controlRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, r *http.Request) {
		status, err := c.Status(r.Context())
		answer(w, status, err)
	})
	mux.HandleFunc("GET /v1/entries/{dc}", func(w http.ResponseWriter, r *http.Request) {
		dc := topology.DatacenterID(r.PathValue("dc"))
		answer(w, c.network.Entries(dc), c.roster.Datacenter(dc))
	})
	for _, operation := range []string{"kill", "pause", "start", "lag", "apply", "remove", "heal", "grow", "close"} {
		mux.HandleFunc("POST /v1/"+operation, func(w http.ResponseWriter, r *http.Request) {
			var q controlRequest
			if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
				answer(w, nil, fmt.Errorf("decode request: %w", err))
				return
			}
			answer(w, struct{}{}, c.obey(r.Context(), operation, q))
		})
	}
	return mux
}

func answer(w http.ResponseWriter, value any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		value = toControlError(err)
	}
	_ = json.NewEncoder(w).Encode(value) // a caller that went away hears nothing
}

func toControlError(err error) *controlError {
	kind := slices.IndexFunc(controlSentinels, func(sentinel error) bool { return errors.Is(err, sentinel) })
	return &controlError{Message: err.Error(), Help: hint.Of(err), Kind: kind}
}

func (e *controlError) Error() string { return e.Message }

// Unwrap returns the sentinel.
func (e *controlError) Unwrap() error {
	if e.Kind < 0 || e.Kind >= len(controlSentinels) {
		return nil
	}
	return controlSentinels[e.Kind]
}

// Hint is the hint of the original.
func (e *controlError) Hint() string { return e.Help }

func (c *Cluster) closeControl(ctx context.Context) error {
	const politeness = 500 * time.Millisecond // for answers that are being written
	ctx, cancel := context.WithTimeout(ctx, politeness)
	defer cancel()
	err := c.control.Shutdown(ctx)
	if err != nil {
		err = c.control.Close()
	}
	c.serving.Wait()
	return err
}
