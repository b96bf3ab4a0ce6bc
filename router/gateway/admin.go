package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/router"
	lookup "github.com/geoshard/geoshard/router/directory"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/rehome"
)

// AdminOptions say what the admin listener offers.
type AdminOptions struct {
	// Token is what callers of the API send as a bearer token. Empty = the API is closed.
	Token string
	// Gatherer has the metrics; nil = there are none.
	Gatherer prometheus.Gatherer
	// Hosts are further names by which the listener may be asked, besides addresses and localhost. It keeps web pages, whose names their owners can lead
	// anywhere, from reading what is here.
	Hosts []string
}

// Admin returns the handler of the admin listener: metrics, health, the live table, and the API for re-homing.
func (g *Gateway) Admin(o AdminOptions) http.Handler {
	a := &admin{g: g, o: o, token: sha256.Sum256([]byte(o.Token))}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /readyz", a.ready)
	mux.HandleFunc("GET /debug/geoshard", a.page)
	mux.HandleFunc("GET /debug/geoshard.json", a.table)
	mux.HandleFunc("POST /v1/rehome", a.rehome)
	if o.Gatherer != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{}))
	}
	return a.guarded(mux)
}

type admin struct {
	g     *Gateway
	o     AdminOptions
	token [sha256.Size]byte
}

// guarded refuses names that are not the listener's.
func (a *admin) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		isHost := func(name string) bool { return strings.EqualFold(host, name) }
		if host != "localhost" && net.ParseIP(strings.Trim(host, "[]")) == nil && !slices.ContainsFunc(a.o.Hosts, isHost) {
			problemHost.write(w)
			return
		}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

// ready says whether there is anywhere to send requests to.
func (a *admin) ready(w http.ResponseWriter, _ *http.Request) {
	if up := a.g.wiring.Load().table.Serving() &^ a.g.health.now.Load().Down; up == 0 {
		problemNowhere.write(w)
	}
}

// allowed compares in constant time, and by digests so that the length is not told either.
func (a *admin) allowed(r *http.Request) bool {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	given := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(given[:], a.token[:]) == 1 && bearer && a.o.Token != ""
}

// Rehoming is what the API for re-homing takes and answers.
type Rehoming struct {
	// Handle is the record's; the answer has the new one.
	Handle string `json:"handle"`
	// To is the new home: a value of the zone key.
	To string `json:"to"`
	// From is the home that it had. Moved is false if it was there already.
	From  string `json:"from,omitempty"`
	Moved bool   `json:"moved"`
}

const (
	mostRehoming   = 4 << 10
	rehomingWithin = 45 * time.Second
)

var (
	problemHost     = &problem{http.StatusMisdirectedRequest, "host", "this is not the name of the admin listener", "ask it by its address"}
	problemToken    = &problem{http.StatusUnauthorized, "token", "the bearer token is missing or wrong", "send Authorization: Bearer and what is in the file of --admin-token-file"}
	problemRehoming = &problem{http.StatusBadRequest, "rehoming", "the body is no re-homing", `send {"handle": "NYC.01K4…", "to": "LON"}`}
	problemNoClient = &problem{http.StatusNotImplemented, "no-database", "this gateway has no way to the database", "give it one: GEOSHARD_URI, --uri-file or --name"}
	problemNoRecord = &problem{http.StatusNotFound, "no-record", "there is no such record", ""}
	problemNotThere = &problem{http.StatusUnprocessableEntity, "no-home", "no record can be at home there", "the homes are those of the topology's namespace"}
	problemFailed   = &problem{http.StatusBadGateway, "not-rehomed", "the record was not moved, or not for certain", "send it again: it goes on where it ended; the gateway's log has the reason"}
)

func (a *admin) rehome(w http.ResponseWriter, r *http.Request) {
	if !a.allowed(r) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		problemToken.write(w)
		return
	}
	var in Rehoming
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostRehoming))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&in)
	home, id, ok := router.ParseHandle(in.Handle)
	if err != nil || !ok || in.To == "" {
		problemRehoming.write(w)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), rehomingWithin)
	defer cancel()
	done, err := a.g.Rehome(ctx, home, id, in.To)
	if p := rehomingProblem(err); p != nil {
		a.g.o.Log.Error("re-homing", "handle", in.Handle, "to", in.To, "error", err)
		p.write(w)
		return
	}
	writeJSON(w, done)
}

func rehomingProblem(err error) *problem {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNoClient):
		return problemNoClient
	case errors.Is(err, router.ErrNoSuchRecord):
		return problemNoRecord
	case errors.Is(err, topology.ErrUndeclared), errors.Is(err, rehome.ErrNotMovable), errors.Is(err, errNoHome):
		return problemNotThere
	}
	return problemFailed
}

var (
	errNoClient = errors.New("there is no way to the database")
	errNoHome   = errors.New("no record can be at home there")
)

// Rehome gives a record another home. It may have been moved since its handle was made. Requests under way follow it.
func (g *Gateway) Rehome(ctx context.Context, home, id, to string) (*Rehoming, error) {
	at := g.wiring.Load()
	if g.o.Client == nil {
		return nil, errNoClient
	}
	if _, ok := at.table.Owner(to); !ok {
		return nil, fmt.Errorf("%w: %q", errNoHome, to)
	}
	if g.directory.of != nil {
		var err error
		if home, err = g.directory.homeNow(ctx, id); err != nil {
			return nil, err
		}
	}
	ns, _ := at.world.NamespaceOf(at.table.Namespace())
	if len(ns.Key) < 2 {
		return nil, fmt.Errorf("%w: the shard key of %s has no identifier", rehome.ErrNotMovable, ns.Name)
	}
	result, err := rehome.Rehome(ctx, g.o.Client, at.world, rehome.Options{
		Namespace: at.table.Namespace(), To: topology.StringOf(to), Batch: 1,
		Filter: bson.D{{Key: ns.ZoneBy, Value: bson.D{{Key: "$in", Value: bson.A{home, to}}}}, {Key: ns.Key[1].Name, Value: bson.D{{Key: "$in", Value: lookup.Identifiers(id)}}}},
	})
	if err != nil {
		return nil, err
	}
	moved := result.Namespaces[0]
	if moved.After == 0 && moved.Skipped == 0 {
		return nil, router.ErrNoSuchRecord
	}
	g.directory.remember(id, to)
	if moved.After > 0 {
		g.metrics.rehomed.Inc()
	}
	return &Rehoming{Handle: to + "." + id, To: to, From: home, Moved: moved.After > 0}, nil
}

// leastToken is what a token of random letters needs so that nobody guesses it.
const leastToken = 16

// ReadTokenFile reads the bearer token of the admin API. A file that others can read is refused.
func ReadTokenFile(file string) (string, error) {
	text, err := signing.ReadSecretFile(file)
	if err != nil {
		return "", fmt.Errorf("read the admin token: %w", err)
	}
	token := strings.TrimSpace(text)
	if len(token) < leastToken || strings.ContainsAny(token, " \r\n\t") {
		return "", hint.New(fmt.Errorf("read the admin token: %s has to hold one word of at least %d characters", file, leastToken), "write one: (umask 077; openssl rand -hex 32 > "+file+")")
	}
	return token, nil
}
