package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cart/api"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/topology"
)

// A basket is a cart as its acknowledged requests have made it.
type basket struct {
	handle  cart.Handle
	version int64
	items   map[string]int
	ordered bool
}

// A shopper sends each request until it is answered, and takes a new cart when one is ordered.
type shopper struct {
	mu sync.Mutex
	basket
}

// A market is the shoppers with what they do it by.
type market struct {
	t         *testing.T
	instances []instance
	shoppers  []*shopper
	mu        sync.Mutex
	baskets   []basket // guarded by mu; those that were ordered
	// again counts what was sent again, because an answer was lost or a primary away; replayed those of them that had been done.
	requests, again, replayed atomic.Int64
	until                     time.Time // of the last try of a request
}

var wares = []string{"book", "console", "flashlight", "lamp", "mug", "notebook"}

// Many carts are filled and ordered in three datacenters while primaries are killed. In the end items, stock and orders are what was acknowledged: nothing
// is lost, and nothing is done twice.
func TestSumsAgreeUnderKills(t *testing.T) {
	c := running(t)
	length := time.Duration(amount(12, 300)) * time.Second
	m := &market{t: t, instances: []instance{instanceOf(t, "NYC"), instanceOf(t, "LON"), instanceOf(t, "SYD")}, until: time.Now().Add(length + 2*time.Minute)}
	before := m.stock()
	m.open(amount(60, 10_000))
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	seed := uint64(time.Now().UnixNano())
	kills := 0
	var killing, buying sync.WaitGroup
	killing.Go(func() { kills = m.kill(ctx, c, rand.New(rand.NewPCG(seed, 0))) })
	for worker := range amount(8, 32) {
		buying.Go(func() { m.shop(ctx, rand.New(rand.NewPCG(seed, uint64(worker+1)))) })
	}
	buying.Wait()
	killing.Wait()
	m.settle()
	m.compare(before)
	t.Logf("%d carts, %d requests, %d sent again, %d of these had been done; %d primaries killed in %s (seed %d)",
		len(m.baskets), m.requests.Load(), m.again.Load(), m.replayed.Load(), kills, length, seed)
	if kills == 0 || m.replayed.Load() == 0 {
		t.Error("no primary was killed, or no answer was lost: nothing is shown")
	}
}

func (m *market) open(n int) {
	m.shoppers = make([]*shopper, n)
	var wg sync.WaitGroup
	next := atomic.Int64{}
	for range 16 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				m.shoppers[i] = &shopper{basket: m.take(m.instances[i%len(m.instances)])}
			}
		})
	}
	wg.Wait()
}

func (m *market) take(at instance) basket {
	made := send[cart.Cart](m, at, http.MethodPost, "/v1/carts", "{}", 0)
	return basket{handle: made.Handle, version: made.Version, items: map[string]int{}}
}

// shop does one thing after the other, each with some cart that nobody else is at.
func (m *market) shop(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil && !m.t.Failed() {
		s := m.shoppers[random.IntN(len(m.shoppers))]
		if !s.mu.TryLock() {
			continue
		}
		at := m.instances[random.IntN(len(m.instances))] // at home or on a journey
		m.step(s, at, random)
		s.mu.Unlock()
	}
}

func (m *market) step(s *shopper, at instance, random *rand.Rand) {
	path, sku := "/v1/carts/"+s.handle.String(), wares[random.IntN(len(wares))]
	switch what := random.IntN(10); {
	case s.ordered:
		m.mu.Lock()
		m.baskets = append(m.baskets, s.basket)
		m.mu.Unlock()
		s.basket = m.take(at)
	case what == 0 && len(s.items) > 0:
		send[cart.Order](m, at, http.MethodPost, path+"/checkout", "", s.version)
		s.ordered = true
	case what == 1 && s.items[sku] > 0:
		s.version = send[cart.Cart](m, at, http.MethodDelete, path+"/items/"+sku, "", 0).Version
		delete(s.items, sku)
	case s.items[sku] < cart.MaxQuantity-3:
		n := 1 + random.IntN(3)
		s.version = send[cart.Cart](m, at, http.MethodPost, path+"/items", fmt.Sprintf(`{"sku":%q,"quantity":%d}`, sku, n), 0).Version
		s.items[sku] += n
	}
}

// send sends a request again and again, with one key, until it is acknowledged.
func send[T any](m *market, at instance, method, path, body string, version int64) (v T) {
	headers := []header{once()}
	if version > 0 {
		headers = append(headers, with("If-Match", fmt.Sprintf(`"%d"`, version)))
	}
	m.requests.Add(1)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		answer := ask(at, method, path, body, headers...)
		if answer.StatusCode < 300 && rand.IntN(10) == 0 {
			m.again.Add(1) // the answer is lost on its way
			continue
		}
		if answer.StatusCode < 300 {
			if answer.Header.Get("Idempotency-Replayed") != "" {
				m.replayed.Add(1)
			}
			if err := json.NewDecoder(answer.Body).Decode(&v); err != nil {
				m.t.Error(err)
			}
			return v
		}
		var p api.Problem
		err := json.NewDecoder(answer.Body).Decode(&p)
		// Only what may be otherwise in a moment is sent again; an internal error is an error of the program.
		if err != nil || answer.StatusCode != http.StatusServiceUnavailable && answer.StatusCode != http.StatusGatewayTimeout || time.Now().After(m.until) {
			m.t.Errorf("%s %s: got %s: %+v, %v", method, path, answer.Status, p, err)
			return v
		}
		m.again.Add(1)
		<-tick.C
	}
}

// kill kills one primary after the other, each some seconds after the last has come back.
func (m *market) kill(ctx context.Context, c *local.Cluster, random *rand.Rand) (kills int) {
	for {
		select {
		case <-ctx.Done():
			return kills
		case <-time.After(time.Second + time.Duration(random.IntN(1500))*time.Millisecond):
		}
		shards := c.Topology().Shards
		status, err := c.Status(ctx)
		primary, ok := status.Primary(shards[random.IntN(len(shards))].ID)
		if err != nil || !ok {
			continue
		}
		healing := context.WithoutCancel(ctx) // the next test wants a whole cluster
		if err := c.Kill(healing, primary.Name); err != nil {
			m.t.Error(err)
			return kills
		}
		kills++
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(random.IntN(2500)) * time.Millisecond):
		}
		back, cancel := context.WithTimeout(healing, time.Minute)
		err = c.Start(back, primary.Name)
		cancel()
		if err != nil {
			m.t.Errorf("start %s: %v", primary.Name, err)
			return kills
		}
	}
}

// settle waits until a majority of each shard has all that was acknowledged: what two datacenters have in memory may be a moment ahead of what majority reads show.
// A write that waits for a majority waits for all before it.
func (m *market) settle() {
	for _, at := range m.instances {
		send[cart.Cart](m, at, http.MethodPost, "/v1/carts?profile=durable", "{}", 0)
	}
}

// compare holds what is stored against what was acknowledged.
func (m *market) compare(before map[string]int64) {
	sold, orders := map[string]int64{}, 0
	for _, s := range m.shoppers {
		m.baskets = append(m.baskets, s.basket)
	}
	for _, s := range m.baskets {
		got, err := eventually(m, func(ctx context.Context) (cart.Cart, error) {
			return m.instances[0].store.Cart(ctx, profile(m.t, "durable"), s.handle)
		})
		if err != nil {
			m.t.Fatal(err)
		}
		stored := map[string]int{}
		for _, item := range got.Items {
			stored[item.SKU] = item.Quantity
		}
		if fmt.Sprint(stored) != fmt.Sprint(s.items) || (got.Status == cart.Ordered) != s.ordered {
			m.t.Errorf("cart %s: got %v %s, acknowledged were %v, ordered %v", s.handle, stored, got.Status, s.items, s.ordered)
		}
		if !s.ordered {
			continue
		}
		orders++
		order, err := eventually(m, func(ctx context.Context) (cart.Order, error) {
			return m.instances[0].store.Order(ctx, profile(m.t, "durable"), s.handle)
		})
		if err != nil {
			m.t.Fatal(err)
		}
		for _, item := range order.Items {
			if s.items[item.SKU] != item.Quantity {
				m.t.Errorf("order %s: got %d of %s, acknowledged were %d", s.handle, item.Quantity, item.SKU, s.items[item.SKU])
			}
			sold[string(order.DataCenter)+"."+item.SKU] += int64(item.Quantity)
		}
	}
	for name, n := range m.stock() {
		if before[name]-n != sold[name] {
			m.t.Errorf("stock of %s: %d are gone, %d were sold", name, before[name]-n, sold[name])
		}
	}
	m.t.Logf("%d orders; sold: %v", orders, sold)
}

func (m *market) stock() map[string]int64 {
	all := map[string]int64{}
	for _, dc := range []topology.DatacenterID{"NYC", "LON", "SYD"} {
		list, err := eventually(m, func(ctx context.Context) ([]cart.Stock, error) {
			return m.instances[0].store.Stock(ctx, profile(m.t, "durable"), dc)
		})
		if err != nil {
			m.t.Fatal(err)
		}
		for _, one := range list {
			all[string(dc)+"."+one.SKU] = one.Available
		}
	}
	return all
}

// eventually asks until a primary is there to answer.
func eventually[T any](m *market, read func(context.Context) (T, error)) (v T, err error) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		ctx, cancel := context.WithTimeout(m.t.Context(), 20*time.Second)
		v, err = read(ctx)
		cancel()
		if err == nil || errors.Is(err, cart.ErrNotFound) || time.Now().After(m.until) {
			return v, err
		}
		<-tick.C
	}
}
