package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/geoshard/geoshard/cart/api"
	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/consistency/gintoken"
	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/topology"
)

const (
	// answerWithin is longer than a gateway holds a request.
	answerWithin = 45 * time.Second
	// mostAnswer bounds what is read of an answer.
	mostAnswer = 1 << 20
	// idlePerGateway is as many connections as the clients of one datacenter use.
	idlePerGateway = 32
)

// A World is what requests are sent to.
type World interface {
	Topology() *topology.Topology
	// Gateway is the base URL of a datacenter's gateway, "" where there is none.
	Gateway(dc topology.DatacenterID) string
}

// A Client sends requests to the gateways of a world. It is safe for concurrent use.
type Client struct {
	world World
	http  *http.Client
}

// New makes a client, which asks nobody before it is told to.
func New(w World) *Client {
	return &Client{world: w, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: idlePerGateway}}}
}

// Close lets go of connections that nothing is sent on.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// An Answer is what came back.
type Answer struct {
	Exchange
	// Token is what the client has seen now; empty if the answer does not say.
	Token string
}

// Send sends a request once, and reads the answer into a value, unless that is nil. An answer beyond 2xx is a *RefusedError, and so is none.
func (c *Client) Send(ctx context.Context, q Request, into any) (a Answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	a.Exchange = Exchange{Method: q.Method, Path: q.Path, From: q.From}
	r, err := c.build(ctx, q)
	if err != nil {
		return a, err
	}
	var body []byte
	began := time.Now()
	res, err := c.http.Do(r)
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(res.Body, mostAnswer))
		_ = res.Body.Close()
	}
	a.Took = Rounded(time.Since(began))
	if err != nil {
		return a, &RefusedError{Exchange: a.Exchange, Err: err}
	}
	a.Token = res.Header.Get(gintoken.DefaultHeader)
	a.Status = res.StatusCode
	a.read(res.Header)
	if a.Status >= 300 {
		refused := &RefusedError{Exchange: a.Exchange}
		if json.Unmarshal(body, &refused.Problem) != nil {
			refused.Problem.Title = strings.TrimSpace(string(body))
		}
		return a, refused
	}
	if into != nil {
		if err := json.Unmarshal(body, into); err != nil {
			return a, &RefusedError{Exchange: a.Exchange, Err: fmt.Errorf("read the answer: %w", err)}
		}
	}
	return a, nil
}

// Rounded keeps what a clock is good for.
func Rounded(d time.Duration) cluster.Duration {
	return cluster.Duration(d.Round(10 * time.Microsecond))
}

// A RefusedError says that a request was answered by a problem, or not at all.
type RefusedError struct {
	Exchange
	Problem api.Problem
	// Err is why there was no answer; nil if there was one.
	Err error
}

// Error says what was asked where, and what came of it.
func (e *RefusedError) Error() string {
	asked := fmt.Sprintf("%s %s by way of %s", e.Method, e.Path, e.From)
	if e.Err != nil {
		return fmt.Sprintf("%s: no answer after %s: %v", asked, e.Took, e.Err)
	}
	return fmt.Sprintf("%s: %d after %s: %s: %s", asked, e.Status, e.Took, e.Problem.Title, e.Problem.Detail)
}

// Reason is what the answer said, or why there was none.
func (e *RefusedError) Reason() string {
	if e.Err != nil {
		return e.Err.Error()
	}
	return strings.Trim(e.Problem.Title+": "+e.Problem.Detail, ": ")
}

// Unwrap gives the reason for which there was no answer.
func (e *RefusedError) Unwrap() error { return e.Err }

// Hint is the answer's.
func (e *RefusedError) Hint() string { return e.Problem.Hint }

// ForTheMoment reports whether the same request may be answered otherwise a little later.
func (e *RefusedError) ForTheMoment() bool { return e.Err != nil || e.Status >= 500 }

// Nearest is the datacenter whose gateway a client at a place is led to, as a name server that knows places would: the nearest on the globe, and one without a
// position last; empty for none. It has a formula of its own, so that it checks the router's.
func Nearest(world *topology.Topology, among []topology.DatacenterID, at topology.Coordinates) (nearest topology.DatacenterID) {
	least := math.Inf(1)
	for _, id := range among {
		dc, _ := world.Datacenter(id)
		far := math.MaxFloat64
		if dc.At != nil {
			far = haversine(at, *dc.At)
		}
		if far < least {
			nearest, least = id, far
		}
	}
	return nearest
}

// haversine is the great circle between two places, in kilometres.
func haversine(a, b topology.Coordinates) float64 {
	const earth, degree = 6371, math.Pi / 180
	half := func(x, y float64) float64 { s := math.Sin((x - y) * degree / 2); return s * s }
	return 2 * earth * math.Asin(math.Min(1, math.Sqrt(half(a.Lat, b.Lat)+math.Cos(a.Lat*degree)*math.Cos(b.Lat*degree)*half(a.Long, b.Long))))
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
	// Member is the member of the shard that this comes to; empty where the shop cannot know it. Callers know it.
	Member string `json:"member,omitempty"`
	// Took is what the client waited, Tries how often the gateway sent the request.
	Took  cluster.Duration `json:"took"`
	Tries int              `json:"tries,omitempty"`
	// Database is what the shop waited for the database, in milliseconds.
	Database float64 `json:"-"`
}

// read takes what an answer's headers tell of its way. What they do not tell stays zero.
func (x *Exchange) read(h http.Header) {
	x.To, x.Owner = topology.DatacenterID(h.Get(router.HeaderDatacenter)), topology.DatacenterID(h.Get(router.HeaderOwner))
	x.Mode, x.Reason, x.ServedBy = h.Get(router.HeaderMode), h.Get(router.HeaderReason), h.Get("X-Served-By")
	for _, line := range h.Values("Server-Timing") { // from the shop and from the gateway: db;dur=1.8, tries;desc=2
		for entry := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(entry), ";")
			_, value, _ = strings.Cut(value, "=")
			switch name {
			case "db":
				x.Database, _ = strconv.ParseFloat(value, 64)
			case "tries":
				x.Tries, _ = strconv.Atoi(value)
			}
		}
	}
}

// A Request is one that a client in a datacenter sends to the gateway there.
type Request struct {
	From         topology.DatacenterID
	Method, Path string
	// Body is written as JSON; nil = none.
	Body any
	// Key is the idempotency key of a write; empty = a new one.
	Key string
	// Token is what the client has seen so far; empty = nothing that it would insist on.
	Token string
	// Version makes a write one of exactly that version of the cart; 0 = of any.
	Version int64
	// At is where on Earth the client is; nil = not known.
	At *topology.Coordinates
	// Profile is a profile of package consistency; empty = the shop's own choice.
	Profile string
	// Past is the base URL of a shop that is asked itself, past the gateway; empty = none.
	Past string
}

// NewKey is a new idempotency key.
func NewKey() string { return ulid.Make().String() }

// NewCart asks for a cart for a customer, who may be without a name.
func NewCart(from topology.DatacenterID, customer string) Request {
	return Request{From: from, Method: http.MethodPost, Path: "/v1/carts", Body: map[string]string{"customer": customer}}
}

// ReadCart asks for a cart.
func ReadCart(from topology.DatacenterID, handle string) Request {
	return Request{From: from, Method: http.MethodGet, Path: "/v1/carts/" + handle}
}

// AddItem puts a number of a product into a cart.
func AddItem(from topology.DatacenterID, handle, sku string, n int) Request {
	return Request{From: from, Method: http.MethodPost, Path: "/v1/carts/" + handle + "/items", Body: map[string]any{"sku": sku, "quantity": n}}
}

// SetItem changes the number of a product that is in a cart.
func SetItem(from topology.DatacenterID, handle, sku string, n int) Request {
	return Request{From: from, Method: http.MethodPut, Path: "/v1/carts/" + handle + "/items/" + sku, Body: map[string]int{"quantity": n}}
}

// Checkout orders what is in a cart of a version.
func Checkout(from topology.DatacenterID, handle string, version int64) Request {
	return Request{From: from, Method: http.MethodPost, Path: "/v1/carts/" + handle + "/checkout", Version: version}
}

// Publish tells of a product that is late.
func Publish(from topology.DatacenterID, sku string, until time.Time, reason string) Request {
	return Request{From: from, Method: http.MethodPost, Path: "/v1/notices", Body: map[string]any{"sku": sku, "until": until.UTC(), "reason": reason}}
}

// Get asks for one of the shop's lists, such as "catalogue" or "analytics".
func Get(from topology.DatacenterID, list string) Request {
	return Request{From: from, Method: http.MethodGet, Path: "/v1/" + list}
}

func (c *Client) build(ctx context.Context, q Request) (*http.Request, error) {
	var body io.Reader
	if q.Body != nil {
		text, err := json.Marshal(q.Body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, q.Method, cmp.Or(q.Past, c.world.Gateway(q.From))+q.Path, body)
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
	if q.Method != http.MethodGet {
		set("Idempotency-Key", cmp.Or(q.Key, NewKey()))
	}
	set(gintoken.DefaultHeader, q.Token)
	set("X-Geoshard-Profile", q.Profile)
	set(router.HeaderExplain, "1")
	if q.Version > 0 {
		set("If-Match", strconv.Quote(strconv.FormatInt(q.Version, 10)))
	}
	if declared := c.world.Topology().Router; q.At != nil && declared != nil && declared.Trust.Location != "" {
		set(declared.Trust.Location, fmt.Sprintf("%g,%g", q.At.Lat, q.At.Long)) // as a proxy in front would, that knows places
	}
	return r, nil
}
