package routing_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/internal/testkit"
)

// A cart gets another home while it is written to, from all three datacenters. Clients go on with the old handle and see no error. Every write raises the cart's version by
// one, so the version tells whether one was lost or done twice. The writes set quantities: things of another home's catalogue are in another currency, which the shop refuses.
func cartIsRehomedUnderWrites(t *testing.T, s *routedShop) {
	for range testkit.Count(t, "carts that move four times", 2, 10) {
		rehomed(t, s, []string{"LON", "SYD", "NYC", "LON"})
	}
}

// writesPerMove keeps the writes below the 256 that a cart remembers and takes, however long the moves last.
const writesPerMove = 60

// rehomed moves a new cart to one home after the other.
func rehomed(t *testing.T, s *routedShop, moves []string) {
	m := newMarket(t, s, 1)
	old := m.baskets[0].handle
	home, id, _ := strings.Cut(old, ".")
	status, first, _, problem := m.send(s.places["NYC"].gate, http.MethodPost, "/v1/carts/"+old+"/items", `{"sku":"mug","quantity":1}`, newKey(), "")
	if status != http.StatusOK && status != http.StatusCreated {
		t.Fatalf("the first thing: %d %s", status, problem)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var mu sync.Mutex
	written, failed := int64(0), map[string]int{}
	var left atomic.Int64
	var clients sync.WaitGroup
	for _, from := range places {
		clients.Go(func() {
			for n := 1; testkit.Pause(ctx, 150*time.Millisecond); n++ {
				if left.Add(-1) < 0 {
					continue
				}
				body := fmt.Sprintf(`{"quantity":%d}`, 1+n%900)
				status, _, _, problem := m.send(s.places[from].gate, http.MethodPut, "/v1/carts/"+old+"/items/mug", body, newKey(), "")
				mu.Lock()
				if status == http.StatusOK {
					written++
				} else {
					failed[fmt.Sprintf("%d %.300s", status, problem)]++
				}
				mu.Unlock()
			}
		})
	}
	for _, to := range moves {
		left.Store(writesPerMove)
		testkit.Pause(t.Context(), time.Second)
		done, err := s.places["NYC"].gateway.Rehome(t.Context(), home, id, to)
		if err != nil {
			t.Errorf("from %s to %s: %v", home, to, err)
			continue
		}
		if !done.Moved {
			t.Errorf("from %s to %s: not moved", home, to)
		}
		home = to
	}
	testkit.Pause(t.Context(), time.Second)
	stop()
	clients.Wait()
	for what, n := range failed {
		t.Errorf("%d client-visible errors: %s", n, what)
	}
	current, err := consistency.Lookup("multi-datacenter") // as the writes
	if err != nil {
		t.Fatal(err)
	}
	h, err := cart.ParseHandle(home + "." + id)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.places["NYC"].store.Cart(t.Context(), current, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d writes to %s while it moved %d times, to %s: version %d, was %d", written, old, len(moves), h, got.Version, first.Version)
	if len(failed) == 0 && got.Version != first.Version+written {
		t.Errorf("version %d, want %d and the %d writes that were acknowledged", got.Version, first.Version, written)
	}
	// The old handle is good for ever.
	status, read, _, problem := m.send(s.places["SYD"].gate, http.MethodGet, "/v1/carts/"+old, "", "", "")
	if status != http.StatusOK || read.Handle != h {
		t.Errorf("the old handle: %d %s, cart %s, want %s", status, problem, read.Handle, h)
	}
}
