package catalog_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/catalog"
	"github.com/geoshard/geoshard/zones/plan"
)

// insensitive is a collation that takes "lon" for "LON".
var insensitive = &options.Collation{Locale: "en", Strength: 2}

// foreigners are collections as other people make them, on the way to the shard key {dc: 1, id: 1}. Those with a rule cannot be sharded; the plan has a finding
// of that rule then.
var foreigners = []struct {
	name string
	rule string
	make func(t *testing.T, coll *mongo.Collection)
}{
	{"plain", "", created(nil)},
	{"collated", "", created(options.CreateCollection().SetCollation(insensitive))},
	{"capped", "capped", created(options.CreateCollection().SetCapped(true).SetSizeInBytes(10_000))},
	{"sparse", "index-name-taken", indexed(byKey, options.Index().SetSparse(true))},
	{"sparseElsewhere", "", indexed(byKey, options.Index().SetSparse(true).SetName("other"))},
	{"partial", "unfit-index", indexed(byKey, options.Index().SetPartialFilterExpression(bson.D{{Key: "a", Value: 1}}))},
	{"partialAndWhole", "", both(indexed(byKey, options.Index().SetPartialFilterExpression(bson.D{{Key: "a", Value: 1}}).SetName("some")), indexed(byKey, options.Index()))},
	{"longPartial", "unfit-index", indexed(append(slices.Clone(byKey), bson.E{Key: "more", Value: 1}), options.Index().SetPartialFilterExpression(bson.D{{Key: "a", Value: 1}}))},
	{"hidden", "unfit-index", indexed(byKey, options.Index().SetHidden(true))},
	{"hiddenAndLong", "", both(indexed(byKey, options.Index().SetHidden(true)), indexed(append(slices.Clone(byKey), bson.E{Key: "more", Value: 1}), options.Index()))},
	{"collatedIndex", "index-name-taken", indexed(byKey, options.Index().SetCollation(insensitive))},
	{"collatedElsewhere", "", indexed(byKey, options.Index().SetCollation(insensitive).SetName("other"))},
	{"nameTaken", "index-name-taken", indexed(bson.D{{Key: "a", Value: 1}}, options.Index().SetName("dc_1_id_1"))},
	{"nameTakenNotNeeded", "", both(indexed(bson.D{{Key: "a", Value: 1}}, options.Index().SetName("dc_1_id_1")), indexed(byKey, options.Index().SetName("key")))},
	{"unique", "unique-index-per-shard", indexed(bson.D{{Key: "a", Value: 1}}, options.Index().SetUnique(true))},
	{"uniqueByKey", "", indexed(byKey, options.Index().SetUnique(true))},
	{"descending", "", indexed(bson.D{{Key: "dc", Value: -1}, {Key: "id", Value: 1}}, options.Index())},
	{"full", "too-many-indexes", func(t *testing.T, coll *mongo.Collection) {
		var all []mongo.IndexModel
		for i := range 63 {
			all = append(all, mongo.IndexModel{Keys: bson.D{{Key: fmt.Sprintf("field%d", i), Value: 1}}})
		}
		if _, err := coll.Indexes().CreateMany(t.Context(), all); err != nil {
			t.Fatal(err)
		}
	}},
	{"odd name é", "", created(nil)},
}

var byKey = bson.D{{Key: "dc", Value: 1}, {Key: "id", Value: 1}}

func created(o *options.CreateCollectionOptionsBuilder) func(*testing.T, *mongo.Collection) {
	return func(t *testing.T, coll *mongo.Collection) {
		if err := coll.Database().CreateCollection(t.Context(), coll.Name(), o); err != nil {
			t.Fatal(err)
		}
	}
}

func indexed(keys bson.D, o *options.IndexOptionsBuilder) func(*testing.T, *mongo.Collection) {
	return func(t *testing.T, coll *mongo.Collection) {
		if _, err := coll.Indexes().CreateOne(t.Context(), mongo.IndexModel{Keys: keys, Options: o}); err != nil {
			t.Fatal(err)
		}
	}
}

func both(a, b func(*testing.T, *mongo.Collection)) func(*testing.T, *mongo.Collection) {
	return func(t *testing.T, coll *mongo.Collection) { a(t, coll); b(t, coll) }
}

// foreignWorld declares collections of a database, each with the values A and B.
func foreignWorld(t *testing.T, db string, names ...string) *topology.Topology {
	t.Helper()
	text := strings.ReplaceAll(`version: 1
datacenters: {HERE: {name: Here}}
shards:
  s0: {members: [{dc: HERE, priority: 1}]}
  s1: {members: [{dc: HERE, priority: 1}]}
  s2: {members: [{dc: HERE, priority: 1}]}
zones:
  DB-A: {shards: [s0]}
  DB-B: {shards: [s1]}
namespaces:
`, "DB", db)
	for _, name := range names {
		text += fmt.Sprintf("  %q: {key: {dc: 1, id: 1}, zoneBy: dc, onlyRanges: true, ranges: [{zone: %s-A, values: [A]}, {zone: %s-B, values: [B]}]}\n", db+"."+name, db, db)
	}
	world, err := topology.Parse("world.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return world
}

// leaveForeign drops a database and takes its zones from the cluster.
func leaveForeign(t *testing.T, c *catalog.Catalog, db string) {
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		for _, name := range []string{db, db + "-journal"} {
			if err := c.Client().Database(name).Drop(ctx); err != nil {
				t.Error(err)
			}
		}
		// What was not sharded has its ranges still.
		state, err := c.Read(ctx, []string{db + ".*"})
		if err != nil {
			t.Error(err)
			return
		}
		for _, collection := range state.Collections {
			for _, r := range collection.Ranges {
				if err := c.Perform(ctx, zones.RemoveRange{Collection: collection.Name, Range: r}); err != nil {
					t.Error(err)
				}
			}
		}
		for shard, zone := range map[topology.ShardID]string{"s0": "A", "s1": "B"} {
			if err := c.Perform(ctx, zones.RemoveShardFromZone{Shard: shard, Zone: topology.ZoneID(db + "-" + zone)}); err != nil {
				t.Error(err)
			}
		}
	})
}

// A plan shards what the server will shard, and names what it refuses; an apply of it then refuses nothing. What the plan leaves out, the server does refuse.
func TestForeignCollectionsAreShardedOrNamed(t *testing.T) {
	c := open(t)
	const db = "foreign"
	leaveForeign(t, c, db)
	var names []string
	for _, f := range foreigners {
		f.make(t, c.Client().Database(db).Collection(f.name))
		names = append(names, f.name)
	}
	p, err := c.Plan(t.Context(), foreignWorld(t, db, names...), plan.Options{Shard: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range foreigners {
		ns := db + "." + f.name
		planned := slices.ContainsFunc(p.Steps, func(s zones.Step) bool {
			sharding, ok := s.Change.(zones.ShardCollection)
			return ok && sharding.Collection == ns
		})
		i := slices.IndexFunc(p.Findings, func(found zones.Finding) bool {
			return found.Subject == ns && found.Severity == zones.SeverityError
		})
		switch {
		case planned != (f.rule == ""):
			t.Errorf("%s: sharding is planned: %t, want %t", f.name, planned, f.rule == "")
		case f.rule == "" && i >= 0:
			t.Errorf("%s: got finding %v, want none", f.name, p.Findings[i])
		case f.rule != "" && (i < 0 || p.Findings[i].Rule != f.rule || p.Findings[i].Hint == ""):
			t.Errorf("%s: want a finding %s with a hint, got %v", f.name, f.rule, p.Findings)
		case f.rule != "":
			t.Logf("%s: %s (%s)", f.name, p.Findings[i].Message, p.Findings[i].Hint)
		}
	}
	if _, err := apply.Apply(t.Context(), p, c.DepsIn(db+"-journal", catalog.LockOptions{}), apply.Options{AutoApprove: true}); err != nil {
		t.Error(err)
	}
	for _, f := range foreigners {
		err := c.Perform(t.Context(), zones.ShardCollection{Collection: db + "." + f.name, Key: byDC})
		if (err == nil) != (f.rule == "") {
			t.Errorf("%s: sharding it now: got %v, want an error: %t", f.name, err, f.rule != "")
		}
	}
}

// What the server refuses and no plan can know, that an index had an array in it once, is told with its reason, and keeps nothing else from being done.
func TestAnUnforeseenRefusalStopsNothingElse(t *testing.T) {
	c := open(t)
	const db = "refusing"
	leaveForeign(t, c, db)
	coll := c.Client().Database(db).Collection("arrays")
	indexed(byKey, options.Index())(t, coll)
	if _, err := coll.InsertOne(t.Context(), bson.D{{Key: "dc", Value: bson.A{"A", "B"}}, {Key: "id", Value: 1}}); err != nil {
		t.Fatal(err)
	}
	if _, err := coll.DeleteMany(t.Context(), bson.D{}); err != nil {
		t.Fatal(err)
	}
	world := foreignWorld(t, db, "arrays", "later", "zlast")
	p, err := c.Plan(t.Context(), world, plan.Options{Shard: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = apply.Apply(t.Context(), p, c.DepsIn(db+"-journal", catalog.LockOptions{}), apply.Options{AutoApprove: true})
	if err == nil || !strings.Contains(err.Error(), db+".arrays") || !strings.Contains(err.Error(), "index") {
		t.Errorf("got %v, want the refusal with its reason", err)
	}
	t.Log(err)
	for _, name := range []string{"later", "zlast"} {
		if err := c.Perform(t.Context(), zones.ShardCollection{Collection: db + "." + name, Key: byDC}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	again, err := c.Plan(t.Context(), world, plan.Options{Shard: true})
	if err != nil || len(again.Steps) != 1 {
		t.Errorf("planned again: got %v, %v, want the one step that is left", again.Steps, err)
	}
}

// Documents of a collection that compares otherwise than by bytes, or has several indexes with the key, are counted like any others; so are values that are
// neither here nor there: undefined, MinKey, MaxKey, regular expressions, arrays inside documents.
func TestUnknownValuesOfForeignCollections(t *testing.T) {
	c := open(t)
	const db = "foreignvalues"
	leaveForeign(t, c, db)
	makes := map[string]func(*testing.T, *mongo.Collection){
		"collated": created(options.CreateCollection().SetCollation(insensitive)),
		"twoIndexes": both(indexed(byKey, options.Index().SetSparse(true).SetName("sparse")),
			indexed(byKey, options.Index().SetCollation(insensitive).SetName("insensitive"))),
	}
	odd := []any{bson.Undefined{}, bson.MinKey{}, bson.MaxKey{}, nil, "a", "b", bson.Regex{Pattern: "^A"}, bson.D{{Key: "x", Value: bson.A{1}}}, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), true}
	for name, create := range makes {
		t.Run(name, func(t *testing.T) {
			ns := db + "." + name
			coll := c.Client().Database(db).Collection(name)
			create(t, coll)
			perform(t, c, zones.ShardCollection{Collection: ns, Key: byDC})
			for i, value := range append([]any{"A", "B"}, odd...) {
				for _, id := range []any{i, bson.MaxKey{}} {
					if value == id {
						continue // no chunk has that key
					}
					if _, err := coll.InsertOne(t.Context(), bson.D{{Key: "dc", Value: value}, {Key: "id", Value: id}}); err != nil {
						t.Fatal(err)
					}
				}
			}
			if _, err := coll.InsertOne(t.Context(), bson.D{{Key: "id", Value: 77}}); err != nil {
				t.Fatal(err)
			}
			values, more, err := c.UnknownValues(t.Context(), ns, "dc", placement(t, ns))
			if err != nil || more {
				t.Fatalf("got more %t, %v", more, err)
			}
			want := `MinKey: 2, {"$undefined":true}: 2, null: 3, "a": 2, "b": 2, {"x": [{"$numberInt":"1"}]}: 2, true: 2, 2026-01-02T03:04:05.000Z: 2, {"$regularExpression":{"pattern":"^A","options":""}}: 2, MaxKey: 1`
			if got := shown(values); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if _, err := c.Plan(t.Context(), foreignWorld(t, db, name), plan.Options{}); err != nil {
				t.Errorf("plan: %v", err)
			}
		})
	}
}
