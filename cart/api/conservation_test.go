package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cart/api"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/internal/testkit"
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
}

var wares = []string{"book", "console", "flashlight", "lamp", "mug", "notebook"}

// someRequests are enough of the load to have met what was done to the cluster.
const someRequests = 30

// Many carts are filled and ordered in three datacenters while primaries are killed. In the end items, stock and orders are what was acknowledged: nothing
// is lost, and nothing is done twice. Step by step: the answer of a request that was done is lost, the primary that did it is killed, another one is elected, and the
// request that is sent again finds there that it was done.
func TestSumsAgreeUnderKills(t *testing.T) {
	c := running(t)
	m := &market{t: t, instances: []instance{instanceOf(t, "NYC"), instanceOf(t, "LON"), instanceOf(t, "SYD")}}
	clustertest.AwaitWhole(t, c)
	before := m.stock()
	m.open(testkit.Count(t, "carts", 60, 10_000))
	seed := testkit.Seed(t)
	random := make([]*rand.Rand, testkit.Count(t, "shoppers at work", 8, 32))
	for i := range random {
		random[i] = rand.New(rand.NewPCG(seed, uint64(i+1)))
	}
	load := testkit.Drive(t, len(random), 5*time.Millisecond, func(_ context.Context, worker, _ int) (string, error) { return "requests", m.shop(random[worker]) })
	load.GoesOn(t, someRequests)
	kills := testkit.Count(t, "primaries killed", 2, 25)
	order := rand.New(rand.NewPCG(seed, 0)).Perm(len(m.instances))
	for i := range kills {
		at := m.instances[order[i%len(order)]]
		again := m.loseAnAnswer(at)
		killed, _ := clustertest.KillPrimary(t, c, topology.ShardID(strings.ToLower(string(at.dc))))
		m.sendAgain(at, again)
		load.GoesOn(t, someRequests)
		clustertest.Revive(t, c, killed.Name)
	}
	load.GoesOn(t, someRequests)
	load.Stop()
	if n, err := load.Failed(); n > 0 {
		t.Fatalf("%d requests were refused or never acknowledged: %v", n, err)
	}
	m.settle()
	m.compare(before)
	t.Logf("%d carts, %d requests, %d sent again, %d of these had been done; %d primaries killed", len(m.baskets), m.requests.Load(), m.again.Load(), m.replayed.Load(), kills)
}

// A lost is a request whose answer was lost, with the basket as it is if the request was done once.
type lost struct {
	*shopper
	path, body string
	key        header
}

// loseAnAnswer takes a cart at its home and puts something into it, which is done; the answer is thrown away.
func (m *market) loseAnAnswer(at instance) lost {
	m.t.Helper()
	made, err := m.take(at)
	if err != nil {
		m.t.Fatal(err)
	}
	one := lost{shopper: &shopper{basket: made}, path: "/v1/carts/" + made.handle.String() + "/items", body: `{"sku":"lamp","quantity":2}`, key: once()}
	if got := read[cart.Cart](m.t, ask(at, http.MethodPost, one.path, one.body, one.key), http.StatusOK); got.Count() != 2 {
		m.t.Errorf("got %d lamps, want 2", got.Count())
	}
	return one
}

// sendAgain sends a request whose answer was lost until it is answered: with what was done, and as done before.
func (m *market) sendAgain(at instance, one lost) {
	m.t.Helper()
	got, replayed, err := send[cart.Cart](m, at, http.MethodPost, one.path, one.body, one.key)
	if err != nil || !replayed || got.Count() != 2 || got.Version != one.version+1 {
		m.t.Errorf("sent again to another primary: got %d lamps in version %d, replayed %v, %v; want the 2 of version %d, replayed", got.Count(), got.Version, replayed, err, one.version+1)
	}
	one.version, one.items = got.Version, map[string]int{"lamp": 2}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.baskets = append(m.baskets, one.basket)
}

func (m *market) open(n int) {
	m.t.Helper()
	m.shoppers = make([]*shopper, n)
	err := inParallel(16, n, func(i int) error {
		made, err := m.take(m.instances[i%len(m.instances)])
		m.shoppers[i] = &shopper{basket: made}
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *market) take(at instance) (basket, error) {
	made, _, err := send[cart.Cart](m, at, http.MethodPost, "/v1/carts", "{}", once())
	return basket{handle: made.Handle, version: made.Version, items: map[string]int{}}, err
}

// shop does one thing with some cart that nobody else is at.
func (m *market) shop(random *rand.Rand) error {
	for {
		s := m.shoppers[random.IntN(len(m.shoppers))] // there are more carts than workers
		if s.mu.TryLock() {
			defer s.mu.Unlock()
			return m.step(s, m.instances[random.IntN(len(m.instances))], random) // at home or on a journey
		}
	}
}

func (m *market) step(s *shopper, at instance, random *rand.Rand) (err error) {
	path, sku := "/v1/carts/"+s.handle.String(), wares[random.IntN(len(wares))]
	var changed cart.Cart
	switch what := random.IntN(10); {
	case s.ordered:
		m.mu.Lock()
		m.baskets = append(m.baskets, s.basket)
		m.mu.Unlock()
		s.basket, err = m.take(at)
	case what == 0 && len(s.items) > 0:
		_, _, err = send[cart.Order](m, at, http.MethodPost, path+"/checkout", "", once(), with("If-Match", fmt.Sprintf(`"%d"`, s.version)))
		s.ordered = true
	case what == 1 && s.items[sku] > 0, s.items[sku] >= cart.MaxQuantity-3:
		changed, _, err = send[cart.Cart](m, at, http.MethodDelete, path+"/items/"+sku, "", once())
		s.version = changed.Version
		delete(s.items, sku)
	default:
		n := 1 + random.IntN(3)
		changed, _, err = send[cart.Cart](m, at, http.MethodPost, path+"/items", fmt.Sprintf(`{"sku":%q,"quantity":%d}`, sku, n), once())
		s.version = changed.Version
		s.items[sku] += n
	}
	return err
}

var errAnswerLost = errors.New("the answer is lost on its way")

// send sends a request again and again, with its one key, until it is acknowledged; every tenth answer is lost. It tells whether the request had been done before.
func send[T any](m *market, at instance, method, path, body string, headers ...header) (v T, replayed bool, err error) {
	m.requests.Add(1)
	ctx, cancel := context.WithTimeout(m.t.Context(), testkit.Patience)
	defer cancel()
	var refused error
	err = testkit.Await(ctx, method+" "+path, func(context.Context) error {
		answer := ask(at, method, path, body, headers...)
		if answer.StatusCode < 300 {
			if rand.IntN(10) == 0 {
				m.again.Add(1)
				return errAnswerLost
			}
			if replayed = answer.Header.Get("Idempotency-Replayed") != ""; replayed {
				m.replayed.Add(1)
			}
			refused = json.NewDecoder(answer.Body).Decode(&v)
			return nil
		}
		var p api.Problem
		err := json.NewDecoder(answer.Body).Decode(&p)
		told := fmt.Errorf("%s %s: got %s: %+v, %w", method, path, answer.Status, p, err)
		// Only what may be otherwise in a moment is sent again; an internal error is an error of the program.
		if err != nil || answer.StatusCode != http.StatusServiceUnavailable && answer.StatusCode != http.StatusGatewayTimeout {
			refused = told
			return nil
		}
		m.again.Add(1)
		return told
	})
	return v, replayed, errors.Join(err, refused)
}

// settle waits until a majority of each shard has all that was acknowledged: what two datacenters have in memory may be a moment ahead of what majority reads show.
// A write that waits for a majority waits for all before it.
func (m *market) settle() {
	m.t.Helper()
	for _, at := range m.instances {
		if _, _, err := send[cart.Cart](m, at, http.MethodPost, "/v1/carts?profile=durable", "{}", once()); err != nil {
			m.t.Fatal(err)
		}
	}
}

// compare holds what is stored against what was acknowledged.
func (m *market) compare(before map[string]int64) {
	sold, orders := map[string]int64{}, 0
	for _, s := range m.shoppers {
		m.baskets = append(m.baskets, s.basket)
	}
	for _, s := range m.baskets {
		got := eventually(m, func(ctx context.Context) (cart.Cart, error) {
			return m.instances[0].store.Cart(ctx, profile(m.t, "durable"), s.handle)
		})
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
		order := eventually(m, func(ctx context.Context) (cart.Order, error) {
			return m.instances[0].store.Order(ctx, profile(m.t, "durable"), s.handle)
		})
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
		list := eventually(m, func(ctx context.Context) ([]cart.Stock, error) {
			return m.instances[0].store.Stock(ctx, profile(m.t, "durable"), dc)
		})
		for _, one := range list {
			all[string(dc)+"."+one.SKU] = one.Available
		}
	}
	return all
}

// eventually asks until a primary is there to answer. What is not there then is lost: the zero value compares with nothing.
func eventually[T any](m *market, read func(context.Context) (T, error)) (v T) {
	m.t.Helper()
	testkit.EventuallyNil(m.t, testkit.Patience, "a primary answers", func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		if v, err = read(ctx); errors.Is(err, cart.ErrNotFound) {
			m.t.Error(err)
			return nil
		}
		return err
	})
	return v
}

// inParallel does n things, so many at a time, and returns the first error.
func inParallel(workers, n int, do func(i int) error) error {
	var all errgroup.Group
	all.SetLimit(workers)
	for i := range n {
		all.Go(func() error { return do(i) })
	}
	return all.Wait()
}
