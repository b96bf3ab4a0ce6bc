package scenarios_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

const (
	// attemptWithin bounds one attempt of a write. All attempts of one have testkit.Patience: longer than any outage of a story.
	attemptWithin = 10 * time.Second
	// carts are how many a shopper has at a time, perCart how often each is changed before there are others: a cart remembers 256 requests.
	carts, perCart = 12, 250
	// pace is the pause between two writes of one shopper.
	pace = 50 * time.Millisecond
	// some is how many writes show that a shopper can write.
	some = 20
)

// A shopper writes through one datacenter's query router to carts of one home. A write whose outcome is not known is sent again, with its key, until it is
// acknowledged: so in the end each has been done once, or something was lost.
type shopper struct {
	*testkit.Load
	shop    *store.Store
	home    *store.Store // of the datacenter where the carts are at home
	durable consistency.Profile

	// Of the one who writes, until the load is stopped:
	baskets []cart.Handle
	repeats int
	last    error // of the repeats
}

// A traffic is all shoppers of a story, by their way.
type traffic map[string]*shopper

// shop begins traffic: a way is from a datacenter to the home of the carts.
func (s *openedShop) shop(t *testing.T, ways ...[2]topology.DatacenterID) traffic {
	t.Helper()
	all := traffic{}
	for _, way := range ways {
		one := &shopper{shop: s.shops[way[0]], home: s.shops[way[1]], durable: profile(t, "durable")}
		one.Load = testkit.Drive(t, 1, pace, func(ctx context.Context, _, n int) (string, error) { return one.write(ctx, n) })
		all[fmt.Sprintf("%s>%s", way[0], way[1])] = one
	}
	return all
}

// everywhere are shoppers who stay at home.
func (s *openedShop) everywhere() (ways [][2]topology.DatacenterID) {
	for _, dc := range s.Topology().Datacenters {
		ways = append(ways, [2]topology.DatacenterID{dc.ID, dc.ID})
	}
	return ways
}

// write puts one thing into a cart, and returns which.
func (o *shopper) write(ctx context.Context, n int) (string, error) {
	if n%(carts*perCart) == 0 { // all at once, as long as the carts' home is there
		for range carts {
			if err := o.begin(ctx); err != nil {
				return "a new cart", err
			}
		}
	}
	handle := o.baskets[len(o.baskets)-1-n%carts]
	key := ulid.Make().String()
	return handle.String(), o.settle(ctx, func(ctx context.Context) error {
		_, _, err := o.shop.Change(ctx, o.durable, handle, cart.Request{
			Key: key, At: time.Now(), Change: cart.AddItem{SKU: "mug", Quantity: 1, Price: 900, Currency: "USD"},
		})
		return err
	})
}

// begin makes a cart at its home's own shop: a cart's home is that of the process which makes it.
func (o *shopper) begin(ctx context.Context) error {
	key := ulid.Make().String()
	return o.settle(ctx, func(ctx context.Context) error {
		made, _, err := o.home.Create(ctx, o.durable, key, "", time.Now())
		if err == nil {
			o.baskets = append(o.baskets, made.Handle)
		}
		return err
	})
}

// settle sends a write again until it is acknowledged.
func (o *shopper) settle(ctx context.Context, write func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, testkit.Patience)
	defer cancel()
	for {
		attempt, end := context.WithTimeout(ctx, attemptWithin)
		err := write(attempt)
		end()
		var refused *hint.Error
		switch {
		case err == nil:
			return nil
		case errors.As(err, &refused): // the shop's own word, not the database's trouble
			return err
		case !testkit.Pause(ctx, pace):
			return fmt.Errorf("not acknowledged within %s: %w", testkit.Patience, err)
		}
		o.repeats, o.last = o.repeats+1, err
	}
}

// goOn waits until each of these shoppers has had some more writes acknowledged.
func (m traffic) goOn(t *testing.T, who ...string) {
	t.Helper()
	want := map[string]int{}
	for _, one := range who {
		want[one] = m[one].Acknowledged() + some
	}
	testkit.EventuallyNil(t, testkit.Patience, fmt.Sprintf("%d more writes are acknowledged to each of %v", some, who), func(context.Context) error {
		for one, n := range want {
			if failed, last := m[one].Failed(); failed > 0 {
				return fmt.Errorf("%s: %w", one, last)
			}
			if got := m[one].Acknowledged(); got < n {
				return fmt.Errorf("%s: %d are missing", one, n-got)
			}
		}
		return nil
	})
}

func (m traffic) all() []string { return slices.Sorted(maps.Keys(m)) }

// count stops the traffic and counts what was acknowledged against what is there, as a datacenter sees it.
func (m traffic) count(t *testing.T, from *store.Store) {
	t.Helper()
	for _, who := range m.all() {
		m[who].Stop()
	}
	for _, who := range m.all() {
		one := m[who]
		if failed, last := one.Failed(); failed > 0 {
			t.Errorf("%s: %d writes failed, the last: %v", who, failed, last)
		}
		there := map[string]int{}
		for _, handle := range one.baskets {
			c, err := from.Cart(t.Context(), one.durable, handle)
			if err != nil {
				t.Errorf("%s: read cart %s: %v", who, handle, err)
				continue
			}
			there[handle.String()] = c.Count()
		}
		sums := one.Compare(there)
		t.Logf("%s: %s; in %d carts; sent again %d times (the last: %v)", who, sums, len(one.baskets), one.repeats, one.last)
		if err := sums.Err(); err != nil {
			t.Errorf("%s: %v", who, err)
		}
		if sums.Acknowledged == 0 {
			t.Errorf("%s: nothing was written, so nothing was shown", who)
		}
	}
}
