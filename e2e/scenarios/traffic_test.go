package scenarios_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/topology"
)

const (
	// attemptWithin bounds one attempt of a write; settleWithin bounds a write with all its attempts: longer than any outage of a story.
	attemptWithin, settleWithin = 10 * time.Second, within
	// carts are how many a shopper has, perCart how often each is changed: it remembers 256 requests. That is enough for the longest story.
	carts, perCart = 12, 250
	// pace is the pause between two writes of one shopper.
	pace = 40 * time.Millisecond
)

// A basket is a cart with what was acknowledged of it.
type basket struct {
	handle cart.Handle
	things int
}

// A shopper writes through one datacenter's query router to carts of one home. A write whose outcome is not known is sent again, with its key, until it is
// acknowledged: so in the end each has been done once, or something was lost.
type shopper struct {
	shop    *store.Store
	home    *store.Store // of the datacenter where the carts are at home
	durable consistency.Profile

	mu      sync.Mutex
	baskets []basket // guarded by mu
	repeats int      // guarded by mu
	last    error    // guarded by mu: of the repeats
}

// A traffic is all shoppers of a story.
type traffic struct {
	shoppers map[string]*shopper
	stop     func()
	writing  sync.WaitGroup
	failed   chan error
}

// shop begins traffic: a way is from a datacenter to the home of the carts.
func (s *scene) shop(t *testing.T, ways ...[2]topology.DatacenterID) *traffic {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	m := &traffic{shoppers: map[string]*shopper{}, stop: cancel, failed: make(chan error, len(ways))}
	for _, way := range ways {
		one := &shopper{shop: s.shops[way[0]], home: s.shops[way[1]], durable: profile(t, "durable")}
		m.shoppers[fmt.Sprintf("%s>%s", way[0], way[1])] = one
		m.writing.Go(func() {
			if err := one.run(ctx); err != nil {
				m.failed <- fmt.Errorf("shopper in %s, of carts in %s: %w", way[0], way[1], err)
			}
		})
	}
	t.Cleanup(func() { cancel(); m.writing.Wait() }) // also when a story ends early
	return m
}

// everywhere are shoppers who stay at home.
func (s *scene) everywhere() (ways [][2]topology.DatacenterID) {
	for _, dc := range s.Topology().Datacenters {
		ways = append(ways, [2]topology.DatacenterID{dc.ID, dc.ID})
	}
	return ways
}

// run writes until ctx ends; the write that is under way then is settled.
func (o *shopper) run(ctx context.Context) error {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for range carts { // at once, as long as the carts' home is there
		if err := o.begin(ctx); err != nil {
			return err
		}
	}
	for n := 0; ctx.Err() == nil && n < carts*perCart; n++ {
		if err := o.add(ctx, n%carts); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// begin makes a cart at its home's own shop: a cart's home is that of the process which makes it.
func (o *shopper) begin(ctx context.Context) error {
	key := ulid.Make().String()
	return o.settle(ctx, func(ctx context.Context) error {
		made, _, err := o.home.Create(ctx, o.durable, key, "", time.Now())
		if err == nil {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.baskets = append(o.baskets, basket{handle: made.Handle})
		}
		return err
	})
}

func (o *shopper) add(ctx context.Context, at int) error {
	o.mu.Lock()
	handle := o.baskets[at].handle
	o.mu.Unlock()
	key := ulid.Make().String()
	return o.settle(ctx, func(ctx context.Context) error {
		_, _, err := o.shop.Change(ctx, o.durable, handle, cart.Request{
			Key: key, At: time.Now(), Change: cart.AddItem{SKU: "mug", Quantity: 1, Price: 900, Currency: "USD"},
		})
		if err == nil {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.baskets[at].things++
		}
		return err
	})
}

// settle sends a write again until it is acknowledged. It goes on when ctx ends.
func (o *shopper) settle(ctx context.Context, write func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleWithin)
	defer cancel()
	for {
		attempt, end := context.WithTimeout(ctx, attemptWithin)
		err := write(attempt)
		end()
		var refused *cart.Error
		switch {
		case err == nil:
			return nil
		case errors.As(err, &refused): // the shop's own word, not the database's trouble
			return err
		case ctx.Err() != nil:
			return fmt.Errorf("not acknowledged within %s: %w", settleWithin, err)
		}
		o.mu.Lock()
		o.repeats, o.last = o.repeats+1, err
		o.mu.Unlock()
		rest(ctx, pace)
	}
}

// rest paces; it ends early with ctx.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (o *shopper) acknowledged() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, b := range o.baskets {
		n += b.things
	}
	return n
}

// goesOn waits until a shopper has had so many more writes acknowledged.
func (m *traffic) goesOn(t *testing.T, who string, more int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	before := m.shoppers[who].acknowledged()
	for m.shoppers[who].acknowledged() < before+more {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %d writes acknowledged within %s, want %d", who, m.shoppers[who].acknowledged()-before, within, more)
		case err := <-m.failed:
			t.Fatal(err)
		default:
			rest(ctx, pace)
		}
	}
}

// count stops the traffic and counts what was acknowledged against what is there, as a datacenter sees it.
func (m *traffic) count(t *testing.T, from *store.Store) {
	t.Helper()
	m.stop()
	m.writing.Wait()
	close(m.failed)
	for err := range m.failed {
		t.Error(err)
	}
	for who, one := range m.shoppers {
		acknowledged, found := 0, 0
		for _, b := range one.baskets {
			c, err := from.Cart(t.Context(), one.durable, b.handle)
			if err != nil {
				t.Errorf("%s: read cart %s: %v", who, b.handle, err)
				continue
			}
			acknowledged += b.things
			found += c.Count()
			if c.Count() != b.things {
				t.Errorf("%s: cart %s holds %d things, want the %d that were acknowledged", who, b.handle, c.Count(), b.things)
			}
		}
		t.Logf("%s: %d writes to %d carts acknowledged, %d found; sent again %d times (the last: %v)", who, acknowledged, len(one.baskets), found, one.repeats, one.last)
		if acknowledged == 0 {
			t.Errorf("%s: nothing was written, so nothing was shown", who)
		}
	}
}
