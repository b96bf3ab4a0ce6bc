package routing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/consistency/gintoken"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

// wares are products of the demonstration shop.
var wares = []string{"book", "console", "flashlight", "lamp", "mug", "notebook"}

// A basket is a cart as its acknowledged requests have made it. One request at a time is about it.
type basket struct {
	mu      sync.Mutex
	handle  string
	home    topology.DatacenterID
	version int64
	items   map[string]int
	token   string
	history []string // of its acknowledged writes, for when the sums differ
}

// A sample is one request as its client saw it.
type sample struct {
	began, ended time.Time
	from, home   topology.DatacenterID
	write        bool
	status       int // 0: no answer
	problem      string
	// settled is when a write was acknowledged at last; its client sends it again until it is.
	settled time.Time
}

// A market is clients in three datacenters, and the baskets that they fill.
type market struct {
	t       testing.TB
	routed  *routedShop
	client  *http.Client
	baskets []*basket
	// base is where a client in a datacenter sends its requests.
	base func(*place) string
	// away is the datacenter whose clients do nothing at the moment; "" = none.
	away atomic.Value

	mu      sync.Mutex
	samples []sample // guarded by mu
	// replayed counts the writes that had been done before they were acknowledged, settled those that a client had to send again itself.
	replayed, settled atomic.Int64
}

func newMarket(t testing.TB, s *routedShop, baskets int) *market {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	m := &market{t: t, routed: s, client: &http.Client{Transport: transport, Timeout: time.Minute}, base: func(p *place) string { return p.gate }}
	m.away.Store(topology.DatacenterID(""))
	for i := range baskets {
		m.baskets = append(m.baskets, m.take(places[i%len(places)]))
	}
	return m
}

// take makes a cart in a datacenter.
func (m *market) take(dc topology.DatacenterID) *basket {
	m.t.Helper()
	var b *basket
	testkit.EventuallyNil(m.t, testkit.Patience, "a cart in "+string(dc), func(context.Context) error {
		status, made, _, problem := m.send(m.routed.places[dc].gate, http.MethodPost, "/v1/carts", "{}", ulid.Make().String(), "")
		if status != http.StatusCreated || made.Handle.DataCenter != dc { // elsewhere while the shop in dc is not ready
			return fmt.Errorf("%d %s, made in %q", status, problem, made.Handle.DataCenter)
		}
		b = &basket{handle: made.Handle.String(), home: dc, version: made.Version, items: map[string]int{}}
		return nil
	})
	return b
}

// send sends one request, once. status is 0 without an answer; problem then is why, else what the answer said.
func (m *market) send(base, method, path, body, key, token string) (status int, c cart.Cart, h http.Header, problem string) {
	r, err := http.NewRequestWithContext(context.Background(), method, base+path, strings.NewReader(body))
	if err != nil {
		return 0, c, nil, err.Error()
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	if token != "" {
		r.Header.Set(gintoken.DefaultHeader, token)
	}
	r.Header.Set("X-Geoshard-Explain", "1")
	res, err := m.client.Do(r)
	if err != nil {
		return 0, c, nil, err.Error()
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, c, nil, err.Error()
	}
	if res.StatusCode >= 300 {
		return res.StatusCode, c, res.Header, string(bytes.TrimSpace(text))
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return 0, c, nil, err.Error()
	}
	return res.StatusCode, c, res.Header, ""
}

// shop sends requests at a rate until the context ends: from all datacenters alike, travel of them to carts that are at home elsewhere. Each worker has his share of the
// rate, so one who is held lowers it by his share alone.
func (m *market) shop(ctx context.Context, rate, workers int, travel float64, seed uint64) {
	var all sync.WaitGroup
	defer all.Wait()
	every := time.Second * time.Duration(workers) / time.Duration(rate)
	for i := range workers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			next := time.Now().Add(time.Duration(random.Int64N(int64(every))))
			for testkit.Pause(ctx, time.Until(next)) {
				m.once(random, travel)
				next = next.Add(every)
				if now := time.Now(); next.Before(now) { // what was missed is not made good
					next = now
				}
			}
		})
	}
}

// once sends one request about a basket that nobody else is at.
func (m *market) once(random *rand.Rand, travel float64) {
	from := places[random.IntN(len(places))]
	if from == m.away.Load() {
		return
	}
	travelling := random.Float64() < travel
	for range 50 {
		b := m.baskets[random.IntN(len(m.baskets))]
		if (b.home != from) != travelling || !b.mu.TryLock() {
			continue
		}
		defer b.mu.Unlock()
		if random.IntN(10) < 3 {
			m.look(b, from)
		} else {
			m.fill(b, from, wares[random.IntN(len(wares))], 1+random.IntN(3))
		}
		return
	}
}

func (m *market) note(s sample) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.samples = append(m.samples, s)
}

// look reads a basket with the token of its last write: what the client has written has to be there.
func (m *market) look(b *basket, from topology.DatacenterID) {
	s := sample{began: time.Now(), from: from, home: b.home}
	var got cart.Cart
	s.status, got, _, s.problem = m.send(m.base(m.routed.places[from]), http.MethodGet, "/v1/carts/"+b.handle, "", "", b.token)
	s.ended = time.Now()
	m.note(s)
	if s.status == http.StatusOK && b.token != "" && got.Version < b.version {
		m.t.Errorf("cart %s read in %s: version %d, the client had seen %d", b.handle, from, got.Version, b.version)
	}
}

// fill adds to a basket. A client that gets no acknowledgement sends the same request again until it has one, so that the sums can be compared; the first answer is the one
// that counts.
func (m *market) fill(b *basket, from topology.DatacenterID, sku string, n int) {
	key := ulid.Make().String()
	body := fmt.Sprintf(`{"sku":%q,"quantity":%d}`, sku, n)
	s := sample{began: time.Now(), from: from, home: b.home, write: true}
	status, got, h, problem := m.send(m.base(m.routed.places[from]), http.MethodPost, "/v1/carts/"+b.handle+"/items", body, key, "")
	s.status, s.problem, s.ended = status, problem, time.Now()
	if status >= 300 || status == 0 {
		m.settled.Add(1)
		err := m.insist(func() (err error) {
			status, got, h, problem = m.send(m.base(m.routed.places[from]), http.MethodPost, "/v1/carts/"+b.handle+"/items", body, key, "")
			if status >= 300 || status == 0 {
				err = fmt.Errorf("%d %s", status, problem)
			}
			return err
		})
		if err != nil {
			m.t.Errorf("cart %s: a request was never acknowledged: %v", b.handle, err)
			m.note(s)
			return
		}
	}
	s.settled = time.Now()
	m.note(s)
	if h.Get("Idempotency-Replayed") != "" {
		m.replayed.Add(1)
	}
	b.items[sku] += n
	b.history = append(b.history, fmt.Sprintf("%s to %s from %s: %d %s, key %s, version %d, replayed %q, served by %s (%s)", s.began.Format("05.000"), time.Now().Format("05.000"), from, n, sku, key,
		got.Version, h.Get("Idempotency-Replayed"), h.Get("X-Geoshard-Datacenter"), h.Get("X-Geoshard-Reason")))
	b.version, b.token = got.Version, h.Get(gintoken.DefaultHeader)
}

// insist tries until it succeeds.
func (m *market) insist(try func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience) // also after the load: a write that was begun is ended
	defer cancel()
	return testkit.Await(ctx, "an acknowledgement", func(context.Context) error { return try() })
}

// compare holds what is stored against what was acknowledged: nothing is lost, nothing is done twice. It reads with the profile of the writes, multi-datacenter: the primary itself.
// A majority read (profile durable) can miss for a moment a write that two datacenters have acknowledged and no majority has on disk yet, and that looked like a loss.
func (m *market) compare() (wrong int) {
	m.t.Helper()
	current, err := consistency.Lookup("multi-datacenter")
	if err != nil {
		m.t.Fatal(err)
	}
	total := 0
	for _, b := range m.baskets {
		h, err := cart.ParseHandle(b.handle)
		if err != nil {
			m.t.Fatal(err)
		}
		got, err := m.routed.places[b.home].store.Cart(m.t.Context(), current, h)
		if err != nil {
			m.t.Fatalf("cart %s: %v", b.handle, err)
		}
		stored := map[string]int{}
		for _, item := range got.Items {
			stored[item.SKU] = item.Quantity
			total += item.Quantity
		}
		if fmt.Sprint(stored) != fmt.Sprint(b.items) {
			wrong++
			m.t.Errorf("cart %s: stored are %v in version %d, acknowledged were %v; the acknowledged writes:\n%s", b.handle, stored, got.Version, b.items, strings.Join(b.history, "\n"))
		}
	}
	m.t.Logf("%d carts with %d things: as acknowledged, but for %d", len(m.baskets), total, wrong)
	return wrong
}
