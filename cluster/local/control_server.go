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
	"sync"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/wan"
)

// A controlServer lets other processes of the same user operate the cluster: HTTP on loopback, every request with the
// token from the state file.
type controlServer struct {
	address, token string

	server  *http.Server
	serving sync.WaitGroup
}

// A controlRequest is the body of every POST; which fields count depends on the path.
type controlRequest struct {
	Member string           `json:"member,omitempty"`
	Fault  string           `json:"fault,omitempty"`
	Lag    cluster.Duration `json:"lag,omitempty"`
}

// A controlError is an error on its way to another process.
type controlError struct {
	Message string `json:"error"`
	Hint    string `json:"hint,omitempty"`
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

func serveControl(c *Cluster) (*controlServer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for control: %w", err)
	}
	s := &controlServer{address: listener.Addr().String(), token: rand.Text()}
	s.server = &http.Server{Handler: s.guard(controlRoutes(c, s)), ReadHeaderTimeout: 5 * time.Second}
	s.serving.Go(func() { _ = s.server.Serve(listener) }) // always ErrServerClosed
	return s, nil
}

func (s *controlServer) guard(next http.Handler) http.Handler {
	want := []byte("Bearer " + s.token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
		next.ServeHTTP(w, r)
	})
}

func controlRoutes(c *Cluster, s *controlServer) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, r *http.Request) {
		status, err := c.Status(r.Context())
		answer(w, status, err)
	})
	mux.HandleFunc("GET /v1/entries/{dc}", func(w http.ResponseWriter, r *http.Request) {
		dc := topology.DatacenterID(r.PathValue("dc"))
		_, err := c.Dialer(dc)
		answer(w, c.network.Entries(dc), err)
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

// obey does what another process asks for.
func (c *Cluster) obey(ctx context.Context, operation string, q controlRequest) error {
	switch operation {
	case "kill":
		return c.Kill(ctx, q.Member)
	case "pause":
		return c.Pause(ctx, q.Member)
	case "start":
		return c.Start(ctx, q.Member)
	case "lag":
		return c.SetLag(ctx, q.Member, time.Duration(q.Lag))
	case "heal":
		return c.Heal(ctx)
	case "grow":
		return c.Grow(ctx)
	case "close":
		// Closing also ends the control server, so it is answered when it begins; the caller waits for the name to be free.
		go func() { _ = c.Close(context.Background()) }() // whoever owns the cluster waits for Done
		return nil
	}
	fault, err := wan.ParseFault(q.Fault)
	if err != nil {
		return faultError(operation, q.Fault, err)
	}
	if operation == "apply" {
		return c.Apply(ctx, fault)
	}
	return c.Remove(ctx, fault)
}

func answer(w http.ResponseWriter, value any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		value = toControlError(err)
	}
	_ = json.NewEncoder(w).Encode(value) // a caller that went away hears nothing
}

func toControlError(err error) controlError {
	kind := slices.IndexFunc(controlSentinels, func(sentinel error) bool { return errors.Is(err, sentinel) })
	return controlError{Message: err.Error(), Hint: hint.Of(err), Kind: kind}
}

// A remoteError is a controlError that arrived.
type remoteError struct{ controlError }

func (e *remoteError) Error() string { return e.Message }

// Unwrap returns the sentinel.
func (e *remoteError) Unwrap() error {
	if e.Kind < 0 || e.Kind >= len(controlSentinels) {
		return nil
	}
	return controlSentinels[e.Kind]
}

// Hint is the hint of the original.
func (e *remoteError) Hint() string { return e.controlError.Hint }

func (s *controlServer) close(ctx context.Context) error {
	const politeness = 500 * time.Millisecond // for answers that are being written
	ctx, cancel := context.WithTimeout(ctx, politeness)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = s.server.Close()
	}
	s.serving.Wait()
	return err
}
