package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cart/inventory"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/topology"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ledger holds notices in memory: it shows in which order an instance does things. cart/store's tests use a real shop.
type ledger struct {
	notices  map[topology.DatacenterID][]cart.Notice
	position map[topology.DatacenterID]int64
	broken   topology.DatacenterID
	did      []string
}

func (l *ledger) Origins(context.Context, consistency.Profile) ([]topology.DatacenterID, error) {
	return []topology.DatacenterID{"LON", "NYC"}, nil
}

func (l *ledger) Notices(_ context.Context, _ consistency.Profile, origin topology.DatacenterID, after int64, _ int) ([]cart.Notice, error) {
	if origin == l.broken {
		return nil, errors.New("no member answers")
	}
	return l.notices[origin][after:], nil
}

func (l *ledger) Position(_ context.Context, _ consistency.Profile, origin topology.DatacenterID) (int64, error) {
	return l.position[origin], nil
}

func (l *ledger) Advance(_ context.Context, _ consistency.Profile, origin topology.DatacenterID, seq int64) error {
	l.did = append(l.did, fmt.Sprintf("advance %s to %d", origin, seq))
	l.position[origin] = seq
	return nil
}

func (l *ledger) Withhold(_ context.Context, _ consistency.Profile, n cart.Notice) error {
	l.did = append(l.did, "withhold "+n.SKU)
	return nil
}

func (l *ledger) Mark(_ context.Context, _ consistency.Profile, n cart.Notice, _ time.Time) (int64, error) {
	l.did = append(l.did, "mark "+n.SKU)
	return 1, nil
}

func ExampleInstance_Once() {
	shop := &ledger{position: map[topology.DatacenterID]int64{}, notices: map[topology.DatacenterID][]cart.Notice{"LON": {{ID: "LON.1", Seq: 1, SKU: "console"}}}}
	clock := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	i := inventory.Instance{Shop: shop, Grace: time.Minute, Now: func() time.Time { return clock }}
	for range 2 { // the second look is after the grace: then the position moves on
		if err := i.Once(context.Background()); err != nil {
			fmt.Println(err)
		}
		clock = clock.Add(2 * time.Minute)
	}
	for _, did := range shop.did {
		fmt.Println(did)
	}
	// Output:
	// withhold console
	// mark console
	// mark console
	// advance LON to 1
}

func TestADatacenterThatDoesNotAnswerHoldsUpNoOther(t *testing.T) {
	l := &ledger{broken: "LON", position: map[topology.DatacenterID]int64{}, notices: map[topology.DatacenterID][]cart.Notice{"NYC": {{ID: "NYC.1", Seq: 1, SKU: "book"}}}}
	clock := time.Now()
	i := inventory.Instance{Shop: l, Grace: time.Minute, Now: func() time.Time { return clock }}
	for range 2 {
		clock = clock.Add(2 * time.Minute)
		if err := i.Once(t.Context()); err == nil {
			t.Error("the error is lost")
		}
	}
	if l.position["NYC"] != 1 {
		t.Errorf("got position %v", l.position)
	}
}
