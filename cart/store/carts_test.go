package store_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/internal/testkit"
)

// The domain's function and the database's update are two spellings of one rule. Whatever is sent, in whatever order and again, they agree.
func TestTheUpdateDoesWhatTheDomainSays(t *testing.T) {
	s := shop(t, "cartstore_same", "dataCenter")
	requests, applied, replayed, refused := 0, 0, 0, 0
	left := testkit.Count(t, "carts", 40, 100)
	rapid.Check(t, func(rt *rapid.T) {
		if left--; left < 0 {
			return
		}
		model := create(t, s)
		var sent []cart.Request
		for range rapid.IntRange(1, 12).Draw(rt, "requests") {
			r := cart.Request{Key: key(), At: now(), Change: anyChange(rt)}
			if rapid.IntRange(0, 3).Draw(rt, "conditional") == 0 {
				r.IfVersion = model.Version - int64(rapid.IntRange(0, 1).Draw(rt, "behind"))
			}
			if len(sent) > 0 && rapid.IntRange(0, 3).Draw(rt, "again") == 0 {
				again := rapid.SampledFrom(sent).Draw(rt, "which")
				r.Key, r.IfVersion = again.Key, again.IfVersion
				if rapid.Bool().Draw(rt, "the same") {
					r.Change = again.Change
				}
			}
			sent = append(sent, r)
			want, wantOutcome, wantErr := model.With(r)
			got, outcome, err := s.Change(t.Context(), durable(t), model.Handle, r)
			requests++
			switch {
			case wantErr != nil:
				refused++
				if err == nil || err.Error() != wantErr.Error() {
					rt.Fatalf("%+v: got %v, %v, want %v", r, outcome, err, wantErr)
				}
				continue
			case wantOutcome == cart.Replayed:
				replayed++
			default:
				applied++
			}
			if err != nil || outcome != wantOutcome {
				rt.Fatalf("%+v: got %v, %v, want %v", r, outcome, err, wantOutcome)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				rt.Fatalf("%+v (-domain +database):\n%s", r, diff)
			}
			model = want
		}
	})
	t.Logf("%d requests: %d applied, %d replayed, %d refused", requests, applied, replayed, refused)
	if applied == 0 || replayed == 0 || refused == 0 {
		t.Error("want some of each")
	}
}

func anyChange(rt *rapid.T) cart.Change {
	sku := rapid.SampledFrom([]string{"book", "console", "flashlight"}).Draw(rt, "sku")
	quantity := rapid.SampledFrom([]int{1, 2, 500, 999}).Draw(rt, "quantity")
	switch rapid.IntRange(0, 9).Draw(rt, "change") {
	case 0:
		return cart.Abandon{}
	case 1, 2:
		return cart.RemoveItem{SKU: sku}
	case 3, 4:
		return cart.SetQuantity{SKU: sku, Quantity: quantity}
	case 5:
		return cart.SetCustomer{Customer: rapid.SampledFrom([]string{"", "$items", "Zoë {$ne: 1}"}).Draw(rt, "customer")}
	default:
		return cart.AddItem{SKU: sku, Quantity: quantity, Price: int64(rapid.IntRange(0, 3).Draw(rt, "price")), Currency: rapid.SampledFrom([]string{"GBP", "GBP", "GBP", "USD"}).Draw(rt, "currency")}
	}
}

func TestARequestThatIsSentAgainIsDoneOnce(t *testing.T) {
	s := shop(t, "cartstore_again", "dataCenter")
	k := key()
	var wg sync.WaitGroup
	for range 8 { // at the same time, as proxies do
		wg.Go(func() {
			if _, _, err := s.Create(t.Context(), durable(t), k, "", now()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	list, err := s.Carts(t.Context(), durable(t), "LON", "", "", 100)
	if err != nil || len(list) != 1 {
		t.Fatalf("got %d carts, %v, want 1", len(list), err)
	}
	h, add := list[0].Handle, key()
	for range 8 {
		wg.Go(func() {
			if _, _, err := s.Change(t.Context(), durable(t), h, cart.Request{Key: add, At: now(), Change: book(2)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := s.Cart(t.Context(), durable(t), h)
	if err != nil || got.Count() != 2 || got.Version != 2 {
		t.Errorf("got %d books at version %d, %v, want 2 at 2", got.Count(), got.Version, err)
	}
	_, _, err = s.Change(t.Context(), durable(t), h, cart.Request{Key: add, At: now(), Change: book(3)})
	if !errors.Is(err, cart.ErrKeyReused) {
		t.Errorf("another request with the key: got %v", err)
	}
	if _, _, err := s.Create(t.Context(), durable(t), k, "somebody else", now()); !errors.Is(err, cart.ErrKeyReused) {
		t.Errorf("another cart with the key: got %v", err)
	}
}

func TestConcurrentChangesOfACartAreAllThere(t *testing.T) {
	s := shop(t, "cartstore_concurrent", "dataCenter")
	h := create(t, s).Handle
	writers, each := 8, testkit.Count(t, "changes of each writer", 10, 100)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				if _, _, err := s.Change(t.Context(), durable(t), h, cart.Request{Key: key(), At: now(), Change: book(1)}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	got, err := s.Cart(t.Context(), durable(t), h)
	if err != nil || got.Count() != writers*each || len(got.Items) != 1 {
		t.Errorf("got %d books, %v, want %d", got.Count(), err, writers*each)
	}
}

// The field with the datacenter is DataCenter in the preset us-east-west. Each document is on the shard of its datacenter.
func TestTheFieldsNameIsASetting(t *testing.T) {
	s := shop(t, "cartstore_renamed", "DataCenter")
	c := change(t, s, create(t, s).Handle, book(1))
	raw, err := s.Client().Database("cartstore_renamed").Collection("carts").FindOne(t.Context(), bson.D{{Key: "_id", Value: c.Handle.String()}}).Raw()
	if err != nil {
		t.Fatal(err)
	}
	if dc, _ := raw.Lookup("DataCenter").StringValueOK(); dc != "LON" || raw.Lookup("dataCenter").Type != 0 {
		t.Errorf("got %s", raw)
	}
	member, err := s.Client().Database("cartstore_renamed").Collection("carts").Aggregate(t.Context(), bson.A{bson.D{{Key: "$collStats", Value: bson.D{{Key: "count", Value: bson.D{}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	var counts []struct {
		Shard string `bson:"shard"`
		Count int    `bson:"count"`
	}
	if err := member.All(t.Context(), &counts); err != nil {
		t.Fatal(err)
	}
	for _, c := range counts {
		if want := map[bool]int{true: 1}[c.Shard == homes["LON"]]; c.Count != want {
			t.Errorf("got %d carts on %s, want %d", c.Count, c.Shard, want)
		}
	}
	t.Logf("%+v", counts)
	if _, err := store.New(store.Options{Client: s.Client(), DataCenter: "LON", Field: "a.b"}); !errors.Is(err, store.ErrIncomplete) {
		t.Errorf("a field with a dot: got %v", err)
	}
}

func TestWhatIsNotThereIsSaid(t *testing.T) {
	s := shop(t, "cartstore_absent", "dataCenter")
	h, err := cart.HandleFor("SYD", key())
	if err != nil {
		t.Fatal(err)
	}
	_, readErr := s.Cart(t.Context(), durable(t), h)
	_, _, changeErr := s.Change(t.Context(), durable(t), h, cart.Request{Key: key(), At: now(), Change: book(1)})
	_, orderErr := s.Order(t.Context(), durable(t), h)
	_, _, checkoutErr := checkout(t, s, h, 1, key())
	_, productErr := s.Product(t.Context(), durable(t), "LON", "nothing")
	for what, err := range map[string]error{"read": readErr, "change": changeErr, "order": orderErr, "checkout": checkoutErr, "product": productErr} {
		if !errors.Is(err, cart.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", what, err)
		}
	}
}
