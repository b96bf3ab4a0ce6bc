package plan

import (
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// TestManualWork is what the user reads about collections that geoshard does not touch by itself.
func TestManualWork(t *testing.T) {
	var got strings.Builder
	for _, s := range []flaw{
		{"sharded by a zone key", func(*topology.Topology, *zones.State) {}},
		{"sharded by another key", func(_ *topology.Topology, s *zones.State) {
			carts(s).Key, carts(s).Unique, carts(s).Ranges = topology.Key{{Name: "cartId"}}, true, nil
		}},
		{"sharded by a hashed key, size unknown", func(w *topology.Topology, s *zones.State) {
			carts(s).Key, carts(s).Ranges, carts(s).Sizes = topology.Key{{Name: "_id", Hashed: true}}, nil, nil
		}},
		{"values of many types", func(w *topology.Topology, s *zones.State) {
			carts(s).Key = topology.Key{{Name: "cartId"}}
			w.Namespaces[0].Key = topology.Key{{Name: `a.b"`}, {Name: "cartId", Hashed: true}}
			w.Namespaces[0].ZoneBy, w.Namespaces[0].OnlyRanges = `a.b"`, true
			w.Namespaces[0].Ranges = []topology.Range{{Zone: "LON", Values: []topology.Value{
				topology.IntegerOf(7), topology.FloatOf(1.5), topology.StringOf("quo\"te\u2028"), topology.UUIDOf([16]byte{15: 1}), topology.ObjectIDOf([12]byte{11: 1})}}}
		}},
		{"unsharded, with documents", func(_ *topology.Topology, s *zones.State) {
			c := carts(s)
			c.Sharded, c.Key, c.Chunks, c.Ranges = false, nil, nil, nil
			c.Sizes = map[topology.ShardID]zones.Size{"lon": {Documents: 5e6, Bytes: 25e9}}
		}},
		{"unsharded, with documents and the index, size unknown", func(_ *topology.Topology, s *zones.State) {
			c := carts(s)
			c.Sharded, c.Key, c.Chunks, c.Ranges, c.Sizes = false, nil, nil, nil, nil
			c.Indexes = append(c.Indexes, zones.Index{Name: "key", Key: bson.D{{Key: "dataCenter", Value: 1}, {Key: "cartId", Value: 1}, {Key: "at", Value: -1}}})
		}},
		{"unsharded and empty", func(_ *topology.Topology, s *zones.State) {
			c := carts(s)
			c.Sharded, c.Key, c.Chunks, c.Ranges, c.Sizes = false, nil, nil, nil, map[topology.ShardID]zones.Size{}
		}},
		{"missing", func(_ *topology.Topology, s *zones.State) { s.Collections = nil }},
		{"unsharded, and declared by a pattern", func(w *topology.Topology, s *zones.State) {
			w.Namespaces[0].Name = "shop.*"
			carts(s).Sharded, carts(s).Key = false, nil
		}},
	} {
		world := sampleWorld(t)
		state := sampleState(t, world)
		s.in(world, state)
		fmt.Fprintf(&got, "== %s\n", s.name)
		work := manual(world, state, Options{Rate: 50e6})
		for _, m := range work {
			fmt.Fprintf(&got, "%s: %s\n%s\n(%s)\n", m.Collection, m.Why, strings.Join(m.Commands, "\n"), m.Needs)
		}
		if len(work) == 0 {
			got.WriteString("(nothing)\n")
		}
	}
	testkit.Golden(t, "testdata/manual.txt", got.String())
}

// TestABackfillDoesNotRunAsItIs: the rule is a name that mongosh does not know, so nothing is written before the operator has put one in.
func TestABackfillDoesNotRunAsItIs(t *testing.T) {
	commands := backfill(sampleWorld(t).Namespaces[0], zones.Collection{Name: "shop.carts"})
	lines := strings.Split(commands[0], "\n")
	if got, want := lines[len(lines)-1], "var rule = PLACEHOLDER"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if batches := commands[3]; !strings.Contains(batches, "{$set: {\"dataCenter\": rule}}") {
		t.Errorf("the batches do not use the rule: %s", batches)
	}
}
