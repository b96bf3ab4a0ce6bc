package clients_test

import (
	"context"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/e2e/clients"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/catalog"
	"github.com/geoshard/geoshard/zones/plan"
)

// What a plan tells people to do by hand is safe to run as it is printed, up to the rule that they put in: no value is lost, and documents that cannot have the
// field are named. When those are changed, the same commands lead to a sharded collection, whatever its collation.
func TestWhatIsDoneByHandLosesNothing(t *testing.T) {
	t.Parallel()
	c := need(t, clients.Mongosh)
	uri := routerURI(t)
	client := dial(t, uri)
	db := client.Database("by_hand")
	t.Cleanup(func() { _ = db.Drop(context.WithoutCancel(t.Context())) })
	if err := db.CreateCollection(t.Context(), "people", options.CreateCollection().SetCollation(&options.Collation{Locale: "en", Strength: 2})); err != nil {
		t.Fatal(err)
	}
	people := db.Collection("people")
	odd := []any{"text", 7, nil, bson.A{}, bson.A{bson.D{{Key: "region", Value: "NYC"}}}, bson.D{{Key: "region", Value: bson.A{"NYC"}}}}
	docs := []any{bson.D{{Key: "_id", Value: "bare"}, {Key: "at", Value: 1}}, bson.D{{Key: "_id", Value: "deep"}, {Key: "at", Value: 2}, {Key: "metadata", Value: bson.D{{Key: "a", Value: 1}}}}}
	for i, value := range odd {
		docs = append(docs, bson.D{{Key: "_id", Value: i}, {Key: "at", Value: i}, {Key: "metadata", Value: value}})
	}
	if _, err := people.InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	commands := byHand(t, uri)
	out, err := c.REPL(t.Context(), uri, strings.Join(commands[:5], "\n")+"\n")
	if err != nil {
		t.Fatal(err)
	}
	t.Log(out)
	if !strings.Contains(out, "6 documents cannot have") {
		t.Errorf("mongosh does not say that 6 documents cannot have the field")
	}
	for i, value := range odd {
		var doc struct{ Metadata any }
		if err := people.FindOne(t.Context(), bson.D{{Key: "_id", Value: i}}).Decode(&doc); err != nil {
			t.Fatal(err)
		}
		if got, want := extended(t, doc.Metadata), extended(t, value); got != want {
			t.Errorf("metadata %s has become %s", want, got)
		}
	}
	if n, err := people.CountDocuments(t.Context(), bson.D{{Key: "metadata.region", Value: "LON"}}); err != nil || n != 2 {
		t.Errorf("got %d documents with the value of the rule, %v, want 2", n, err)
	}
	if _, err := people.UpdateMany(t.Context(), bson.D{{Key: "_id", Value: bson.D{{Key: "$type", Value: "number"}}}}, mongo.Pipeline{{{Key: "$set", Value: bson.D{{Key: "was", Value: "$metadata"}}}}, {{Key: "$unset", Value: "metadata"}}}); err != nil {
		t.Fatal(err)
	}
	out, err = c.REPL(t.Context(), uri, strings.Join(commands, "\n")+"\n")
	if err != nil {
		t.Fatal(err)
	}
	t.Log(out)
	if n, err := client.Database("config").Collection("collections").CountDocuments(t.Context(), bson.D{{Key: "_id", Value: "by_hand.people"}}); err != nil || n != 1 {
		t.Errorf("the collection is not sharded: %d, %v", n, err)
	}
}

// byHand is what a plan tells to do by hand, with the rule put in.
func byHand(t *testing.T, uri string) []string {
	t.Helper()
	declared, err := topology.Parse("world.yaml", []byte(world.YAML+"namespaces: {by_hand.people: {key: {metadata.region: 1, at: 1}, zoneBy: metadata.region, onlyRanges: true, ranges: [{zone: HERE, values: [LON, NYC]}]}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	cat, err := catalog.Open(t.Context(), catalog.Options{URI: uri})
	if err != nil {
		t.Fatal(err)
	}
	defer cat.Close(context.WithoutCancel(t.Context()))
	p, err := cat.Plan(t.Context(), declared, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Manual) != 1 || len(p.Manual[0].Commands) != 7 {
		t.Fatalf("got %+v, want seven commands for one collection", p.Manual)
	}
	commands := p.Manual[0].Commands
	commands[0] = strings.ReplaceAll(commands[0], "PLACEHOLDER", `"LON"`)
	return commands
}

func extended(t *testing.T, value any) string {
	t.Helper()
	text, err := bson.MarshalExtJSON(bson.D{{Key: "v", Value: value}}, false, false)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
