package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/geoshard/geoshard/cart/api"
	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/consistency/gintoken"
	"github.com/geoshard/geoshard/topology"
)

// A request is one that a client in a datacenter sends to the gateway there.
type request struct {
	from         topology.DatacenterID
	method, path string
	// body is written as JSON; nil = none.
	body any
	// token is what the client has seen so far; empty = nothing that it would insist on.
	token string
	// version makes a write one of exactly that version of the cart; 0 = of any.
	version int64
	// at is where on Earth the client is; nil = not known.
	at *topology.Coordinates
	// profile is a profile of package consistency; empty = the shop's own choice.
	profile string
	// past sends the request to the shop itself, past the gateway.
	past bool
}

// An Exchange is a request and what its answer said of itself.
type Exchange struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Status int    `json:"status"`
	// From is the datacenter of the client and its gateway, To the one whose shop served the request, Owner the home of the record.
	From  topology.DatacenterID `json:"from"`
	To    topology.DatacenterID `json:"to,omitempty"`
	Owner topology.DatacenterID `json:"owner,omitempty"`
	// Mode and Reason are the gateway's: what became of the request, and the rule that decided.
	Mode   string `json:"mode,omitempty"`
	Reason string `json:"reason,omitempty"`
	// ServedBy is the shop's own word on who answered in the database: datacenter, server, role, bound of its age.
	ServedBy string `json:"servedBy,omitempty"`
	// Member is the member of the shard that this comes to; empty where the shop cannot know it.
	Member string `json:"member,omitempty"`
	// Took is what the client waited, Tries how often the gateway sent the request.
	Took  cluster.Duration `json:"took"`
	Tries int              `json:"tries,omitempty"`
}

// An answer is what came back.
type answer struct {
	Exchange
	token string
	body  []byte
}

// A RefusedError says that a request was answered by a problem, or not at all.
type RefusedError struct {
	Exchange Exchange
	Problem  api.Problem
	// Err is why there was no answer; nil if there was one.
	Err error
}

// Error says what was asked where, and what came of it.
func (e *RefusedError) Error() string {
	asked := fmt.Sprintf("%s %s by way of %s", e.Exchange.Method, e.Exchange.Path, e.Exchange.From)
	if e.Err != nil {
		return fmt.Sprintf("%s: no answer after %s: %v", asked, e.Exchange.Took, e.Err)
	}
	return fmt.Sprintf("%s: %d after %s: %s: %s", asked, e.Exchange.Status, e.Exchange.Took, e.Problem.Title, e.Problem.Detail)
}

// Unwrap gives the reason for which there was no answer.
func (e *RefusedError) Unwrap() error { return e.Err }

// Hint is the answer's.
func (e *RefusedError) Hint() string { return e.Problem.Hint }

// forTheMoment reports whether the same request may be answered otherwise a little later.
func (e *RefusedError) forTheMoment() bool {
	return e.Err != nil || e.Exchange.Status >= 500
}

// patienceOfClients is longer than a gateway holds a request.
const patienceOfClients = budget + 15*time.Second

// newKey is a new idempotency key.
func newKey() string { return ulid.Make().String() }

// send sends a request once, with a key of its own, as each write needs one.
func (p *play) send(ctx context.Context, q request, into any) (answer, error) {
	return p.sendAs(ctx, q, newKey(), into)
}

// sendAs sends a request with a key. An answer beyond 2xx is a *RefusedError.
func (p *play) sendAs(ctx context.Context, q request, key string, into any) (a answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, patienceOfClients)
	defer cancel()
	r, err := p.build(ctx, q, key)
	if err != nil {
		return a, err
	}
	a.Exchange = Exchange{Method: q.method, Path: q.path, From: q.from}
	began := time.Now()
	res, err := p.http.Do(r)
	if err == nil {
		a.body, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	a.Took = rounded(time.Since(began))
	if err != nil {
		return a, &RefusedError{Exchange: a.Exchange, Err: err}
	}
	a.read(res)
	a.Member = p.member(a.Exchange)
	if a.Status >= 300 {
		refused := &RefusedError{Exchange: a.Exchange}
		if json.Unmarshal(a.body, &refused.Problem) != nil {
			refused.Problem.Title = strings.TrimSpace(string(a.body))
		}
		return a, refused
	}
	if into != nil {
		if err := json.Unmarshal(a.body, into); err != nil {
			return a, &RefusedError{Exchange: a.Exchange, Err: fmt.Errorf("read the answer: %w", err)}
		}
	}
	return a, nil
}

// rounded keeps what a clock is good for.
func rounded(d time.Duration) cluster.Duration {
	return cluster.Duration(d.Round(10 * time.Microsecond))
}

func (p *play) build(ctx context.Context, q request, key string) (*http.Request, error) {
	base := p.world.Gateway(q.from)
	if q.past {
		base = p.world.Shop(q.from)
	}
	var body io.Reader
	if q.body != nil {
		text, err := json.Marshal(q.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, q.method, base+q.path, body)
	if err != nil {
		return nil, err
	}
	set := func(name, value string) {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	if body != nil {
		set("Content-Type", "application/json")
	}
	if q.method != http.MethodGet {
		set("Idempotency-Key", key)
	}
	set(gintoken.DefaultHeader, q.token)
	set("X-Geoshard-Profile", q.profile)
	if q.version > 0 {
		set("If-Match", strconv.Quote(strconv.FormatInt(q.version, 10)))
	}
	if q.at != nil {
		set(HeaderLocation, fmt.Sprintf("%g,%g", q.at.Lat, q.at.Long))
	}
	return r, nil
}

// read takes what an answer's headers say.
func (a *answer) read(res *http.Response) {
	a.Status, a.token = res.StatusCode, res.Header.Get(gintoken.DefaultHeader)
	w := WayOf(res.Header)
	a.To, a.Owner, a.Mode, a.Reason, a.ServedBy, a.Tries = w.To, w.Owner, w.Mode, w.Reason, w.ServedBy, w.Tries
}

// member is the member of the record's shard that answered, as far as the shop's word goes: the primary for what asks primaries, and the copy in the datacenter
// whose members alone were asked. A query router does not name it.
func (p *play) member(x Exchange) string {
	parts := strings.Split(x.ServedBy, "; ")
	if len(parts) < 3 {
		return ""
	}
	handle := handleIn(x.Path)
	home, _, _ := strings.Cut(handle, ".")
	if x.Owner != "" {
		home = string(x.Owner)
	}
	shard := p.world.shardOf(topology.DatacenterID(home))
	if shard == "" {
		return ""
	}
	if parts[2] == "primary" {
		return p.primaries.of(shard)
	}
	dc, _, _ := strings.Cut(parts[0], " ")
	return string(shard) + "/" + dc
}

// handleIn is the handle in a path of a cart or an order; empty if there is none.
func handleIn(path string) string {
	parts := strings.Split(path, "/")
	if len(parts) < 4 || parts[2] != "carts" && parts[2] != "orders" {
		return ""
	}
	return parts[3]
}

// shardOf is the shard whose preferred primary is in a datacenter; empty if there is none.
func (w *World) shardOf(dc topology.DatacenterID) topology.ShardID {
	for _, shard := range w.topology.Shards {
		if w.topology.HomeOf(shard.ID) == dc {
			return shard.ID
		}
	}
	return ""
}
