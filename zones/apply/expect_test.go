package apply_test

import (
	"fmt"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
)

// addedRanges is a plan that gives a collection so many ranges.
func addedRanges(t *testing.T, collection string, n int) *zones.Plan {
	t.Helper()
	p := &zones.Plan{}
	placement := zones.Placement{Collection: collection}
	bound := func(i int) bson.Raw {
		raw, err := bson.Marshal(bson.D{{Key: "home", Value: fmt.Sprintf("V%06d", i)}})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for i := range n {
		r := zones.Range{Zone: "Z", Min: bound(2 * i), Max: bound(2*i + 1)}
		p.Steps = append(p.Steps, zones.Step{Change: zones.AddRange{Collection: collection, Range: r}})
		placement.Ranges = append(placement.Ranges, r)
	}
	p.Layout.Collections = []zones.Placement{placement}
	return p
}

// What was measured (docs/results/zones.md) is expected within a third: over links with 76 ms to a majority, and without delays.
func TestExpectedIsNearWhatWasMeasured(t *testing.T) {
	const links, none = 156 * time.Millisecond, 6 * time.Millisecond
	for _, c := range []struct {
		ranges          int
		acknowledgement time.Duration
		measured        time.Duration
	}{
		{500, links, 14500 * time.Millisecond}, {500, none, 2600 * time.Millisecond}, {5000, none, 102 * time.Second},
	} {
		got := apply.Expected(addedRanges(t, "shop.carts", c.ranges), c.acknowledgement)
		if ratio := float64(got) / float64(c.measured); ratio < 0.67 || ratio > 1.5 {
			t.Errorf("%d ranges, %s for an acknowledgement: got %s, measured %s", c.ranges, c.acknowledgement, got, c.measured)
		}
		t.Logf("%d ranges, %s for an acknowledgement: %s, measured %s", c.ranges, c.acknowledgement, got.Round(time.Millisecond), c.measured)
	}
}

// Nothing to do takes no time, and steps that go side by side less than those that do not.
func TestExpectedCountsGroups(t *testing.T) {
	if got := apply.Expected(&zones.Plan{}, time.Second); got != 0 {
		t.Errorf("got %s for no steps", got)
	}
	one := apply.Expected(addedRanges(t, "shop.carts", 1), time.Second)
	many := apply.Expected(addedRanges(t, "shop.carts", 32), time.Second)
	more := apply.Expected(addedRanges(t, "shop.carts", 33), time.Second)
	if many > one*3/2 || more < 2*one {
		t.Errorf("got %s for one step, %s for a group of 32, %s for one more", one, many, more)
	}
}
