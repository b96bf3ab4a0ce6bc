package devmongos_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/topology"
)

// worldDatacenters are those of world. The first is the place where testCluster.client is.
var worldDatacenters = []topology.DatacenterID{place, "LON", "SYD"}

// world is three datacenters a few milliseconds apart, three shards with a member and one home in each, and a devmongos in each; the third member of a shard never stands for election, so no vote is split. Its tests kill and lag
// members, and leave it whole.
var world = clustertest.World{YAML: `version: 1
datacenters:
  NYC: {name: New York}
  LON: {name: London}
  SYD: {name: Sydney}
links:
  - {between: [NYC, LON], rtt: 4ms}
  - {between: [NYC, SYD], rtt: 6ms}
  - {between: [LON, SYD], rtt: 6ms}
shards:
  s0: {members: [{dc: NYC, priority: 5}, {dc: LON, priority: 1}, {dc: SYD, priority: 0}]}
  s1: {members: [{dc: LON, priority: 5}, {dc: NYC, priority: 1}, {dc: SYD, priority: 0}]}
  s2: {members: [{dc: SYD, priority: 5}, {dc: NYC, priority: 1}, {dc: LON, priority: 0}]}
zones:
  NYC: {shards: [s0]}
  LON: {shards: [s1]}
  SYD: {shards: [s2]}
`, Options: local.Options{Name: "devmongos-world", WANScale: 1, OplogSizeMB: 256}}

func startWorld(t testing.TB) *testCluster { return attach(t, world.Start(t)) }

// at connects to the router of a datacenter.
func (c *testCluster) at(t testing.TB, dc topology.DatacenterID) *mongo.Client {
	t.Helper()
	uri, err := c.URI(dc)
	if err != nil {
		t.Fatal(err)
	}
	return connect(t, uri)
}

// membersOf are the members of a shard.
func (c *testCluster) membersOf(t testing.TB, shard topology.ShardID) (members []cluster.Member) {
	t.Helper()
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range status.Members {
		if m.Shard == shard {
			members = append(members, m)
		}
	}
	return members
}

func (c *testCluster) memberURI(t testing.TB, name string) string {
	t.Helper()
	uri, err := c.MemberURI(name)
	if err != nil {
		t.Fatal(err)
	}
	return uri
}

// TestNoOrphansOnSecondaries checks that reads on secondaries do not return the orphans that a migration leaves behind.
func TestNoOrphansOnSecondaries(t *testing.T) {
	ctx := t.Context()
	c := startWorld(t)
	c.spreadCausal(ctx, t, "orphans")
	coll := seedCausal(ctx, t, c.client, "orphans")
	secondary := options.Collection().SetReadPreference(readpref.Secondary())
	majority := options.Collection().SetReadPreference(readpref.Secondary()).SetReadConcern(readconcern.Majority())
	filter := d("k", d("$gte", int32(1000), "$lt", int32(2000)))
	want, err := coll.CountDocuments(ctx, filter)
	if err != nil || want == 0 {
		t.Fatalf("%d documents to move, %v", want, err)
	}
	if err := c.admin(ctx, d("moveRange", "causal.orphans", "min", d("k", int32(1000)), "toShard", "s2")); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]*options.CollectionOptionsBuilder{"no read concern": secondary, "majority": majority} {
		cursor, err := coll.Database().Collection("orphans", o).Find(ctx, filter)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var docs []bson.M
		if err := cursor.All(ctx, &docs); err != nil || len(docs) > int(want) {
			t.Errorf("%s: got %v, %v; want %d documents at most (fewer while the secondary is behind)", name, docs, err, want)
		}
	}
}
