package catalog_test

import (
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/catalog"
)

func placement(t testing.TB, ns string) zones.Placement {
	return layoutOf(t, ns, "s0", "s1").Collections[0]
}

func TestUnknownValuesAreFoundWithTheirCounts(t *testing.T) {
	c := open(t)
	const ns = "catvalues.c"
	sharded(t, c, ns)
	fill(t, c, ns, map[any]int{"A": 50, "B": 40, "AB": 3, "Z": 7, int32(5): 2, nil: 4, "": 1})
	// An unknown value in every kind of place: below the first range, between two, above the last; and a missing field.
	if _, err := c.Client().Database("catvalues").Collection("c").InsertOne(t.Context(), bson.D{{Key: "id", Value: 1}}); err != nil {
		t.Fatal(err)
	}
	values, more, err := c.UnknownValues(t.Context(), ns, "dc", placement(t, ns))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := shown(values), `null: 5, 5: 2, "": 1, "AB": 3, "Z": 7`; got != want || more {
		t.Errorf("got %s, more %v; want %s", got, more, want)
	}
}

func shown(values []catalog.UnknownValue) string {
	var parts []string
	for _, v := range values {
		parts = append(parts, fmt.Sprintf("%s: %d", v, v.Documents))
	}
	return strings.Join(parts, ", ")
}

func TestUnknownValuesAreExamplesWhereThereAreMany(t *testing.T) {
	c := open(t)
	const ns = "catmany.c"
	sharded(t, c, ns)
	counts := map[any]int{"A": 1}
	for i := range 30 {
		counts[fmt.Sprintf("X%02d", i)] = 1
	}
	fill(t, c, ns, counts)
	values, more, err := c.UnknownValues(t.Context(), ns, "dc", placement(t, ns))
	if err != nil {
		t.Fatal(err)
	}
	if len(values) != catalog.MaxUnknown || !more || values[0].String() != `"X00"` {
		t.Errorf("got %d values, more %v: %s", len(values), more, shown(values))
	}
}

// A hashed second field, an index that is longer than the key, a collection that is not sharded and one that is not there.
func TestUnknownValuesOfOtherCollections(t *testing.T) {
	c := open(t)
	hashed := topology.Key{{Name: "dc"}, {Name: "id", Hashed: true}}
	perform(t, c, zones.ShardCollection{Collection: "catothers.hashed", Key: hashed})
	db := c.Client().Database("catothers")
	if err := db.RunCommand(t.Context(), bson.D{{Key: "createIndexes", Value: "long"}, {Key: "indexes", Value: bson.A{
		bson.D{{Key: "name", Value: "long"}, {Key: "key", Value: bson.D{{Key: "dc", Value: 1}, {Key: "id", Value: 1}, {Key: "more", Value: 1}}}},
	}}}).Err(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hashed", "long", "plain"} {
		fill(t, c, "catothers."+name, map[any]int{"A": 5, "Q": 3})
	}
	for name, want := range map[string]string{"hashed": `"Q": 3`, "long": `"Q": 3`, "nothing": ""} {
		p := placement(t, "catothers."+name)
		if name == "hashed" {
			p.Key = hashed
		}
		values, more, err := c.UnknownValues(t.Context(), "catothers."+name, "dc", p)
		if got := shown(values); err != nil || got != want || more {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, want)
		}
	}
	if _, _, err := c.UnknownValues(t.Context(), "catothers.plain", "dc", placement(t, "catothers.plain")); err == nil || !strings.Contains(err.Error(), "no index") {
		t.Errorf("without an index: got %v", err)
	}
	if _, _, err := c.UnknownValues(t.Context(), "catothers.long", "id", placement(t, "catothers.long")); err == nil {
		t.Error("a field that does not lead the key was accepted")
	}
	// Ranges from end to end leave no gap.
	whole := placement(t, "catothers.long")
	whole.Ranges = []zones.Range{{Min: key(t, lowest, lowest), Max: key(t, "M", lowest)}, {Min: key(t, "M", lowest), Max: key(t, highest, highest)}}
	if values, _, err := c.UnknownValues(t.Context(), "catothers.long", "dc", whole); err != nil || len(values) != 0 {
		t.Errorf("without gaps: got %s, %v", shown(values), err)
	}
}
