package plan

import (
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// A shard that the config servers are is imported and declared like any other.
func TestAConfigShardIsImported(t *testing.T) {
	world := sampleWorld(t)
	state := sampleState(t, world)
	state.Shards[0].ID = "config"
	got, findings, err := Import(state)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := got.Shard("config"); !ok {
		t.Errorf("got shards %v", got.ShardIDs())
	}
	if i := slices.IndexFunc(findings, func(f zones.Finding) bool { return strings.Contains(f.Message, "reserved") }); i >= 0 {
		t.Errorf("got %v", findings[i])
	}
}

// What cannot be declared is left out of an imported topology and named; it keeps nothing else from being written.
func TestOddClustersAreImportedAsFarAsTheyGo(t *testing.T) {
	world := sampleWorld(t)
	state := sampleState(t, world)
	odd := state.Collections[0]
	for _, name := range []string{"shop.*", "shop.a.*", "shop.a*b"} {
		odd.Name = name
		state.Collections = append(state.Collections, odd)
	}
	state.Shards[0].ID = "rs0.eu"
	state.Shards[0].Members, state.Shards[0].Unseen = nil, "connection refused"
	got, findings, err := Import(state)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"shop.*", "shop.a.*", "shop.a*b"} {
		if !slices.ContainsFunc(findings, func(f zones.Finding) bool { return f.Rule == "import-name" && f.Subject == name }) {
			t.Errorf("%s: got %v, want a finding", name, findings)
		}
	}
	draft := string(got.Draft())
	if _, ok := got.Namespace("shop.carts"); !ok || len(got.Namespaces) != 1 || !strings.Contains(draft, "rs0.eu") {
		t.Errorf("got %s", draft)
	}
	t.Log(draft)
	// A zone without shards is not valid, and written all the same.
	first, _ := bson.Marshal(bson.D{{Key: "dataCenter", Value: "XXX"}, {Key: "cartId", Value: bson.MinKey{}}})
	last, _ := bson.Marshal(bson.D{{Key: "dataCenter", Value: "XXY"}, {Key: "cartId", Value: bson.MinKey{}}})
	state.Collections[0].Ranges = append(state.Collections[0].Ranges, zones.Range{Min: first, Max: last, Zone: "GONE"})
	got, findings, err = Import(state)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(findings, func(f zones.Finding) bool { return f.Rule == "import-invalid" && strings.Contains(f.Message, "GONE") }) {
		t.Errorf("got %v, want that the zone GONE has no shards", findings)
	}
	if _, problems := topology.Check("draft.yaml", got.Draft()); len(problems) == 0 || !strings.Contains(string(got.Draft()), "GONE") {
		t.Errorf("the draft has %v", problems)
	}
}
