package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/plan"
	"github.com/geoshard/geoshard/zones/zonestest"
)

// Plans of the reference world against clusters that differ from it in one way; testdata/plans.txt is what the user reads.
func TestPlansReadWell(t *testing.T) {
	usual := func(c *zones.Collection) {
		for i, r := range c.Ranges {
			v, _ := shardkey.SingleValue(c.Key, r.Min, r.Max)
			c.Ranges[i].Max = plan.KeyOfTwo(c.Key, v, plan.MaxKey)
		}
	}
	carts := func(do func(*zones.Collection)) func(*topology.Topology, *zones.State) {
		return func(_ *topology.Topology, s *zones.State) {
			s.Collections[0].Ranges = slices.Clone(s.Collections[0].Ranges)
			do(&s.Collections[0])
		}
	}
	// Behind a primary shard that owns no chunks, as a version of the server has it.
	hidden := func(version string) func(*topology.Topology, *zones.State) {
		return func(w *topology.Topology, s *zones.State) {
			s.Version = version
			carts(func(c *zones.Collection) {
				c.Validator, c.Primary = nil, "syd"
				c.Chunks = slices.DeleteFunc(slices.Clone(c.Chunks), func(chunk zones.Chunk) bool { return chunk.Shard == "syd" })
			})(w, s)
		}
	}
	theirs := plan.Document(bson.D{{Key: "total", Value: bson.D{{Key: "$gte", Value: 0}}}})
	var got strings.Builder
	for _, c := range []struct {
		name    string
		options plan.Options
		applied bool
		change  func(*topology.Topology, *zones.State)
	}{
		{"a new cluster", plan.Options{Shard: true}, false, func(_ *topology.Topology, s *zones.State) {
			s.Collections = nil
			for i := range s.Shards {
				s.Shards[i].Zones = nil
			}
		}},
		{"a new cluster, without sharding", plan.Options{}, false, func(_ *topology.Topology, s *zones.State) { s.Collections = nil }},
		{"the usual ends are left alone", plan.Options{}, false, carts(usual)},
		{"the usual ends are tightened when asked", plan.Options{Tighten: true}, false, carts(usual)},
		{"a range of another zone", plan.Options{}, false, carts(func(c *zones.Collection) { c.Ranges[0].Zone = "SYD" })},
		{"a range that somebody gave to another zone", plan.Options{}, true, carts(func(c *zones.Collection) { c.Ranges[0].Zone = "SYD" })},
		{"a range that somebody removed", plan.Options{}, true, carts(func(c *zones.Collection) { c.Ranges = c.Ranges[1:] })},
		{"the operator has stopped balancing", plan.Options{}, false, carts(func(c *zones.Collection) { c.Ranges[0].Zone, c.NoBalance = "SYD", true })},
		{"a range that nobody declared", plan.Options{}, true, carts(func(c *zones.Collection) {
			c.Ranges = append(c.Ranges, zones.Range{Min: plan.KeyDoc("TKO", bson.MinKey{}), Max: plan.KeyDoc("TKO", bson.MaxKey{}), Zone: "SYD"})
		})},
		{"a range that nobody declared, pruned", plan.Options{Prune: true}, true, carts(func(c *zones.Collection) {
			c.Ranges = append(c.Ranges, zones.Range{Min: plan.KeyDoc("TKO", bson.MinKey{}), Max: plan.KeyDoc("TKO", bson.MaxKey{}), Zone: "SYD"})
		})},
		{"a range in the way", plan.Options{}, false, carts(func(c *zones.Collection) {
			c.Ranges = []zones.Range{{Min: plan.KeyDoc("A", bson.MinKey{}), Max: plan.KeyDoc("ZZ", bson.MinKey{}), Zone: "LON"}}
		})},
		{"a shard in the wrong zone", plan.Options{Prune: true}, true, func(_ *topology.Topology, s *zones.State) {
			s.Shards[0].Zones, s.Shards[1].Zones = []topology.ZoneID{"NYC"}, []topology.ZoneID{"LON", "NYC"}
		}},
		{"a validator that the primary shard hides", plan.Options{}, true, hidden("6.0.5")},
		{"a validator that the primary shard of 6.0.27 does not hide", plan.Options{}, true, hidden("6.0.27")},
		{"a validator that the primary shard of 7.0.14 may hide", plan.Options{}, true, hidden("7.0.14")},
		{"a validator that the primary shard of 8.0 does not hide", plan.Options{}, true, hidden("8.0.4")},
		{"somebody else's validator", plan.Options{}, false, carts(func(c *zones.Collection) { c.Validator, c.ValidationAction = theirs, "warn" })},
		{"nothing is refused any more", plan.Options{}, false, func(w *topology.Topology, s *zones.State) {
			layout, _ := plan.Want(w, s, plan.Options{})
			s.Collections[0].Validator = plan.AllOf(theirs, layout.Collections[0].Reject)
			w.Namespaces[0].Unknown = topology.UnknownReport
		}},
		{"another later field", plan.Options{}, false, func(w *topology.Topology, _ *zones.State) {
			w.Namespaces[0].Key = topology.Key{{Name: "dataCenter"}, {Name: "orderId"}}
		}},
		{"gaps to a zone", plan.Options{}, false, func(w *topology.Topology, _ *zones.State) {
			w.Namespaces[0].Unknown, w.Namespaces[0].UnknownZone = topology.UnknownToZone, "SYD"
		}},
		{"every kind of value", plan.Options{}, false, func(w *topology.Topology, s *zones.State) {
			s.Collections[0].Ranges = nil
			w.Namespaces[0].OnlyRanges = true
			w.Namespaces[0].Ranges = []topology.Range{
				{Zone: "NYC", Values: []topology.Value{topology.IntegerOf(5), topology.FloatOf(0.5), topology.UUIDOf([16]byte{1}), topology.ObjectIDOf([12]byte{1})}},
				{Zone: "LON", From: new(topology.StringOf("A")), To: new(topology.StringOf("M"))},
				{Zone: "SYD", From: new(topology.DateOf(noon)), To: new(topology.DateOf(noon.AddDate(1, 0, 0)))},
			}
		}},
	} {
		w := plan.SampleWorld(t)
		s := plan.SampleState(t, w)
		var applied *zones.Layout
		if c.applied {
			layout, err := plan.Want(w, s, c.options)
			if err != nil {
				t.Fatal(err)
			}
			applied = &layout
		}
		if c.name != "somebody else's validator" && c.name != "a new cluster" {
			layout, _ := plan.Want(w, s, c.options)
			s.Collections[0].Validator = layout.Collections[0].Reject
		}
		c.change(w, s)
		made, err := plan.New(w, s, applied, c.options, noon)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		fmt.Fprintf(&got, "== %s\n", c.name)
		for _, step := range made.Steps {
			fmt.Fprintf(&got, "%s\n    %s: %s\n", step.Change, step.Cause, step.Reason)
		}
		if made.Empty() {
			got.WriteString("(no change)\n")
		}
		want, err := plan.Want(w, s, c.options)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range plan.FindingsOf(s, w, want, applied, c.options) {
			fmt.Fprintf(&got, "%s: %s: %s\n", f.Severity, f.Subject, f.Message)
		}
		if err := performSteps(t.Context(), zonestest.New(*s), made.Steps); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	testkit.Golden(t, "testdata/plans.txt", got.String())
}
