package shipping_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cart/shipping"
	"github.com/geoshard/geoshard/consistency"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ExampleQuote() {
	c := cart.Cart{DataCenter: "LON", Version: 4, Items: []cart.Item{
		{SKU: "book", Quantity: 2, Currency: "GBP"},
		{SKU: "console", Quantity: 1, Currency: "GBP", Delays: []cart.Delay{{Notice: "LON.1"}}},
	}}
	price := shipping.Quote(c)
	fmt.Println(price.Warehouse, price.Items, price.Cost, price.Currency, "for version", price.Version)
	// Output: LON 2 599 GBP for version 4
}

// More things never cost less, and nothing costs nothing.
func TestTheTariffGrows(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		quote := func(n int) int64 {
			return shipping.Quote(cart.Cart{Items: []cart.Item{{SKU: "book", Quantity: n}}}).Cost
		}
		n := rapid.IntRange(1, 100_000).Draw(rt, "n")
		if quote(n) <= 0 || quote(n+1) < quote(n) {
			rt.Fatalf("%d: %d, %d: %d", n, quote(n), n+1, quote(n+1))
		}
	})
	if got := shipping.Quote(cart.Cart{}).Cost; got != 0 {
		t.Errorf("an empty cart: got %d", got)
	}
}

// shelf holds carts in memory: it shows what the process does with answers that a real shop gives rarely. cart/store's tests use a real one.
type shelf struct {
	carts []cart.Cart
	moved map[cart.Handle]bool
	fail  error
	calls chan int
}

func (s *shelf) Unpriced(context.Context, consistency.Profile, int) ([]cart.Cart, error) {
	select {
	case s.calls <- 1:
	default:
	}
	return s.carts, s.fail
}

func (s *shelf) Price(_ context.Context, _ consistency.Profile, h cart.Handle, _ cart.Shipping) (bool, error) {
	return !s.moved[h], nil
}

func TestOvertakenCartsAreCounted(t *testing.T) {
	a, b := cart.Cart{Handle: cart.Handle{DataCenter: "A"}}, cart.Cart{Handle: cart.Handle{DataCenter: "B"}}
	p := shipping.Process{Carts: &shelf{carts: []cart.Cart{a, b}, moved: map[cart.Handle]bool{b.Handle: true}}}
	if got := p.Once(t.Context()); got.Priced != 1 || got.Overtaken != 1 || got.Err != nil {
		t.Errorf("got %+v", got)
	}
}

func TestRunGoesOnAfterErrorsAndEnds(t *testing.T) {
	s := &shelf{fail: errors.New("no primary"), calls: make(chan int)}
	heard := 0
	p := shipping.Process{Carts: s, Every: time.Millisecond, Listen: func(r shipping.Round) {
		if r.Err != nil {
			heard++
		}
	}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { p.Run(ctx); close(done) }()
	for range 3 {
		<-s.calls
	}
	cancel()
	<-done
	if heard < 2 {
		t.Errorf("got %d errors, want at least 2", heard)
	}
}
