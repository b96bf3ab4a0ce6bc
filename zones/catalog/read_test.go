package catalog_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

func TestReadTellsWhatTheClusterHas(t *testing.T) {
	c := open(t)
	const ns = "catread.carts"
	sharded(t, c, ns)
	fill(t, c, ns, map[any]int{"A": 300, "B": 200, "C": 100})
	validator, err := bson.Marshal(bson.D{{Key: "dc", Value: bson.D{{Key: "$type", Value: "string"}}}})
	if err != nil {
		t.Fatal(err)
	}
	perform(t, c, zones.SetValidator{Collection: ns, Validator: shardkey.ExtJSON(validator), Level: "moderate", Action: "warn"})
	db := c.Client().Database("catread")
	if err := db.CreateView(t.Context(), "view", "carts", bson.A{}); err != nil {
		t.Fatal(err)
	}
	if err := db.CreateCollection(t.Context(), "series", options.CreateCollection().SetTimeSeriesOptions(options.TimeSeries().SetTimeField("t"))); err != nil {
		t.Fatal(err)
	}

	state, err := c.Read(t.Context(), []string{ns, "catread.view", "catread.series", "catread.nothing", "nodatabase.nothing"})
	if err != nil {
		t.Fatal(err)
	}
	status, err := clustertest.Alone(t).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(state.ClusterID) != 24 || state.Version != status.ServerVersion || state.RouterVersion != state.Version || state.Taken.IsZero() {
		t.Errorf("got cluster %q, version %q, router %q, taken %s; the servers are %s",
			state.ClusterID, state.Version, state.RouterVersion, state.Taken, status.ServerVersion)
	}
	for _, set := range append(slices.Clone(state.Shards), *state.ConfigServers) {
		if set.Version != state.Version || set.FCV != "6.0" {
			t.Errorf("%s: got version %q and featureCompatibilityVersion %q", set.ID, set.Version, set.FCV)
		}
	}
	if b := state.Balancer; !b.Running || b.ChunkSize != 128<<20 || b.Window != "" {
		t.Errorf("balancer: got %+v", b)
	}
	checkShards(t, state, ns)

	var names []string
	for _, collection := range state.Collections {
		names = append(names, collection.Name)
	}
	if want := []string{"catread.carts", "catread.nothing", "catread.series", "catread.view", "nodatabase.nothing"}; !slices.Equal(names, want) {
		t.Errorf("collections: got %v, want %v", names, want)
	}
	carts, _ := state.Collection(ns)
	checkCarts(t, carts, validator)
	if view, _ := state.Collection("catread.view"); !view.Exists || !view.View || view.TimeSeries || view.Sharded {
		t.Errorf("view: got %+v", view)
	}
	if series, _ := state.Collection("catread.series"); !series.Exists || series.View || !series.TimeSeries {
		t.Errorf("time series: got %+v", series)
	}
	for name, primary := range map[string]bool{"catread.nothing": true, "nodatabase.nothing": false} {
		if nothing, _ := state.Collection(name); nothing.Exists || (nothing.Primary != "") != primary || nothing.Indexes != nil || nothing.Sizes != nil {
			t.Errorf("%s: got %+v", name, nothing)
		}
	}
}

func checkShards(t *testing.T, state *zones.State, ns string) {
	t.Helper()
	if len(state.Shards) != 3 {
		t.Fatalf("got %d shards, want 3", len(state.Shards))
	}
	for i, id := range []topology.ShardID{"s0", "s1", "s2"} {
		s := state.Shards[i]
		if s.ID != id || s.Unseen != "" || len(s.Hosts) != 1 || len(s.Members) != 1 || s.Draining {
			t.Fatalf("shard %d: got %+v", i, s)
		}
		want := zones.Member{Host: s.Hosts[0], DC: "HERE", Priority: 1, Votes: 1, Primary: true}
		if s.Members[0] != want || !slices.Equal(s.Modes, []string{"multiDatacenter"}) {
			t.Errorf("%s: got %+v, modes %v, want %+v", id, s.Members[0], s.Modes, want)
		}
	}
	if s, _ := state.Shard("s0"); !slices.Contains(s.Zones, topology.ZoneID(ns+"-A")) || slices.Contains(s.Zones, topology.ZoneID(ns+"-B")) {
		t.Errorf("zones of s0: got %v", s.Zones)
	}
}

func checkCarts(t *testing.T, carts zones.Collection, validator bson.Raw) {
	t.Helper()
	if !carts.Exists || !carts.Sharded || !slices.Equal(carts.Key, byDC) || carts.NoBalance || carts.Unique || carts.Primary == "" {
		t.Errorf("got %+v", carts)
	}
	want := []zones.Range{tight(t, "A", "catread.carts-A"), tight(t, "B", "catread.carts-B")}
	if diff := cmp.Diff(want, carts.Ranges); diff != "" {
		t.Errorf("ranges (-want +got):\n%s", diff)
	}
	if !slices.Equal(carts.Validator, validator) || carts.ValidationLevel != "moderate" || carts.ValidationAction != "warn" {
		t.Errorf("validator: got %s %s %s", carts.Validator, carts.ValidationLevel, carts.ValidationAction)
	}
	if n := len(carts.Chunks); n != 5 {
		t.Fatalf("got %d chunks, want 5: two zones and three gaps", n)
	}
	for _, chunk := range carts.Chunks {
		for dc, shard := range map[string]topology.ShardID{"A": "s0", "B": "s1"} {
			if slices.Equal(chunk.Min, key(t, dc, lowest)) && (chunk.Shard != shard || chunk.Jumbo || !slices.Equal(chunk.Max, key(t, dc+"\x00", lowest))) {
				t.Errorf("chunk of %s: got %+v", dc, chunk)
			}
		}
	}
	wantIndexes := []zones.Index{{Name: "_id_", Key: bson.D{{Key: "_id", Value: int32(1)}}}, {Name: "dc_1_id_1", Key: bson.D{{Key: "dc", Value: int32(1)}, {Key: "id", Value: int32(1)}}}}
	if diff := cmp.Diff(wantIndexes, carts.Indexes); diff != "" {
		t.Errorf("indexes (-want +got):\n%s", diff)
	}
	var documents, size int64
	for _, s := range carts.Sizes {
		documents, size = documents+s.Documents, size+s.Bytes
	}
	if documents != 600 || size < 600*250 || carts.Sizes["s0"].Documents < 300 {
		t.Errorf("sizes: got %v", carts.Sizes)
	}
}

// A pattern brings all collections of its database, or those of them whose names begin as it says, an empty list all that are sharded or have ranges.
func TestReadKnowsPatterns(t *testing.T) {
	c := open(t)
	sharded(t, c, "catpattern.carts")
	if err := c.Client().Database("catpattern").CreateCollection(t.Context(), "plain"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"eu.plain", "eux"} {
		if err := c.Client().Database("catpattern").CreateCollection(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Client().Database("catpatternx").CreateCollection(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	perform(t, c, zones.AddRange{Collection: "catpattern.later", Range: tight(t, "A", "catpattern.carts-A")})
	t.Cleanup(func() { // before the zone loses its shard
		if err := c.Perform(context.Background(), zones.RemoveRange{Collection: "catpattern.later", Range: tight(t, "A", "catpattern.carts-A")}); err != nil {
			t.Error(err)
		}
	})
	for _, test := range []struct{ given, has, lacks []string }{
		{[]string{"catpattern.*"}, []string{"catpattern.carts", "catpattern.plain", "catpattern.later"}, []string{"catpatternx.other"}},
		{[]string{"catpattern.eu.*"}, []string{"catpattern.eu.plain"}, []string{"catpattern.eux", "catpattern.plain", "catpattern.carts"}},
		{nil, []string{"catpattern.carts", "catpattern.later"}, []string{"catpattern.plain", "config.system.sessions"}},
		{[]string{"catpattern.plain"}, []string{"catpattern.plain"}, []string{"catpattern.carts", "catpattern.later"}},
	} {
		state, err := c.Read(t.Context(), test.given)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range test.has {
			if _, ok := state.Collection(name); !ok {
				t.Errorf("%v: %s is missing", test.given, name)
			}
		}
		for _, name := range test.lacks {
			if _, ok := state.Collection(name); ok {
				t.Errorf("%v: %s is there", test.given, name)
			}
		}
	}
	state, err := c.Read(t.Context(), []string{"catpattern.*"})
	if err != nil {
		t.Fatal(err)
	}
	if later, _ := state.Collection("catpattern.later"); later.Exists || later.Sharded || len(later.Ranges) != 1 {
		t.Errorf("a range of what does not exist: got %+v", later)
	}
	if plain, _ := state.Collection("catpattern.plain"); !plain.Exists || plain.Sharded || len(plain.Indexes) != 1 {
		t.Errorf("an unsharded collection: got %+v", plain)
	}
}

// An operator's switches are seen, whoever set them and how.
func TestReadTellsTheBalancersState(t *testing.T) {
	c := open(t)
	admin, settings := c.Client().Database("admin"), c.Client().Database("config").Collection("settings")
	set := func(ctx context.Context, id string, update bson.D) {
		if _, err := settings.UpdateOne(ctx, bson.D{{Key: "_id", Value: id}}, update, options.UpdateOne().SetUpsert(true)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		ctx := context.Background()
		set(ctx, "balancer", bson.D{{Key: "$unset", Value: bson.D{{Key: "activeWindow", Value: ""}}}})
		set(ctx, "chunksize", bson.D{{Key: "$set", Value: bson.D{{Key: "value", Value: 128}}}})
		if err := admin.RunCommand(ctx, bson.D{{Key: "balancerStart", Value: 1}}).Err(); err != nil {
			t.Error(err)
		}
	})
	if err := admin.RunCommand(t.Context(), bson.D{{Key: "balancerStop", Value: 1}}).Err(); err != nil {
		t.Fatal(err)
	}
	set(t.Context(), "balancer", bson.D{{Key: "$set", Value: bson.D{{Key: "activeWindow", Value: bson.D{{Key: "start", Value: "23:00"}, {Key: "stop", Value: "6:00"}}}}}})
	set(t.Context(), "chunksize", bson.D{{Key: "$set", Value: bson.D{{Key: "value", Value: 64}}}})
	state, err := c.Read(t.Context(), []string{"catbalancer.nothing"})
	if err != nil {
		t.Fatal(err)
	}
	want := zones.Balancer{Window: "23:00-6:00", WindowStart: "23:00", WindowStop: "6:00", ChunkSize: 64 << 20}
	if diff := cmp.Diff(want, state.Balancer); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
