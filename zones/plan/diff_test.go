package plan

import (
	"bytes"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// A pattern is about the collections of its database that have its key and no namespace of their own.
func TestPatternsCoverWhatHasTheirKey(t *testing.T) {
	w := sampleWorld(t)
	all := w.Namespaces[0]
	all.Name = "shop.*"
	w.Namespaces = append(w.Namespaces, all)
	s := sampleState(t, w)
	other := topology.Key{{Name: "customer"}}
	add := func(name string, c zones.Collection) {
		c.Name, c.Exists = name, true
		s.Collections = append(s.Collections, c)
	}
	add("shop.orders", zones.Collection{Sharded: true, Key: all.Key})
	add("shop.customers", zones.Collection{Sharded: true, Key: other})
	add("shop.today", zones.Collection{View: true})
	add("shop.new", zones.Collection{Sizes: map[topology.ShardID]zones.Size{"nyc": {}}})
	add("shop.old", zones.Collection{Sizes: map[topology.ShardID]zones.Size{"nyc": {Documents: 1, Bytes: 100}}})
	add("stock.orders", zones.Collection{Sharded: true, Key: all.Key})
	for _, c := range []struct {
		shard bool
		want  []string
	}{{false, []string{"shop.carts", "shop.orders"}}, {true, []string{"shop.carts", "shop.new", "shop.orders"}}} {
		layout, err := Want(w, s, Options{Shard: c.shard})
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
	for name, change := range map[string]func(*zones.State){
		"a shard's zones": func(s *zones.State) { s.Shards[0].Zones = nil },
		"a range's zone":  func(s *zones.State) { s.Collections[0].Ranges[0].Zone = "SYD" },
		"a range's bound": func(s *zones.State) { s.Collections[0].Ranges[0].Max = keyDoc("LON", bson.MaxKey{}) },
		"a range less":    func(s *zones.State) { s.Collections[0].Ranges = s.Collections[0].Ranges[1:] },
		"the key":         func(s *zones.State) { s.Collections[0].Key = s.Collections[0].Key[:1] },
		"held":            func(s *zones.State) { s.Collections[0].NoBalance = true },
		"the validator":   func(s *zones.State) { s.Collections[0].Validator = docOf(bson.D{{Key: "a", Value: 1}}) },
		"sharded":         func(s *zones.State) { s.Collections[0].Sharded = false },
		"the cluster":     func(s *zones.State) { s.ClusterID = "other" },
		"another sharded one": func(s *zones.State) {
			s.Collections = append(s.Collections, zones.Collection{Name: "shop.z", Exists: true, Sharded: true})
		},
		"zones named differently": func(s *zones.State) { s.Shards[0].Zones = []topology.ZoneID{"LON NYC"} },
	} {
		s := sampleState(t, w)
		change(s)
		if s.Hash() == base {
			t.Errorf("%s: the hash did not change", name)
		}
	}
	for name, change := range map[string]func(*zones.State){
		"chunks":       func(s *zones.State) { s.Collections[0].Chunks[0].Shard = "syd" },
		"sizes":        func(s *zones.State) { s.Collections[0].Sizes = nil },
		"time":         func(s *zones.State) { s.Taken = now },
		"the balancer": func(s *zones.State) { s.Balancer.Running = false },
		"a new plain one": func(s *zones.State) {
			s.Collections = append(s.Collections, zones.Collection{Name: "shop.z", Exists: true})
		},
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
	middle := topology.StringOf("M")
	ours := zones.Rejection("a.b", []topology.Range{{Zone: "X", Values: []topology.Value{topology.StringOf("X")}}, {Zone: "Y", To: &middle}})
	newer := zones.Rejection("a.b", []topology.Range{{Zone: "Y", From: &middle}})
	theirs := docOf(bson.D{{Key: "total", Value: bson.D{{Key: "$gte", Value: 0}}}})
	schema := docOf(bson.D{{Key: "$jsonSchema", Value: bson.D{{Key: "title", Value: "carts"}}}})
	for name, v := range map[string]bson.Raw{
		"none": nil, "theirs": theirs, "a schema": schema, "$and of one": conjunctionOf(theirs), "$and of two": conjunctionOf(theirs, schema), "$and and more": docOf(bson.D{{Key: "$and", Value: bson.A{theirs}}, {Key: "x", Value: 1}}),
		"$and of no list": docOf(bson.D{{Key: "$and", Value: 1}}), "$or": docOf(bson.D{{Key: "$or", Value: bson.A{theirs, schema}}}),
	} {
		c := zones.Collection{Name: "shop.carts", Exists: true, Validator: v}
		for _, want := range []bson.Raw{ours, newer, newer, nil} {
			change, _ := validatorStep(c, want)
			if change.Collection != "" {
				c.Validator = bson.Raw(change.Validator)
			}
			if found, rest := zones.SplitValidator(c.Validator); !bytes.Equal(found, want) || !bytes.Equal(rest, v) {
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
