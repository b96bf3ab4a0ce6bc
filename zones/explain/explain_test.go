package explain_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/explain"
)

// declared is three datacenters; each is the home of a shard of one member, which is enough for the router's decisions.
const declared = `version: 1
datacenters:
  NYC: {name: New York}
  LON: {name: London}
  SYD: {name: Sydney}
links:
  - {between: [NYC, LON], rtt: 76ms}
  - {between: [NYC, SYD], rtt: 200ms}
  - {between: [LON, SYD], rtt: 265ms}
shards:
  nyc: {members: [{dc: NYC, priority: 1}]}
  lon: {members: [{dc: LON, priority: 1}]}
  syd: {members: [{dc: SYD, priority: 1}]}
zones:
  NYC: {shards: [nyc], allowedDatacenters: [NYC]}
  LON: {shards: [lon], allowedDatacenters: [LON]}
  SYD: {shards: [syd], allowedDatacenters: [SYD]}
namespaces:
  shop.carts: {key: {dataCenter: 1, cartId: 1}, zoneBy: dataCenter}
  shop.loose: {key: {dataCenter: 1, cartId: 1}, zoneBy: dataCenter}
`

func TestMain(m *testing.M) { os.Exit(clustertest.Main(m)) }

// world is the cluster of this test binary.
var world = clustertest.World{YAML: declared, Options: local.Options{Name: "explain"}}

func connect(t testing.TB, uri string, err error) *mongo.Client {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client
}

var datacenters = []topology.DatacenterID{"NYC", "LON", "SYD"}

// place shards shop.COLL with a range for each datacenter, from {DC, MinKey} to end(DC), and inserts some documents.
func place(t *testing.T, router *mongo.Client, coll string, end func(dc string) bson.D) {
	t.Helper()
	ns := "shop." + coll
	run := func(cmd bson.D) {
		t.Helper()
		if err := router.Database("admin").RunCommand(t.Context(), cmd).Err(); err != nil {
			t.Fatalf("%v: %v", cmd, err)
		}
	}
	for _, dc := range datacenters {
		run(bson.D{{Key: "addShardToZone", Value: strings.ToLower(string(dc))}, {Key: "zone", Value: dc}})
		run(bson.D{{Key: "updateZoneKeyRange", Value: ns}, {Key: "min", Value: bson.D{{Key: "dataCenter", Value: dc}, {Key: "cartId", Value: bson.MinKey{}}}},
			{Key: "max", Value: end(string(dc))}, {Key: "zone", Value: dc}})
	}
	run(bson.D{{Key: "shardCollection", Value: ns}, {Key: "key", Value: bson.D{{Key: "dataCenter", Value: 1}, {Key: "cartId", Value: 1}}}})
	var docs []any
	for i := range 30 {
		docs = append(docs, bson.D{{Key: "dataCenter", Value: datacenters[i%3]}, {Key: "cartId", Value: i}})
	}
	if _, err := router.Database("shop").Collection(coll).InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
}

func tight(dc string) bson.D {
	return bson.D{{Key: "dataCenter", Value: dc + "\x00"}, {Key: "cartId", Value: bson.MinKey{}}}
}

// loose is the usual end of a range, which leaves the key {DC, MaxKey} to the next one.
func loose(dc string) bson.D {
	return bson.D{{Key: "dataCenter", Value: dc}, {Key: "cartId", Value: bson.MaxKey{}}}
}

// The profiler of each shard is the witness: Explain must name exactly the shards that the query then reaches.
func TestExplainNamesTheShardsThatTheProfilerSees(t *testing.T) {
	c := world.Start(t)
	uri, err := c.URI("NYC")
	router := connect(t, uri, err)
	profilers := map[topology.ShardID]*mongo.Database{}
	for _, s := range c.Topology().Shards {
		uri, err := c.MemberURI(s.MemberName(0))
		profilers[s.ID] = connect(t, uri, err).Database("shop")
	}
	for name, want := range map[string]struct {
		end    func(string) bson.D
		shards int
	}{"carts": {tight, 1}, "loose": {loose, 2}} {
		place(t, router, name, want.end)
		if want.shards == 2 {
			scatterGaps(t, router, "shop."+name)
		}
		setProfiling(t, profilers, 2)
		for _, dc := range datacenters {
			filter := bson.D{{Key: "dataCenter", Value: dc}}
			e, err := explain.Explain(t.Context(), router, c.Topology(), "shop."+name, filter, dc)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%+v", *e)
			var explained []topology.ShardID
			for _, s := range e.Shards {
				explained = append(explained, s.ID)
			}
			seen := profiled(t, router, profilers, name, filter, "q-"+name+"-"+string(dc))
			if len(seen) != want.shards || !slices.Equal(seen, explained) {
				t.Errorf("%s in %s: the profilers saw %v, explained %v, want %d shards", dc, name, seen, explained, want.shards)
			}
			if home := topology.ShardID(strings.ToLower(string(dc))); !slices.Contains(seen, home) {
				t.Errorf("%s in %s: got %v, want its own shard among them", dc, name, seen)
			}
			if want.shards == 1 && (e.Primary != 0 || e.Routing != explain.RoutingOne) || want.shards == 2 && e.Primary == 0 {
				t.Errorf("%s in %s: got %v, %s from home", dc, name, e.Primary, e.Routing)
			}
		}
		setProfiling(t, profilers, 0)
	}
}

// scatterGaps moves the chunk that begins with {DC, MaxKey} away from the datacenter's own shard, if it did not land elsewhere by itself.
func scatterGaps(t *testing.T, router *mongo.Client, ns string) {
	t.Helper()
	for i, dc := range datacenters {
		to := strings.ToLower(string(datacenters[(i+1)%3]))
		move := bson.D{{Key: "moveChunk", Value: ns}, {Key: "find", Value: bson.D{{Key: "dataCenter", Value: dc}, {Key: "cartId", Value: bson.MaxKey{}}}}, {Key: "to", Value: to}}
		if err := router.Database("admin").RunCommand(t.Context(), move).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func setProfiling(t *testing.T, shards map[topology.ShardID]*mongo.Database, level int) {
	t.Helper()
	for id, db := range shards {
		if err := db.RunCommand(t.Context(), bson.D{{Key: "profile", Value: level}}).Err(); err != nil {
			t.Fatalf("profile on %s: %v", id, err)
		}
	}
}

// profiled runs the find with a comment, and returns the shards whose profilers have it.
func profiled(t *testing.T, router *mongo.Client, shards map[topology.ShardID]*mongo.Database, coll string, filter bson.D, comment string) []topology.ShardID {
	t.Helper()
	cursor, err := router.Database("shop").Collection(coll).Find(t.Context(), filter, options.Find().SetComment(comment))
	if err != nil {
		t.Fatal(err)
	}
	var docs []bson.D
	if err := cursor.All(t.Context(), &docs); err != nil || len(docs) != 10 {
		t.Fatalf("got %d documents, %v, want 10", len(docs), err)
	}
	var seen []topology.ShardID
	for id, db := range shards {
		n, err := db.Collection("system.profile").CountDocuments(t.Context(), bson.D{{Key: "op", Value: "query"}, {Key: "command.comment", Value: comment}})
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			seen = append(seen, id)
		}
	}
	slices.Sort(seen)
	return seen
}

func TestExplainSaysWhatTheKeyLacksAndWhatItCosts(t *testing.T) {
	c := world.Start(t)
	uri, err := c.URI("LON")
	router := connect(t, uri, err)
	place(t, router, "reasons", tight)
	for _, q := range []struct {
		filter           bson.D
		from             topology.DatacenterID
		routing          explain.Routing
		primary, nearest time.Duration
		why              string
	}{
		{bson.D{{Key: "dataCenter", Value: "LON"}, {Key: "cartId", Value: 1}}, "LON", explain.RoutingOne, 0, 0, "fixes the whole shard key"},
		{bson.D{{Key: "dataCenter", Value: "SYD"}}, "LON", explain.RoutingOne, 265 * time.Millisecond, 265 * time.Millisecond, "fixes dataCenter of the shard key"},
		{bson.D{{Key: "$and", Value: bson.A{bson.D{{Key: "dataCenter", Value: bson.D{{Key: "$in", Value: bson.A{"NYC"}}}}}}}}, "LON", explain.RoutingOne, 76 * time.Millisecond, 76 * time.Millisecond, "fixes dataCenter"},
		{bson.D{{Key: "dataCenter", Value: bson.D{{Key: "$in", Value: bson.A{"NYC", "LON"}}}}}, "LON", explain.RoutingSome, 76 * time.Millisecond, 76 * time.Millisecond, "only limits dataCenter"},
		{bson.D{{Key: "cartId", Value: 1}}, "NYC", explain.RoutingAll, 200 * time.Millisecond, 200 * time.Millisecond, "says nothing for certain about dataCenter, the first field"},
		{bson.D{{Key: "$or", Value: bson.A{bson.D{{Key: "cartId", Value: 1}}}}}, "LON", explain.RoutingAll, 265 * time.Millisecond, 265 * time.Millisecond, "says nothing for certain about dataCenter"},
		{nil, "SYD", explain.RoutingAll, 265 * time.Millisecond, 265 * time.Millisecond, "says nothing for certain"},
	} {
		e, err := explain.Explain(t.Context(), router, c.Topology(), "shop.reasons", q.filter, q.from)
		if err != nil {
			t.Fatal(err)
		}
		if e.Routing != q.routing || e.Primary != q.primary || e.Nearest != q.nearest || !strings.Contains(e.Why, q.why) {
			t.Errorf("%v from %s:\ngot %s, %v, %v, %q\nwant %s, %v, %v, %q", q.filter, q.from, e.Routing, e.Primary, e.Nearest, e.Why, q.routing, q.primary, q.nearest, q.why)
		}
	}
	e, err := explain.Explain(t.Context(), router, c.Topology(), "shop.unsharded", nil, "NYC")
	if err != nil || e.Routing != explain.RoutingOne || !strings.Contains(e.Why, "not sharded") {
		t.Errorf("unsharded: got %+v, %v", e, err)
	}
}

func TestExplainRefusesWhatItCannotKnow(t *testing.T) {
	c := world.Start(t)
	uri, err := c.URI("NYC")
	router := connect(t, uri, err)
	uri, err = c.MemberURI("nyc/NYC")
	member := connect(t, uri, err)
	small, err := clustertest.Small()
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]struct {
		err  error
		want error
	}{
		"a mongod":             {explained(t, member, c.Topology(), "shop.carts", nil, "NYC"), topology.ErrNoQueryRouter},
		"an unknown place":     {explained(t, router, c.Topology(), "shop.carts", nil, "TKO"), topology.ErrUndeclared},
		"another topology":     {explained(t, router, small, "shop.carts", nil, clustertest.SmallDC), topology.ErrUndeclared},
		"no namespace":         {explained(t, router, c.Topology(), "carts", nil, "NYC"), nil},
		"no document":          {explained(t, router, c.Topology(), "shop.carts", 7, "NYC"), nil},
		"a filter of nonsense": {explained(t, router, c.Topology(), "shop.carts", bson.D{{Key: "$nonsense", Value: 1}}, "NYC"), nil},
	} {
		if got.err == nil || got.want != nil && !errors.Is(got.err, got.want) {
			t.Errorf("%s: got %v, want %v", name, got.err, got.want)
		}
		if got.want != nil && hint.Of(got.err) == "" {
			t.Errorf("%s: %v has no hint", name, got.err)
		}
	}
}

// A view is told from a server that is no query router: neither names shards.
func TestExplainSaysThatAViewIsOne(t *testing.T) {
	c := world.Start(t)
	uri, err := c.URI("NYC")
	router := connect(t, uri, err)
	db := router.Database("kinds")
	if err := db.CreateView(t.Context(), "view", "none", mongo.Pipeline{}); err != nil {
		t.Fatal(err)
	}
	if err := db.CreateCollection(t.Context(), "series", options.CreateCollection().SetTimeSeriesOptions(options.TimeSeries().SetTimeField("at"))); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"view": "it is a view", "series": "it is a time series"} {
		err := explained(t, router, c.Topology(), "kinds."+name, nil, "NYC")
		if errors.Is(err, topology.ErrNoQueryRouter) || !strings.Contains(fmt.Sprint(err), want) || hint.Of(err) == "" {
			t.Errorf("%s: got %v, want %s, with a hint", name, err, want)
		}
	}
}

func explained(t *testing.T, client *mongo.Client, w *topology.Topology, ns string, filter any, from topology.DatacenterID) error {
	t.Helper()
	_, err := explain.Explain(t.Context(), client, w, ns, filter, from)
	t.Logf("%v", err)
	return err
}

// Answers by source, not recorded: from 8.0 on config.collections has collections that are not
// sharded, from 8.3 on time series by their own name.
func TestOnlyShardedCollectionsHaveAKey(t *testing.T) {
	uri, err := world.Start(t).URI("NYC")
	coll := connect(t, uri, err).Database("explainlisted").Collection("collections")
	if _, err := coll.InsertMany(t.Context(), []any{
		bson.M{"_id": "shop.carts", "key": bson.M{"dc": 1}},
		bson.M{"_id": "shop.moved", "key": bson.M{"_id": 1}, "unsplittable": true},
		bson.M{"_id": "shop.weather", "key": bson.M{"meta.dc": 1}, "timeseriesFields": bson.M{"timeField": "at", "metaField": "meta"}},
	}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{"shop.carts": 1, "shop.moved": 0, "shop.weather": 0} {
		if n, err := coll.CountDocuments(t.Context(), explain.Sharded(name)); n != want || err != nil {
			t.Errorf("%s: got %d, %v, want %d", name, n, err, want)
		}
	}
}
