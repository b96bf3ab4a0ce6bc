package plan_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/plan"
	"github.com/geoshard/geoshard/zones/zonestest"
)

// A keeping source knows what shards hold. It is asked for those that are to be empty, and for no
// others.
type keeping struct {
	quiet
	kept  zones.Kept
	err   error
	asked *[]topology.ShardID
}

func (k keeping) Kept(_ context.Context, shards []topology.ShardID) (*zones.Kept, error) {
	*k.asked = shards
	return &k.kept, k.err
}

func (keeping) Refused(err error) bool { return err == errHidden }

// unsharded is a collection that is not sharded.
func unsharded(name string, documents int64, on topology.ShardID) zones.Collection {
	size := zones.Size{Documents: documents, Bytes: 1000 * documents}
	return zones.Collection{Name: name, Exists: true, Primary: on, Sizes: map[topology.ShardID]zones.Size{on: size}}
}

// chunked is a sharded collection by {k: 1} with chunks from 0 to 10, from 10 to 20, and so on, on
// lon.
func chunked(name string, chunks int, change func(c *zones.Collection)) zones.Collection {
	sizes := map[topology.ShardID]zones.Size{"lon": {Documents: 7, Bytes: 900}}
	c := zones.Collection{Name: name, Exists: true, Sharded: true, Sizes: sizes}
	for i := range chunks {
		c.Chunks = append(c.Chunks, zones.Chunk{Min: bound(10 * i), Max: bound(10*i + 10), Shard: "lon"})
	}
	if change != nil {
		change(&c)
	}
	return c
}

func collections(c ...zones.Collection) zones.Kept { return zones.Kept{Collections: c} }

// bound is one of a collection that is sharded by {k: 1}.
func bound(k any) bson.Raw { return plan.Document(bson.D{{Key: "k", Value: k}}) }

// TestWhatDrainedShardsHold shows the findings about shards that are to be empty and are not by
// zones alone.
func TestWhatDrainedShardsHold(t *testing.T) {
	rangeOf := func(from, to int, zone topology.ZoneID) func(*zones.Collection) {
		return func(c *zones.Collection) {
			c.Ranges = append(c.Ranges, zones.Range{Min: bound(from), Max: bound(to), Zone: zone})
		}
	}
	series := unsharded("shop.weather", 0, "lon")
	series.TimeSeries = true
	encrypted := unsharded("shop.patients", 4, "lon")
	encrypted.Encrypted = true
	hidden := unsharded("shut.secret", 0, "lon")
	hidden.Sizes = nil
	databases := zones.Kept{Databases: []zones.Database{
		{Name: "it's", Primary: "lon", Unread: "no server answers"},
		{Name: "my-db", Primary: "lon"},
		{Name: "shop", Primary: "lon", Collections: []zones.Collection{
			unsharded(`shop.a "b"`, 2, "lon"), unsharded("shop.fs.chunks", 1, "lon"), encrypted, series,
		}},
		{Name: "shut", Primary: "lon", Collections: []zones.Collection{hidden}},
	}}
	old := func(s *zones.State) { s.Version = "6.0.5" }
	var got strings.Builder
	for _, c := range []struct {
		name  string
		in    func(*zones.State)
		kept  zones.Kept
		err   error
		asked string
	}{
		{name: "databases, 6.0", in: old, kept: databases, asked: "[lon]"},
		{name: "databases, 8.0", kept: databases, asked: "[lon]"},
		{name: "a collection with a shard of its own, 8.0", asked: "[lon]", kept: collections(zones.Collection{
			Name: "shop.moved", Exists: true, Chunks: []zones.Chunk{{Min: bound(plan.MinKey), Max: bound(plan.MaxKey), Shard: "lon"}},
		})},
		{name: "chunks of no zone", kept: collections(chunked("old.events", 3, nil)), asked: "[lon]"},
		{name: "chunks of a zone that leads elsewhere", kept: collections(chunked("old.events", 3, rangeOf(0, 20, "NYC"))), asked: "[lon]"},
		{name: "chunks of a zone that only this shard has", asked: "[lon]",
			in:   func(s *zones.State) { s.Shards[0].Zones = append(s.Shards[0].Zones, "OLD") },
			kept: collections(chunked("old.events", 3, rangeOf(0, 20, "OLD")))},
		{name: "a chunk that is too large, in a zone and in none", asked: "[lon]",
			kept: collections(chunked("old.events", 2, func(c *zones.Collection) {
				rangeOf(0, 10, "SYD")(c)
				c.Chunks[0].Jumbo, c.Chunks[1].Jumbo = true, true
			}))},
		{name: "a collection that the balancer leaves alone", asked: "[lon]",
			kept: collections(chunked("old.events", 1, func(c *zones.Collection) { c.NoBalance = true }))},
		{name: "gaps of a declared one", asked: "[lon]", kept: collections(zones.Collection{
			Name: "shop.carts", Exists: true, Sharded: true, Chunks: []zones.Chunk{
				{Min: plan.KeyDoc(plan.MinKey, plan.MinKey), Max: plan.KeyDoc("LON", plan.MinKey), Shard: "lon"},
				{Min: plan.KeyDoc("LON", plan.MinKey), Max: plan.KeyDoc("LON\x00", plan.MinKey), Shard: "lon"},
			},
		})},
		{name: "the shard is being removed", in: func(s *zones.State) { s.Shards[0].Draining = true }, asked: "[lon]",
			kept: zones.Kept{Databases: databases.Databases[1:2], Collections: []zones.Collection{chunked("old.events", 1, nil)}}},
		{name: "another one is being removed too", asked: "[lon nyc]",
			in: func(s *zones.State) { s.Shards[1].Draining = true }, kept: zones.Kept{Databases: databases.Databases[1:2]}},
		{name: "no shard stays", asked: "[lon nyc syd]",
			in: func(s *zones.State) { s.Shards[1].Draining, s.Shards[2].Draining = true, true }, kept: databases},
		{name: "the user may not look", err: errHidden, asked: "[lon]"},
	} {
		world := plan.SampleWorld(t)
		state := plan.SampleState(t, world)
		drained, _, err := plan.DrainDatacenter(world, state, "LON")
		if err != nil {
			t.Fatal(err)
		}
		state.Version = "8.0.4"
		if c.in != nil {
			c.in(state)
		}
		layout, err := plan.Want(drained, state, plan.Options{Prune: true})
		if err != nil {
			t.Fatal(err)
		}
		var asked []topology.ShardID
		source := keeping{quiet{zonestest.New(*state), &zonestest.Journal{}}, c.kept, c.err, &asked}
		found, err := plan.Drained(t.Context(), source, drained, state, layout)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if fmt.Sprint(asked) != c.asked {
			t.Errorf("%s: asked for %v, want %s", c.name, asked, c.asked)
		}
		fmt.Fprintf(&got, "== %s\n%s", c.name, plan.Listed(found))
		// A plan tells them too.
		made, err := plan.Make(t.Context(), source, drained, plan.Options{Prune: true}, noon)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if all := plan.Listed(made.Findings); !strings.Contains(all, plan.Listed(found)) {
			t.Errorf("%s: a plan finds\n%swant in it\n%s", c.name, all, plan.Listed(found))
		}
	}
	testkit.Golden(t, "testdata/drained.txt", got.String())
}

// TestNothingIsAskedWhereNoShardIsDrained: other people's clusters have shards in no zone that are
// to stay as they are.
func TestNothingIsAskedWhereNoShardIsDrained(t *testing.T) {
	world := plan.SampleWorld(t)
	world.Zones = world.Zones[:2]
	state := plan.SampleState(t, world)
	var asked []topology.ShardID
	source := keeping{quiet{zonestest.New(*state), &zonestest.Journal{}}, zones.Kept{}, errBroken, &asked}
	found, err := plan.Drained(t.Context(), source, world, state, zones.Layout{})
	if len(found) > 0 || err != nil || asked != nil {
		t.Errorf("got %v, %v, asked for %v", found, err, asked)
	}
}

// TestDrainedShardsAreThoseInNoZone: a zone that has a shard of a drained datacenter keeps it in
// use.
func TestDrainedShardsAreThoseInNoZone(t *testing.T) {
	world := plan.SampleWorld(t)
	state := plan.SampleState(t, world)
	drained, _, err := plan.DrainDatacenter(world, state, "LON")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(drained.DrainedShards()); got != "[lon]" {
		t.Errorf("got %s, want lon", got)
	}
	text, err := drained.Marshal()
	if err != nil || !strings.Contains(string(text), "drained: true") {
		t.Errorf("the file does not say that the datacenter is drained: %v\n%s", err, text)
	}
	drained.Zones = world.Zones
	if got := drained.DrainedShards(); len(got) > 0 {
		t.Errorf("got %v, want none while a zone has the shard", got)
	}
}
