package store_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/internal/testkit"
)

func TestACheckoutTakesStockAndClosesTheCartOnce(t *testing.T) {
	s := shop(t, "cartstore_checkout", "dataCenter")
	stocked(t, s, "book", 10)
	c := change(t, s, create(t, s).Handle, book(3))
	k := key()
	var wg sync.WaitGroup
	outcomes := make([]cart.Outcome, 6)
	for i := range outcomes {
		wg.Go(func() {
			order, outcome, err := checkout(t, s, c.Handle, c.Version, k)
			if err != nil || order.Total != 3*1299+499+150 || order.Shipping.Items != 3 {
				t.Errorf("got %+v, %v", order, err)
			}
			outcomes[i] = outcome
		})
	}
	wg.Wait()
	applied := 0
	for _, o := range outcomes {
		if o == cart.Applied {
			applied++
		}
	}
	closed, err := s.Cart(t.Context(), durable(t), c.Handle)
	if applied != 1 || available(t, s, "book") != 7 || err != nil || closed.Status != cart.Ordered {
		t.Errorf("got %d applied, %d left, status %s, %v, want 1, 7, ordered", applied, available(t, s, "book"), closed.Status, err)
	}
	if _, _, err := checkout(t, s, c.Handle, closed.Version, key()); !errors.Is(err, cart.ErrClosed) {
		t.Errorf("a second order: got %v", err)
	}
}

func TestACheckoutThatFailsChangesNothing(t *testing.T) {
	s := shop(t, "cartstore_fails", "dataCenter")
	stocked(t, s, "book", 10)
	stocked(t, s, "console", 1)
	h := create(t, s).Handle
	if _, _, err := checkout(t, s, h, 1, key()); !errors.Is(err, cart.ErrEmpty) {
		t.Errorf("empty: got %v", err)
	}
	change(t, s, h, book(2))
	c := change(t, s, h, cart.AddItem{SKU: "console", Quantity: 2, Price: 1, Currency: "GBP"})
	if _, _, err := checkout(t, s, h, c.Version-1, key()); !errors.Is(err, cart.ErrVersion) {
		t.Errorf("older version: got %v", err)
	}
	if _, _, err := checkout(t, s, h, c.Version, key()); !errors.Is(err, cart.ErrOutOfStock) {
		t.Errorf("too many: got %v", err)
	}
	got, err := s.Cart(t.Context(), durable(t), h)
	if available(t, s, "book") != 10 || available(t, s, "console") != 1 || err != nil || got.Status != cart.Open || got.Version != c.Version {
		t.Errorf("got %d books, %d consoles, %+v, %v: want all as before", available(t, s, "book"), available(t, s, "console"), got, err)
	}
	if _, err := s.Order(t.Context(), durable(t), h); !errors.Is(err, cart.ErrNotFound) {
		t.Errorf("the order: got %v", err)
	}
}

// Many want the last things: exactly so many get one as there are.
func TestStockIsSoldOnce(t *testing.T) {
	s := shop(t, "cartstore_lastthings", "dataCenter")
	buyers, things := testkit.Count(t, "buyers", 20, 200), int64(testkit.Count(t, "things", 7, 70))
	stocked(t, s, "book", things)
	var wg sync.WaitGroup
	var mu sync.Mutex
	sold, refused := int64(0), 0
	for range buyers {
		wg.Go(func() {
			c := change(t, s, create(t, s).Handle, book(1))
			_, _, err := checkout(t, s, c.Handle, c.Version, key())
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				sold++
			case errors.Is(err, cart.ErrOutOfStock):
				refused++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	sales, err := s.Sales(t.Context(), durable(t))
	if sold != things || refused != buyers-int(things) || available(t, s, "book") != 0 || err != nil || len(sales) != 1 || sales[0].Items != things {
		t.Errorf("got %d sold, %d refused, %d left, %+v, %v", sold, refused, available(t, s, "book"), sales, err)
	}
	t.Logf("%d buyers, %d sold", buyers, sold)
}
