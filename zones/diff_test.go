package zones

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
)

// Plans of the reference world against clusters that differ from it in one way; testdata/plans.txt is what the user reads.
func TestPlansReadWell(t *testing.T) {
	usual := func(c *Collection) {
		for i, r := range c.Ranges {
			v, _ := r.single(c.Key)
			c.Ranges[i].Max = keyOfTwo(c.Key, v, maxKey)
		}
	}
	carts := func(do func(*Collection)) func(*topology.Topology, *State) {
		return func(_ *topology.Topology, s *State) {
			s.Collections[0].Ranges = slices.Clone(s.Collections[0].Ranges)
			do(&s.Collections[0])
		}
	}
	theirs := doc(bson.D{{Key: "total", Value: bson.D{{Key: "$gte", Value: 0}}}})
	var got strings.Builder
	for _, c := range []struct {
		name    string
		options PlanOptions
		applied bool
		change  func(*topology.Topology, *State)
	}{
		{"a new cluster", PlanOptions{Shard: true}, false, func(_ *topology.Topology, s *State) {
			s.Collections = nil
			for i := range s.Shards {
				s.Shards[i].Zones = nil
			}
		}},
		{"a new cluster, without sharding", PlanOptions{}, false, func(_ *topology.Topology, s *State) { s.Collections = nil }},
		{"the usual ends are left alone", PlanOptions{}, false, carts(usual)},
		{"the usual ends are tightened when asked", PlanOptions{Tighten: true}, false, carts(usual)},
		{"a range of another zone", PlanOptions{}, false, carts(func(c *Collection) { c.Ranges[0].Zone = "SYD" })},
		{"a range that somebody gave to another zone", PlanOptions{}, true, carts(func(c *Collection) { c.Ranges[0].Zone = "SYD" })},
		{"a range that somebody removed", PlanOptions{}, true, carts(func(c *Collection) { c.Ranges = c.Ranges[1:] })},
		{"the operator has stopped balancing", PlanOptions{}, false, carts(func(c *Collection) { c.Ranges[0].Zone, c.NoBalance = "SYD", true })},
		{"a range that nobody declared", PlanOptions{}, true, carts(func(c *Collection) {
			c.Ranges = append(c.Ranges, Range{keyDoc("TKO", bson.MinKey{}), keyDoc("TKO", bson.MaxKey{}), "SYD"})
		})},
		{"a range that nobody declared, pruned", PlanOptions{Prune: true}, true, carts(func(c *Collection) {
			c.Ranges = append(c.Ranges, Range{keyDoc("TKO", bson.MinKey{}), keyDoc("TKO", bson.MaxKey{}), "SYD"})
		})},
		{"a range in the way", PlanOptions{}, false, carts(func(c *Collection) {
			c.Ranges = []Range{{keyDoc("A", bson.MinKey{}), keyDoc("ZZ", bson.MinKey{}), "LON"}}
		})},
		{"a shard in the wrong zone", PlanOptions{Prune: true}, true, func(_ *topology.Topology, s *State) {
			s.Shards[0].Zones, s.Shards[1].Zones = []topology.ZoneID{"NYC"}, []topology.ZoneID{"LON", "NYC"}
		}},
		{"a validator that the primary shard hides", PlanOptions{}, true, carts(func(c *Collection) {
			c.Validator, c.Primary = nil, "syd"
			c.Chunks = slices.DeleteFunc(slices.Clone(c.Chunks), func(chunk Chunk) bool { return chunk.Shard == "syd" })
		})},
		{"somebody else's validator", PlanOptions{}, false, carts(func(c *Collection) { c.Validator, c.ValidationAction = theirs, "warn" })},
		{"nothing is refused any more", PlanOptions{}, false, func(w *topology.Topology, s *State) {
			layout, _ := Want(w, s, PlanOptions{})
			s.Collections[0].Validator = allOf(theirs, layout.Collections[0].Reject)
			w.Namespaces[0].Unknown = topology.UnknownReport
		}},
		{"another later field", PlanOptions{}, false, func(w *topology.Topology, _ *State) {
			w.Namespaces[0].Key = topology.Key{{Name: "dataCenter"}, {Name: "orderId"}}
		}},
		{"gaps to a zone", PlanOptions{}, false, func(w *topology.Topology, _ *State) {
			w.Namespaces[0].Unknown, w.Namespaces[0].UnknownZone = topology.UnknownToZone, "SYD"
		}},
		{"every kind of value", PlanOptions{}, false, func(w *topology.Topology, s *State) {
			s.Collections[0].Ranges = nil
			w.Namespaces[0].OnlyRanges = true
			w.Namespaces[0].Ranges = []topology.Range{
				{Zone: "NYC", Values: []topology.Value{topology.IntegerOf(5), topology.FloatOf(0.5), topology.UUIDOf([16]byte{1}), topology.ObjectIDOf([12]byte{1})}},
				{Zone: "LON", From: pointer(topology.StringOf("A")), To: pointer(topology.StringOf("M"))},
				{Zone: "SYD", From: pointer(topology.DateOf(now)), To: pointer(topology.DateOf(now.AddDate(1, 0, 0)))},
			}
		}},
	} {
		w := sampleWorld(t)
		s := sampleState(t, w)
		var applied *Layout
		if c.applied {
			layout, err := Want(w, s, c.options)
			if err != nil {
				t.Fatal(err)
			}
			applied = &layout
		}
		if c.name != "somebody else's validator" && c.name != "a new cluster" {
			layout, _ := Want(w, s, c.options)
			s.Collections[0].Validator = layout.Collections[0].Reject
		}
		c.change(w, s)
		plan, err := NewPlan(w, s, applied, c.options, now)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		fmt.Fprintf(&got, "== %s\n", c.name)
		for _, step := range plan.Steps {
			fmt.Fprintf(&got, "%s\n    %s: %s\n", step.Change, step.Cause, step.Reason)
		}
		if plan.Empty() {
			got.WriteString("(no change)\n")
		}
		for _, f := range slices.Concat(diffLayouts(s, must(Want(w, s, c.options)), applied, c.options).findings, otherKeys(w, s)) {
			fmt.Fprintf(&got, "%s: %s: %s\n", f.Severity, f.Subject, f.Message)
		}
		if err := newModel(s).performAll(plan.Steps); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	sameAsFile(t, "testdata/plans.txt", got.String())
}

func must(l Layout, err error) Layout {
	if err != nil {
		panic(err)
	}
	return l
}

// A pattern is about the collections of its database that have its key and no namespace of their own.
func TestPatternsCoverWhatHasTheirKey(t *testing.T) {
	w := sampleWorld(t)
	all := w.Namespaces[0]
	all.Name = "shop.*"
	w.Namespaces = append(w.Namespaces, all)
	s := sampleState(t, w)
	other := topology.Key{{Name: "customer"}}
	add := func(name string, c Collection) {
		c.Name, c.Exists = name, true
		s.Collections = append(s.Collections, c)
	}
	add("shop.orders", Collection{Sharded: true, Key: all.Key})
	add("shop.customers", Collection{Sharded: true, Key: other})
	add("shop.today", Collection{View: true})
	add("shop.new", Collection{Sizes: map[topology.ShardID]Size{"nyc": {}}})
	add("shop.old", Collection{Sizes: map[topology.ShardID]Size{"nyc": {1, 100}}})
	add("stock.orders", Collection{Sharded: true, Key: all.Key})
	for _, c := range []struct {
		shard bool
		want  []string
	}{{false, []string{"shop.carts", "shop.orders"}}, {true, []string{"shop.carts", "shop.new", "shop.orders"}}} {
		layout, err := Want(w, s, PlanOptions{Shard: c.shard})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range layout.Collections {
			got = append(got, p.Collection)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("shard = %t: got %v, want %v", c.shard, got, c.want)
		}
	}
}

func TestStateHashSeesWhatPlansDependOn(t *testing.T) {
	w := sampleWorld(t)
	base := sampleState(t, w).Hash()
	for name, change := range map[string]func(*State){
		"a shard's zones": func(s *State) { s.Shards[0].Zones = nil },
		"a range's zone":  func(s *State) { s.Collections[0].Ranges[0].Zone = "SYD" },
		"a range's bound": func(s *State) { s.Collections[0].Ranges[0].Max = keyDoc("LON", bson.MaxKey{}) },
		"a range less":    func(s *State) { s.Collections[0].Ranges = s.Collections[0].Ranges[1:] },
		"the key":         func(s *State) { s.Collections[0].Key = s.Collections[0].Key[:1] },
		"held":            func(s *State) { s.Collections[0].NoBalance = true },
		"the validator":   func(s *State) { s.Collections[0].Validator = doc(bson.D{{Key: "a", Value: 1}}) },
		"sharded":         func(s *State) { s.Collections[0].Sharded = false },
		"the cluster":     func(s *State) { s.ClusterID = "other" },
		"another sharded one": func(s *State) {
			s.Collections = append(s.Collections, Collection{Name: "shop.z", Exists: true, Sharded: true})
		},
		"zones named differently": func(s *State) { s.Shards[0].Zones = []topology.ZoneID{"LON NYC"} },
	} {
		s := sampleState(t, w)
		change(s)
		if s.Hash() == base {
			t.Errorf("%s: the hash did not change", name)
		}
	}
	for name, change := range map[string]func(*State){
		"chunks":          func(s *State) { s.Collections[0].Chunks[0].Shard = "syd" },
		"sizes":           func(s *State) { s.Collections[0].Sizes = nil },
		"time":            func(s *State) { s.Taken = now },
		"the balancer":    func(s *State) { s.Balancer.Running = false },
		"a new plain one": func(s *State) { s.Collections = append(s.Collections, Collection{Name: "shop.z", Exists: true}) },
	} {
		s := sampleState(t, w)
		change(s)
		if s.Hash() != base {
			t.Errorf("%s: the hash changed", name)
		}
	}
}

// Whatever validator there was, our part goes in and out of it without a trace.
func TestOurPartOfAValidatorComesAndGoes(t *testing.T) {
	ours := rejection("a.b", []stretch{pointOf(topology.StringOf("X"), "X"), {from: minKey, to: stringValue("M"), zone: "Y"}})
	newer := rejection("a.b", []stretch{{from: stringValue("M"), to: maxKey, zone: "Y"}})
	theirs := doc(bson.D{{Key: "total", Value: bson.D{{Key: "$gte", Value: 0}}}})
	schema := doc(bson.D{{Key: "$jsonSchema", Value: bson.D{{Key: "title", Value: "carts"}}}})
	for name, v := range map[string]bson.Raw{
		"none": nil, "theirs": theirs, "a schema": schema, "$and of one": allOf(theirs), "$and of two": allOf(theirs, schema), "$and and more": doc(bson.D{{Key: "$and", Value: bson.A{theirs}}, {Key: "x", Value: 1}}),
		"$and of no list": doc(bson.D{{Key: "$and", Value: 1}}), "$or": doc(bson.D{{Key: "$or", Value: bson.A{theirs, schema}}}),
	} {
		c := Collection{Name: "shop.carts", Exists: true, Validator: v}
		for _, want := range []bson.Raw{ours, newer, newer, nil} {
			change, _ := validatorStep(c, want)
			if change.Collection != "" {
				c.Validator = change.Validator
			}
			if found, rest := splitValidator(c.Validator); !bytes.Equal(found, want) || !bytes.Equal(rest, v) {
				t.Errorf("%s: got our part %v and %v, want %v and %v", name, found, rest, want, v)
			}
			if _, again := validatorStep(c, want); again {
				t.Errorf("%s: a second step for the same part", name)
			}
		}
		if !bytes.Equal(c.Validator, v) {
			t.Errorf("%s: got %v in the end", name, c.Validator)
		}
	}
}
