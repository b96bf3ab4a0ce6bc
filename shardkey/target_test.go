package shardkey

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/internal/testkit"
)

func TestKeyOf(t *testing.T) {
	pattern, err := ParsePattern(document(t, bson.D{{Key: "a.b", Value: 1}, {Key: "c", Value: 1}}))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		doc  string
		want string // "" = refused
	}{
		{`{"a": {"b": 1}, "c": "x"}`, `{"a.b": 1, "c": "x"}`},
		{`{"c": {"d": [1]}}`, `{"a.b": null, "c": {"d": [1]}}`},
		{`{"a": 5}`, `{"a.b": null, "c": null}`}, // a scalar on the way
		{`{"a": [{"b": 1}]}`, ``},
		{`{"a": {"b": [1]}}`, ``},
		{`{"c": []}`, ``},
		{`{"a.b": 1}`, `{"a.b": null, "c": null}`}, // a literal dot is no path
	} {
		var doc, want bson.D
		parse(t, test.doc, &doc)
		got, err := pattern.KeyOf(document(t, doc))
		if test.want == "" {
			if !errors.Is(err, ErrArrayInKey) {
				t.Errorf("KeyOf(%s) = %s, %v, want ErrArrayInKey", test.doc, got, err)
			}
			continue
		}
		parse(t, test.want, &want)
		if err != nil || got.String() != document(t, want).String() {
			t.Errorf("KeyOf(%s) = %s, %v, want %s", test.doc, got, err, test.want)
		}
	}
}

func parse(t testing.TB, json string, into any) {
	t.Helper()
	if err := bson.UnmarshalExtJSON([]byte(json), false, into); err != nil {
		t.Fatalf("parse %s: %v", json, err)
	}
}

// The table has LON on s1 alone, what lies between LON and NYC on s2, the rest on s0.
func TestTarget(t *testing.T) {
	table := sharded(t, byDatacenter, citySplits...)
	for _, test := range []struct {
		filter string
		point  bool
		shards string
	}{
		{`{}`, false, "s0 s1 s2"},
		{`{"dc": "LON", "id": 7}`, true, "s1"},
		{`{"id": 7, "x": 1, "dc": "LON"}`, true, "s1"},
		{`{"dc": {"$eq": "LON"}, "id": {"$in": [7]}}`, true, "s1"},
		{`{"$and": [{"dc": "LON"}, {"$and": [{"id": 7}]}]}`, true, "s1"},
		{`{"dc": "LON", "id": {"x": 1}}`, true, "s1"},
		{`{"dc": "LON", "id": null}`, true, "s1"},
		{`{"dc": "LON"}`, false, "s1"},
		{`{"dc": "LON", "id": {"$gt": 7}}`, false, "s1"},
		{`{"dc": "LON", "id": {"$in": [7, 8]}}`, false, "s1"},
		{`{"dc": "LON", "id": {"$gt": 1, "$eq": 7}}`, true, "s1"},
		{`{"dc": "LON", "id": 7, "$and": [{"id": 7}]}`, false, "s1"}, // mongos: two equalities on one path fix nothing
		{`{"dc": "LON", "id": [7]}`, false, "s1"},
		{`{"dc": "LON", "id": {"$regularExpression": {"pattern": "7", "options": ""}}}`, false, "s1"},
		{`{"dc": {"$in": ["LON", "NYC"]}}`, false, "s0 s1"},
		{`{"dc": {"$in": ["LON", "NYC"]}, "id": 7}`, false, "s0 s1"},
		{`{"dc": {"$in": []}}`, false, "s0"},
		{`{"dc": {"$in": ["LON", {"$regularExpression": {"pattern": "N", "options": ""}}]}}`, false, "s0 s1 s2"},
		{`{"dc": {"$gte": "LON", "$lt": "M"}}`, false, "s1 s2"},
		{`{"dc": {"$gt": "LON", "$lt": "AMS"}}`, false, "s0"}, // nothing can match, one shard answers
		{`{"dc": {"$gt": 5}}`, false, "s0"},                   // numbers only
		{`{"dc": {"$ne": "LON"}}`, false, "s0 s1 s2"},
		{`{"$or": [{"dc": "LON", "id": 7}]}`, false, "s0 s1 s2"},
		{`{"$expr": {"$eq": ["$dc", "LON"]}}`, false, "s0 s1 s2"},
		{`{"": 1}`, false, "s0 s1 s2"},
	} {
		var filter bson.D
		parse(t, test.filter, &filter)
		got := table.Target(document(t, filter), nil)
		if (got.Key != nil) != test.point || shardList(got) != test.shards {
			t.Errorf("Target(%s) = %s on %s, want point %v on %s", test.filter, got.Key, shardList(got), test.point, test.shards)
		}
	}
}

func shardList(target Target) string {
	names := make([]string, len(target.Shards))
	for i, s := range target.Shards {
		names[i] = string(s)
	}
	return strings.Join(names, " ")
}

func TestTargetInsideObjects(t *testing.T) {
	table := sharded(t, bson.D{{Key: "a.b", Value: 1}}, bson.D{{Key: "a.b", Value: 10}}, bson.D{{Key: "a.b", Value: 20}})
	for _, test := range []struct{ filter, shards string }{
		{`{"a.b": 15}`, "s1"},
		{`{"a": {"b": 15}}`, "s1"},
		{`{"a": {"b": 15, "c": 1}}`, "s1"},
		{`{"a": {"c": 15}}`, "s0 s1 s2"},
		{`{"a": {"$eq": {"b": 15}}}`, "s1"},
		{`{"a.b.c": 15}`, "s0 s1 s2"},
		{`{"a": 15}`, "s0 s1 s2"},
	} {
		var filter bson.D
		parse(t, test.filter, &filter)
		if got := shardList(table.Target(document(t, filter), nil)); got != test.shards {
			t.Errorf("Target(%s) = %s, want %s", test.filter, got, test.shards)
		}
	}
}

// Under a collation "lon" may equal "LON", which lies elsewhere; numbers are as ever.
func TestTargetUnderCollation(t *testing.T) {
	table := sharded(t, byDatacenter, citySplits...)
	english := document(t, bson.D{{Key: "locale", Value: "en"}, {Key: "strength", Value: 2}})
	if got := table.Target(document(t, at("LON", 7)), english); got.Key != nil || len(got.Shards) != 3 {
		t.Errorf("string under a collation: %s on %v, want no point on 3 shards", got.Key, got.Shards)
	}
	if got := table.Target(document(t, at(3, 7)), english); got.Key == nil {
		t.Error("numbers under a collation: want a point")
	}
	simple := document(t, bson.D{{Key: "locale", Value: "simple"}})
	if got := table.Target(document(t, at("LON", 7)), simple); got.Key == nil {
		t.Error("the simple collation: want a point")
	}
}

func TestTargetHashed(t *testing.T) {
	table := sharded(t, bson.D{{Key: "id", Value: "hashed"}}, bson.D{{Key: "id", Value: int64(-3e18)}}, bson.D{{Key: "id", Value: int64(3e18)}})
	for id := range 100 {
		doc := document(t, bson.D{{Key: "id", Value: int64(id)}})
		key, err := table.Pattern().KeyOf(doc)
		if err != nil {
			t.Fatal(err)
		}
		if got := table.Target(document(t, bson.D{{Key: "id", Value: float64(id)}}), nil); got.Key.String() != key.String() {
			t.Errorf("Target(%d.0) = %s, want the document's key %s", id, got.Key, key)
		}
	}
	if got := table.Target(document(t, bson.D{{Key: "id", Value: bson.D{{Key: "$gt", Value: 5}}}}), nil); len(got.Shards) != 3 {
		t.Errorf("a range of a hashed field is on %v, want all shards", got.Shards)
	}
}

// Whatever filter is made of a document's own values, the document's shard has to be among the targets.
func TestTargetReachesMatchingDocument(t *testing.T) {
	s := sampler{t: t, Rand: seeded(t), pointers: true}
	var splits []bson.D
	for range 40 {
		splits = append(splits, at(s.value(1), s.value(1)))
	}
	slices.SortFunc(splits, func(a, b bson.D) int { return CompareKeys(document(t, a), document(t, b)) })
	splits = slices.CompactFunc(splits, func(a, b bson.D) bool { return CompareKeys(document(t, a), document(t, b)) == 0 })
	table := sharded(t, byDatacenter, splits...)
	checked, single := 0, 0
	for range testkit.Count(t, "documents", 20_000, 500_000) {
		doc := at(s.value(1), s.value(1))
		key, err := table.Pattern().KeyOf(document(t, doc))
		if err != nil {
			continue // an array
		}
		filter := bson.D{}
		for _, e := range doc {
			filter = append(filter, s.condition(e)...)
		}
		owner := table.ShardFor(key)
		if owner == "" {
			continue
		}
		target := table.Target(document(t, filter), nil)
		checked++
		if len(target.Shards) == 1 {
			single++
		}
		if !slices.Contains(target.Shards, owner) {
			t.Errorf("Target(%s) = %v, but %s matches it and is on %s", document(t, filter), target.Shards, document(t, doc), owner)
		}
	}
	t.Logf("%d documents reached by filters of their own values, %d of them on one shard", checked, single)
}

// condition is a random condition that e satisfies. Types on which $gte and $lte do not simply compare are left to $in and equality.
func (s sampler) condition(e bson.E) bson.D {
	typ := value(s.t, e.Value).Type
	literal := typ != bson.TypeRegex && typ != bson.TypeUndefined
	switch n := s.IntN(6); {
	case n == 0:
		return nil
	case n == 1 && literal:
		return bson.D{e}
	case n == 2:
		return bson.D{{Key: e.Key, Value: bson.D{{Key: "$in", Value: bson.A{s.value(1), e.Value, s.value(1)}}}}}
	case n == 3:
		return bson.D{{Key: e.Key, Value: bson.D{{Key: "$gte", Value: e.Value}}}}
	case n == 4:
		return bson.D{{Key: "$and", Value: bson.A{bson.D{{Key: e.Key, Value: bson.D{{Key: "$lte", Value: e.Value}}}}}}}
	default:
		return bson.D{{Key: e.Key, Value: bson.D{{Key: "$eq", Value: e.Value}}}}
	}
}
