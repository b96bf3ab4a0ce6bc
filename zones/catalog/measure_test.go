package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/catalog"
	"github.com/geoshard/geoshard/zones/plan"
)

// layoutOf puts A and B of a collection into zones of one shard each.
func layoutOf(t testing.TB, ns string, a, b topology.ShardID) zones.Layout {
	t.Helper()
	return zones.Layout{
		Zones: []zones.ZoneShards{{Zone: topology.ZoneID(ns + "-A"), Shards: []topology.ShardID{a}}, {Zone: topology.ZoneID(ns + "-B"), Shards: []topology.ShardID{b}}},
		Collections: []zones.Placement{{Collection: ns, Key: byDC, Ranges: []zones.Range{
			tight(t, "A", topology.ZoneID(ns+"-A")), tight(t, "B", topology.ZoneID(ns+"-B")),
		}}},
	}
}

// forecastOf is what a layout would move, with the estimates made useless so that only a measurement can be right.
func forecastOf(t testing.TB, c *catalog.Catalog, ns string, layout zones.Layout) zones.Forecast {
	t.Helper()
	state, err := c.Read(t.Context(), []string{ns})
	if err != nil {
		t.Fatal(err)
	}
	f := zones.Forecast{Moves: plan.Outside(state, layout)}
	for i := range f.Moves {
		f.Moves[i].Documents, f.Moves[i].Bytes = 1, 1
	}
	return f
}

// held keeps the balancer away, so that a test can look at what has not moved.
func held(t testing.TB, c *catalog.Catalog, ns string) {
	t.Helper()
	perform(t, c, zones.HoldBalancing{Collection: ns})
}

func near(got, want int64, within float64) bool {
	return math.Abs(float64(got-want)) <= within*float64(want)
}

func TestMeasureCountsWhatIsThere(t *testing.T) {
	c := open(t)
	const ns = "catmeasure.c"
	sharded(t, c, ns)
	held(t, c, ns)
	fill(t, c, ns, map[any]int{"A": 2000, "B": 500, "C": 700})
	docSize := int64(306)
	for _, o := range []catalog.MeasureOptions{{}, {Estimate: true}} {
		f := forecastOf(t, c, ns, layoutOf(t, ns, "s2", "s1")) // A moves from s0 to s2
		if err := c.Measure(t.Context(), &f, o); err != nil {
			t.Fatal(err)
		}
		if f.Documents != 2000 || !near(f.Bytes, 2000*docSize, 0.2) || !f.Measured {
			t.Errorf("%+v: got %d documents, %d bytes, measured %v; want 2000 of %d bytes", o, f.Documents, f.Bytes, f.Measured, docSize)
		}
		t.Logf("%+v: %d documents, %d bytes", o, f.Documents, f.Bytes)
	}
}

// Beyond its bounds a measurement takes the rest for the like of what it counted, and says so.
func TestMeasureEstimatesBeyondItsBounds(t *testing.T) {
	c := open(t)
	const ns = "catbounds.c"
	sharded(t, c, ns)
	held(t, c, ns)
	fill(t, c, ns, map[any]int{"A": 1000})
	move := zones.Move{Collection: ns, From: "s0", To: "s2", Documents: 1000, Bytes: 306_000, Chunks: 10}
	for i := range 10 {
		move.Spans = append(move.Spans, zones.Span{Min: key(t, "A", i*100), Max: key(t, "A", i*100+100)})
	}
	for name, o := range map[string]catalog.MeasureOptions{"spans": {Spans: 4}, "documents": {Documents: 250}} {
		f := zones.Forecast{Moves: []zones.Move{move}}
		if err := c.Measure(t.Context(), &f, o); err != nil {
			t.Fatal(err)
		}
		if f.Measured || !near(f.Documents, 1000, 0.2) || !near(f.Bytes, 306_000, 0.2) {
			t.Errorf("%s: got %d documents, %d bytes, measured %v", name, f.Documents, f.Bytes, f.Measured)
		}
	}
}

// Documents that were moved stay behind as orphans for 15 minutes, and dataSize counts them too.
func TestOrphansDoNotInflateAMeasurement(t *testing.T) {
	c := open(t)
	const ns = "catorphans.c"
	sharded(t, c, ns)
	held(t, c, ns)
	fill(t, c, ns, map[any]int{"A": 1000})
	err := c.Client().Database("admin").RunCommand(t.Context(), bson.D{
		{Key: "moveChunk", Value: ns}, {Key: "bounds", Value: bson.A{key(t, "A", lowest), key(t, "A\x00", lowest)}}, {Key: "to", Value: "s2"},
	}).Err()
	if err != nil {
		t.Fatal(err)
	}
	parts, err := c.Distribution(t.Context(), []string{ns})
	if err != nil {
		t.Fatal(err)
	}
	if got := parts[ns]["s0"].Orphaned.Documents; got != 1000 {
		t.Fatalf("got %d orphans on s0, want 1000: %+v", got, parts)
	}
	f := forecastOf(t, c, ns, layoutOf(t, ns, "s0", "s1")) // and back again
	if err := c.Measure(t.Context(), &f, catalog.MeasureOptions{}); err != nil {
		t.Fatal(err)
	}
	if f.Documents != 1000 || !near(f.Bytes, 306_000, 0.2) || f.Measured {
		t.Errorf("got %d documents, %d bytes, measured %v; want 1000, not called measured", f.Documents, f.Bytes, f.Measured)
	}

	left, err := c.Remaining(t.Context(), layoutOf(t, ns, "s2", "s1"))
	if err != nil {
		t.Fatal(err)
	}
	if left.Chunks != 0 || left.Orphans != 1000 || len(left.Migrations) != 0 {
		t.Errorf("everything is in its zone, and 1000 orphans: got %+v", left)
	}
}

// A collection that is dropped while $shardedDataDistribution looks at it fails the command: the others are told all the same.
func TestTheDistributionIsToldWhileCollectionsAreDropped(t *testing.T) {
	t.Parallel()
	c := open(t)
	const ns, collections = "catdropped.c", 60
	sharded(t, c, ns)
	held(t, c, ns)
	fill(t, c, ns, map[any]int{"A": 10})
	others := c.Client().Database("catdropped_others")
	names := []string{ns}
	for i := range collections {
		names = append(names, fmt.Sprintf("%s.%d", others.Name(), i))
	}
	for range testkit.Count(t, "rounds of drops", 5, 50) {
		for i := range collections {
			if err := others.CreateCollection(t.Context(), strconv.Itoa(i)); err != nil {
				t.Fatal(err)
			}
		}
		dropped := make(chan error, 1)
		go func() { dropped <- others.Drop(context.Background()) }()
		for going := true; going; {
			select {
			case err := <-dropped:
				if err != nil {
					t.Fatal(err)
				}
				going = false
			default:
			}
			parts, err := c.Distribution(t.Context(), names)
			if err != nil {
				t.Error(err)
			} else if got := parts[ns]["s0"].Owned.Documents; got != 10 {
				t.Errorf("got %d documents on s0, want 10: %+v", got, parts)
			}
		}
	}
}

// What is left shrinks to nothing while the balancer works, and tells a collection that it leaves alone.
func TestRemainingFollowsTheBalancer(t *testing.T) {
	t.Parallel()
	c := open(t)
	const ns = "catremain.c"
	sharded(t, c, ns)
	held(t, c, ns)
	fill(t, c, ns, map[any]int{"A": 1500, "B": 100})
	perform(t, c, zones.AddShardToZone{Shard: "s2", Zone: ns + "-A"}, zones.RemoveShardFromZone{Shard: "s0", Zone: ns + "-A"})
	t.Cleanup(func() {
		if err := c.Perform(context.Background(), zones.RemoveShardFromZone{Shard: "s2", Zone: ns + "-A"}); err != nil && !errors.Is(err, catalog.ErrZoneInUse) {
			t.Error(err)
		}
	})
	layout := layoutOf(t, ns, "s2", "s1")
	left, err := c.Remaining(t.Context(), layout)
	if err != nil {
		t.Fatal(err)
	}
	if left.Chunks != 1 || left.Documents != 1500 || !near(left.Bytes, 1500*306, 0.2) || len(left.Held) != 1 || len(left.Collections) != 1 || !left.Balancer.Running {
		t.Errorf("before: got %+v", left)
	}
	perform(t, c, zones.ReleaseBalancing{Collection: ns})
	looks, migrating := 0, 0
	testkit.Eventually(t, time.Minute, "everything in its zone", func() bool {
		if left, err = c.Remaining(t.Context(), layout); err != nil {
			t.Fatal(err)
		}
		looks++
		migrating += len(left.Migrations)
		return left.Chunks == 0
	})
	if left.Documents != 0 || left.Bytes != 0 || left.Orphans != 1500 || len(left.Collections) != 0 {
		t.Errorf("after: got %+v", left)
	}
	t.Logf("%d looks, %d times a migration was under way", looks, migrating)
}
