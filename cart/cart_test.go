package cart_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cart/shipping"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func keyAt(at time.Time) string {
	return ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String()
}

func request(at time.Time, c cart.Change) cart.Request {
	return cart.Request{Key: keyAt(at), At: at, Change: c}
}

func fresh() cart.Cart {
	h, err := cart.HandleFor("LON", keyAt(start))
	if err != nil {
		panic(err)
	}
	return cart.Cart{Handle: h, DataCenter: "LON", CartID: h.ID.String(), Status: cart.Open, Version: 1, Created: start, Updated: start}
}

func book(n int) cart.AddItem {
	return cart.AddItem{SKU: "book", Quantity: n, Price: 1299, Currency: "GBP"}
}

func TestHandlesHaveOneSpelling(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dc := rapid.SampledFrom([]string{"LON", "us-east_1", "A"}).Draw(rt, "dc")
		at := start.Add(time.Duration(rapid.Int64Range(0, 1<<40).Draw(rt, "ms")) * time.Millisecond)
		h := cart.Handle{ID: ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy())}
		h.DataCenter = "X"
		text := dc + "." + h.ID.String()
		got, err := cart.ParseHandle(text)
		if err != nil || got.String() != text {
			rt.Fatalf("%s: got %s, %v", text, got, err)
		}
		if lower := dc + "." + strings.ToLower(h.ID.String()); lower != text {
			if _, err := cart.ParseHandle(lower); !errors.Is(err, cart.ErrBadHandle) {
				rt.Fatalf("%s: got %v", lower, err)
			}
		}
	})
}

func FuzzParseHandle(f *testing.F) {
	f.Add("LON.01K4B4B2V8G3T0000000000000")
	f.Add("LON.8ZZZZZZZZZZZZZZZZZZZZZZZZZ")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, text string) {
		if h, err := cart.ParseHandle(text); err == nil && h.String() != text {
			t.Errorf("%q became %q", text, h)
		}
	})
}

func TestKeysHaveAnAge(t *testing.T) {
	v7, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, c := range []struct {
		name, key string
		want      error
	}{
		{"ulid", keyAt(now), nil}, {"uuid 7", v7.String(), nil}, {"nearly too old", keyAt(now.Add(-cart.KeyLife + time.Second)), nil},
		{"too old", keyAt(now.Add(-cart.KeyLife - time.Second)), cart.ErrKeyExpired}, {"future", keyAt(now.Add(cart.KeySkew + time.Second)), cart.ErrBadKey},
		{"uuid 4", uuid.NewString(), cart.ErrBadKey}, {"small letters", strings.ToLower(keyAt(now)), cart.ErrBadKey}, {"nothing", "", cart.ErrBadKey},
		{"uuid in capitals", strings.ToUpper(v7.String()), cart.ErrBadKey},
	} {
		if err := cart.CheckKey(c.key, now); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

// Whatever is sent, in whatever order and however often: each key changes the cart at most once, also when its entry has expired.
func TestNeverTwice(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c, now := fresh(), start
		var sent []cart.Request
		applied := map[string]int{}
		for range rapid.IntRange(1, 60).Draw(rt, "requests") {
			now = now.Add(time.Duration(rapid.IntRange(0, 600).Draw(rt, "seconds")) * time.Second)
			r := request(now, book(1))
			if len(sent) > 0 && rapid.Bool().Draw(rt, "again") {
				r = rapid.SampledFrom(sent).Draw(rt, "which")
				// Another server gets it, with a clock of its own.
				r.At = now.Add(time.Duration(rapid.IntRange(-30, 30).Draw(rt, "skew")) * time.Second)
			}
			sent = append(sent, r)
			if r.Check() != nil {
				continue
			}
			next, outcome, err := c.With(r)
			if err != nil && !errors.Is(err, cart.ErrLimit) {
				rt.Fatal(err)
			}
			if outcome == cart.Applied {
				applied[r.Key]++
			}
			c = next
		}
		total := 0
		for key, n := range applied {
			if n > 1 {
				rt.Fatalf("%s was done %d times", key, n)
			}
			total += n
		}
		if c.Count() != total || c.Version != int64(1+total) {
			rt.Fatalf("got %d books at version %d, want %d", c.Count(), c.Version, total)
		}
	})
}

func TestACartTakesNoMoreWritesRatherThanForgetOne(t *testing.T) {
	c := fresh()
	for i := range cart.MaxKeys {
		var err error
		if c, _, err = c.With(request(start.Add(time.Duration(i)*time.Millisecond), cart.SetCustomer{Customer: "amy"})); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := c.With(request(start.Add(time.Second), book(1))); !errors.Is(err, cart.ErrTooBusy) {
		t.Errorf("got %v, want ErrTooBusy", err)
	}
	later := start.Add(cart.KeyLife + 3*cart.KeySkew)
	next, _, err := c.With(request(later, book(1)))
	if err != nil || len(next.Done) != 1 {
		t.Errorf("later: got %d keys, %v, want 1", len(next.Done), err)
	}
}

func TestWithLeavesTheCartAlone(t *testing.T) {
	c, _, err := fresh().With(request(start, book(1)))
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []cart.Change{book(5), cart.SetQuantity{SKU: "book", Quantity: 9}, cart.RemoveItem{SKU: "book"}} {
		if _, _, err := c.With(request(start, change)); err != nil || c.Count() != 1 || len(c.Done) != 1 {
			t.Errorf("%T: the cart before has %d books, %v", change, c.Count(), err)
		}
	}
}

func TestAnOrderLeavesDelayedItemsOut(t *testing.T) {
	c := fresh()
	for _, add := range []cart.AddItem{book(2), {SKU: "console", Quantity: 1, Price: 29_900, Currency: "GBP"}} {
		var err error
		if c, _, err = c.With(request(start, add)); err != nil {
			t.Fatal(err)
		}
	}
	c.Items[1].Delays = []cart.Delay{{Notice: "LON.1"}}
	order, next, err := cart.PlanOrder(c, cart.Checkout{Key: keyAt(start), At: start, IfVersion: c.Version}, shipping.Quote)
	if err != nil || len(order.Items) != 1 || len(order.LeftOut) != 1 || order.Shipping.Items != 2 || order.Total != 2*1299+499+100 {
		t.Errorf("got %+v, %v", order, err)
	}
	if next.Status != cart.Ordered || next.Version != c.Version+1 || next.Shipping.Version != c.Version {
		t.Errorf("got %+v", next)
	}
	c.Items[0].Delays = c.Items[1].Delays
	if _, _, err := cart.PlanOrder(c, cart.Checkout{Key: keyAt(start), At: start, IfVersion: c.Version}, shipping.Quote); !errors.Is(err, cart.ErrEmpty) {
		t.Errorf("all delayed: got %v", err)
	}
}
