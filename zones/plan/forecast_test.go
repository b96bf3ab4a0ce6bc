package plan

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/google/go-cmp/cmp"

	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// TestForecastOfAFirstPlan: a collection of one chunk, on one shard, gets its zones.
func TestForecastOfAFirstPlan(t *testing.T) {
	world := sampleWorld(t)
	state := sampleState(t, world)
	layout, err := Want(world, state, Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := carts(state)
	c.Ranges = nil
	c.Chunks = []zones.Chunk{{Min: shardkey.StartOf(c.Key, shardkey.MinKey), Max: shardkey.StartOf(c.Key, shardkey.MaxKey), Shard: "lon"}}
	c.Sizes = map[topology.ShardID]zones.Size{"lon": {Documents: 3000, Bytes: 900 << 20}}

	f := forecast(world, state, layout, 10<<20)
	want := []zones.Move{
		{Collection: "shop.carts", Zone: "NYC", From: "lon", To: "nyc", FromDC: "LON", ToDC: "NYC", Chunks: 1, Documents: 1000, Bytes: 300 << 20,
			Spans: []zones.Span{{Min: keyDoc("NYC", bson.MinKey{}), Max: keyDoc("NYC\x00", bson.MinKey{})}}},
		{Collection: "shop.carts", Zone: "SYD", From: "lon", To: "syd", FromDC: "LON", ToDC: "SYD", Chunks: 1, Documents: 1000, Bytes: 300 << 20,
			Spans: []zones.Span{{Min: keyDoc("SYD", bson.MinKey{}), Max: keyDoc("SYD\x00", bson.MinKey{})}}},
	}
	if diff := cmp.Diff(want, f.Moves); diff != "" {
		t.Errorf("moves: want -, got +:\n%s", diff)
	}
	if f.Documents != 2000 || f.Bytes != 600<<20 || f.Chunks != 2 || f.Measured {
		t.Errorf("got %d documents, %d bytes, %d chunks, measured %v; want 2000, %d, 2, false", f.Documents, f.Bytes, f.Chunks, f.Measured, 600<<20)
	}
	// 300 MB move in three pieces of at most 128 MB; lon gives both.
	if want := map[topology.ShardID]int{"lon": 6, "nyc": 3, "syd": 3}; !cmp.Equal(want, f.Migrations) {
		t.Errorf("migrations: got %v, want %v", f.Migrations, want)
	}
	if f.Duration != time.Minute {
		t.Errorf("600 MB at 10 MB/s: got %v, want 1m", f.Duration)
	}

	f.Moves[0].Bytes = 100 << 20
	f.Sum()
	if f.Bytes != 400<<20 || f.Duration != 40*time.Second || f.Migrations["lon"] != 4 {
		t.Errorf("measured: got %d bytes, %v and %d migrations of lon, want %d, 40s and 4", f.Bytes, f.Duration, f.Migrations["lon"], 400<<20)
	}
}

func TestNothingMovesWhereAllIsInItsZone(t *testing.T) {
	world := sampleWorld(t)
	state := sampleState(t, world)
	layout, err := Want(world, state, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if f := forecast(world, state, layout, 0); len(f.Moves) > 0 || f.Duration != 0 || f.Rate != DefaultRate {
		t.Errorf("got %v in %v at %v, want no move at the default rate", f.Moves, f.Duration, f.Rate)
	}
}

// number is the key of a collection whose shard key is {n: 1}.
func number1(n int) bson.Raw { return docOf(bson.D{{Key: "n", Value: int32(n)}}) }

// cutLine draws the borders of a line from 0 to end.
func cutLine(t *rapid.T, end int, label string) []int {
	cuts := rapid.SliceOfNDistinct(rapid.IntRange(1, end-1), 0, 12, rapid.ID).Draw(t, label)
	slices.Sort(cuts)
	return append(append([]int{0}, cuts...), end)
}

// TestEveryKeyOutsideItsZoneMovesOnce compares the walk over chunks and ranges with a look at each single key.
func TestEveryKeyOutsideItsZoneMovesOnce(t *testing.T) {
	checked := 0
	rapid.Check(t, func(t *rapid.T) {
		const end = 60
		shards := []topology.ShardID{"a", "b", "c"}
		members := map[topology.ZoneID][]topology.ShardID{"A": {"a"}, "BC": {"b", "c"}, "NONE": nil}
		c := zones.Collection{Name: "db.c", Sharded: true, Key: topology.Key{{Name: "n"}}}
		if rapid.Bool().Draw(t, "sized") {
			c.Sizes = map[topology.ShardID]zones.Size{"a": {Documents: 1000, Bytes: 100000}, "b": {Documents: 10, Bytes: 500}}
		}
		for borders := cutLine(t, end, "chunks"); len(borders) > 1; borders = borders[1:] {
			c.Chunks = append(c.Chunks, zones.Chunk{Min: number1(borders[0]), Max: number1(borders[1]), Shard: rapid.SampledFrom(shards).Draw(t, "owner")})
		}
		p := zones.Placement{Collection: c.Name, Key: c.Key}
		for borders := cutLine(t, end, "ranges"); len(borders) > 1; borders = borders[1:] {
			if zone := rapid.SampledFrom([]topology.ZoneID{"", "A", "BC", "NONE"}).Draw(t, "zone"); zone != "" {
				p.Ranges = append(p.Ranges, zones.Range{Min: number1(borders[0]), Max: number1(borders[1]), Zone: zone})
			}
		}
		moves := movesOf(c, p, members)
		for n := range end {
			checkKey(t, number1(n), c, p, members, moves)
			checked++
		}
		var documents, held int64
		for _, m := range moves {
			documents += m.Documents
		}
		for _, size := range c.Sizes {
			held += size.Documents
		}
		if slack := int64(len(moves)); documents > held+slack { // each move is rounded
			t.Fatalf("%d documents move of %d", documents, held)
		}
	})
	t.Logf("%d keys", checked)
}

func checkKey(t *rapid.T, key bson.Raw, c zones.Collection, p zones.Placement, members map[topology.ZoneID][]topology.ShardID, moves []zones.Move) {
	owner := ownersNow(c, key, key, true)[0]
	zone, zoned := p.ZoneOf(key)
	wantMove := zoned && len(members[zone]) > 0 && !slices.Contains(members[zone], owner)
	var found []zones.Move
	for _, m := range moves {
		for _, span := range m.Spans {
			if shardkey.CompareKeys(span.Min, key) <= 0 && shardkey.CompareKeys(key, span.Max) < 0 {
				found = append(found, m)
			}
		}
	}
	switch {
	case !wantMove && len(found) > 0, wantMove && len(found) != 1:
		t.Fatalf("key %v on %s, zone %q: found in %d moves, want a move: %v", key, owner, zone, len(found), wantMove)
	case wantMove && (found[0].From != owner || found[0].Zone != zone || !slices.Contains(members[zone], found[0].To)):
		t.Fatalf("key %v on %s, zone %s: moves from %s to %s for %s", key, owner, zone, found[0].From, found[0].To, found[0].Zone)
	}
}

// TestAZoneOfSeveralShardsFillsThemEvenly: the next chunk goes to the shard with the fewest bytes.
func TestAZoneOfSeveralShardsFillsThemEvenly(t *testing.T) {
	c := zones.Collection{Name: "db.c", Sharded: true, Key: topology.Key{{Name: "n"}}, Sizes: map[topology.ShardID]zones.Size{"a": {Documents: 1000, Bytes: 1000}, "b": {Documents: 0, Bytes: 0}, "c": {Documents: 500, Bytes: 500}}}
	for n := range 10 {
		c.Chunks = append(c.Chunks, zones.Chunk{Min: number1(n), Max: number1(n + 1), Shard: "a"})
	}
	c.Chunks = append(c.Chunks, zones.Chunk{Min: number1(10), Max: number1(11), Shard: "c"})
	p := zones.Placement{Collection: c.Name, Key: c.Key, Ranges: []zones.Range{{Min: number1(0), Max: number1(11), Zone: "BC"}}}
	got := map[topology.ShardID]int64{}
	for _, m := range movesOf(c, p, map[topology.ZoneID][]topology.ShardID{"BC": {"b", "c"}}) {
		got[m.To] = m.Bytes
	}
	// b starts with nothing, c with 500: 1000 more make 700 to 800 on each.
	if want := map[topology.ShardID]int64{"b": 800, "c": 200}; !cmp.Equal(want, got) && !cmp.Equal(map[topology.ShardID]int64{"b": 700, "c": 300}, got) {
		t.Errorf("got %v, want %v or one chunk less for b", got, want)
	}
}

// TestTargeting: which datacenters a query for one value asks, before and after a plan.
func TestTargeting(t *testing.T) {
	world := sampleWorld(t)
	var got strings.Builder
	show := func(name string, in func(*zones.State), o Options) {
		state := sampleState(t, world)
		in(state)
		layout, err := Want(world, state, o)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&got, "== %s\n", name)
		for _, target := range targeting(world, state, diffLayouts(state, layout, nil, o).result) {
			fmt.Fprintf(&got, "%s %s (zone %s): %v, then %v\n", target.Collection, target.Value, target.Zone, target.Before, target.After)
		}
	}
	loosen := func(s *zones.State) {
		c := carts(s)
		c.Ranges[0].Max = keyDoc("LON", bson.MaxKey{})
		c.Chunks[1].Max, c.Chunks[2].Min, c.Chunks[2].Shard = c.Ranges[0].Max, c.Ranges[0].Max, "syd"
	}
	show("all in place", func(*zones.State) {}, Options{})
	show("all in one chunk", func(s *zones.State) {
		c := carts(s)
		c.Ranges, c.Chunks = nil, []zones.Chunk{{Min: shardkey.StartOf(c.Key, shardkey.MinKey), Max: shardkey.StartOf(c.Key, shardkey.MaxKey), Shard: "lon"}}
	}, Options{})
	show("a loose end is kept", loosen, Options{})
	show("a loose end is tightened", loosen, Options{Tighten: true})
	show("unsharded", func(s *zones.State) {
		c := carts(s)
		c.Sharded, c.Key, c.Chunks, c.Ranges = false, nil, nil, nil
	}, Options{})
	show("missing", func(s *zones.State) { s.Collections = nil }, Options{Shard: true})
	testkit.Golden(t, "testdata/targeting.txt", got.String())
}

// TestForecastGrowsWithTheCatalogue: four times the chunks and ranges take about four times as long, not sixteen. BenchmarkForecast has the time for 100,000
// chunks and 10,000 ranges.
func TestForecastGrowsWithTheCatalogue(t *testing.T) {
	testkit.Measures(t)
	few, many := forecaster(t, 8_000, 800), forecaster(t, 32_000, 3_200)
	// The least of many turns, one after the other: whatever else the machine does, some of each are left in peace.
	small, large := few(), many()
	for range 40 {
		small, large = min(small, few()), min(large, many())
	}
	t.Logf("%v, then %v", small, large)
	if large > 10*small {
		t.Errorf("got %v for four times of what takes %v", large, small)
	}
}

// forecaster measures a forecast.
func forecaster(t *testing.T, chunks, ranges int) func() time.Duration {
	t.Helper()
	world, state, layout := largeSample(t, chunks, ranges)
	return func() time.Duration {
		start := time.Now()
		f := forecast(world, state, layout, 0)
		took := time.Since(start)
		if f.Chunks < chunks/2 {
			t.Fatalf("%d of %d chunks move: the sample is too easy", f.Chunks, chunks)
		}
		return took
	}
}

// largeSample is a collection whose chunks lie on shards in turn.
func largeSample(t testing.TB, chunks, ranges int) (*topology.Topology, *zones.State, zones.Layout) {
	t.Helper()
	world := sampleWorld(t)
	state := sampleState(t, world)
	shards := []topology.ShardID{"lon", "nyc", "syd"}
	ids := []topology.ZoneID{"LON", "NYC", "SYD"}
	c := zones.Collection{Name: "shop.carts", Exists: true, Sharded: true, Key: topology.Key{{Name: "dataCenter"}, {Name: "cartId"}},
		Sizes: map[topology.ShardID]zones.Size{"lon": {Documents: 1e9, Bytes: 1e12}, "nyc": {Documents: 1e9, Bytes: 1e12}, "syd": {Documents: 1e9, Bytes: 1e12}}}
	value := func(i int) string { return fmt.Sprintf("value-%06d", i) }
	end := shardkey.StartOf(c.Key, shardkey.MinKey)
	for i := range chunks {
		next := keyDoc(value(i*ranges/chunks), i)
		if i == chunks-1 {
			next = shardkey.StartOf(c.Key, shardkey.MaxKey)
		}
		c.Chunks = append(c.Chunks, zones.Chunk{Min: end, Max: next, Shard: shards[i%3]})
		end = next
	}
	world.Namespaces[0].OnlyRanges = true
	p := zones.Placement{Collection: c.Name, Key: c.Key}
	for i := range ranges {
		v := topology.StringOf(value(i))
		world.Namespaces[0].Ranges = append(world.Namespaces[0].Ranges, topology.Range{Zone: ids[i%3], Values: []topology.Value{v}})
		p.Ranges = append(p.Ranges, zones.Range{Min: shardkey.StartOf(c.Key, shardkey.ValueOf(v)), Max: keyDoc(value(i)+"\x00", bson.MinKey{}), Zone: ids[i%3]})
	}
	state.Collections = []zones.Collection{c}
	layout := state.Layout()
	layout.Collections = []zones.Placement{p}
	return world, state, layout
}

func BenchmarkForecast(b *testing.B) {
	world, state, layout := largeSample(b, 100_000, 10_000)
	for b.Loop() {
		forecast(world, state, layout, 0)
	}
}

func TestSpansOfNeighboursAreOne(t *testing.T) {
	spans := appendSpan(nil, number1(1), number1(2))
	spans = appendSpan(spans, number1(2), number1(3))
	spans = appendSpan(spans, number1(4), number1(5))
	if len(spans) != 2 || !bytes.Equal(spans[0].Max, number1(3)) {
		t.Errorf("got %v, want 1 to 3 and 4 to 5", spans)
	}
}
