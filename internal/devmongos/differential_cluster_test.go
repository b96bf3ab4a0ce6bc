package devmongos_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/internal/devmongos"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

// TestMain lets the test binary be the query router of the clusters that the tests start, and closes what they share.
func TestMain(m *testing.M) {
	code := clustertest.Main(m)
	if err := errors.Join(devmongos.CloseShared(), closePlain()); err != nil {
		fmt.Fprintln(os.Stderr, "close the servers of the tests:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// place is the one datacenter of trio, and the first one of world.
const place topology.DatacenterID = "NYC"

// trio is three shards of one member, for tests that break nothing. Each gives itself a database of its own, or drops what the one before has left.
//
// The least cache refuses documents near 16 MB: "transaction is too large and will not fit in the storage engine cache".
var trio = clustertest.World{YAML: `version: 1
datacenters: {NYC: {name: New York}}
shards:
  s0: {members: [{dc: NYC, priority: 1}]}
  s1: {members: [{dc: NYC, priority: 1}]}
  s2: {members: [{dc: NYC, priority: 1}]}
zones: {NYC: {shards: [s0, s1, s2]}}
`, Options: local.Options{Name: "devmongos-trio", OplogSizeMB: 256, CacheSizeGB: 1}}

// A testCluster is a sharded cluster behind devmongos, with direct ways to its shards for the proofs.
type testCluster struct {
	*local.Cluster
	client *mongo.Client
	shards []topology.ShardID
}

func startCluster(t testing.TB) *testCluster { return attach(t, trio.Start(t)) }

// attach connects to the router of place.
func attach(t testing.TB, c *local.Cluster) *testCluster {
	t.Helper()
	out := &testCluster{Cluster: c}
	for _, s := range c.Topology().Shards {
		out.shards = append(out.shards, s.ID)
	}
	out.client = out.at(t, place)
	return out
}

// admin runs a command on the admin database through the router.
func (c *testCluster) admin(ctx context.Context, command bson.D) error {
	return c.client.Database("admin").RunCommand(ctx, command).Err()
}

// dropDatabase drops what another test has left.
func (c *testCluster) dropDatabase(ctx context.Context, t testing.TB, name string) {
	t.Helper()
	if err := c.client.Database(name).Drop(ctx); err != nil {
		t.Fatal(err)
	}
}

// address is the router's host:port.
func (c *testCluster) address(t testing.TB) string {
	t.Helper()
	uri, err := c.URI(place)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(strings.TrimPrefix(uri, "mongodb://"), "/")
}

// direct connects to the primary of a shard, past the router.
func (c *testCluster) direct(ctx context.Context, t testing.TB, shard topology.ShardID) *mongo.Client {
	t.Helper()
	return connect(t, c.directURI(ctx, t, shard))
}

// directURI is the connection string of the primary of a shard alone.
func (c *testCluster) directURI(ctx context.Context, t testing.TB, shard topology.ShardID) string {
	t.Helper()
	status, err := c.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	primary, ok := status.Primary(shard)
	if !ok {
		t.Fatalf("shard %s has no primary: %+v", shard, status.Members)
	}
	uri, err := c.MemberURI(primary.Name)
	if err != nil {
		t.Fatal(err)
	}
	return uri
}

// spread shards the collections so that chunks of each lie on all shards. Zones place them: with zones defined on an
// empty collection the chunks are made in their places, without a migration.
func (c *testCluster) spread(ctx context.Context, t testing.TB, specs []spec) {
	t.Helper()
	must := func(command bson.D) {
		t.Helper()
		if err := c.admin(ctx, command); err != nil {
			t.Fatalf("%s: %v", text(command), err)
		}
	}
	must(d("balancerStop", 1))
	c.dropDatabase(ctx, t, "diff")
	c.dropDatabase(ctx, t, "diff2")
	must(d("enableSharding", "diff", "primaryShard", "s0"))
	must(d("enableSharding", "diff2", "primaryShard", "s1"))
	for i, s := range c.shards {
		must(d("addShardToZone", s, "zone", zoneName(i)))
	}
	for _, s := range specs {
		ns := s.db + "." + s.name
		if !s.sharded() {
			if err := c.client.Database(s.db).CreateCollection(ctx, s.name); err != nil {
				t.Fatalf("create %s: %v", ns, err)
			}
			validate(ctx, t, c.client, s)
			continue
		}
		for i, r := range ranges(s) {
			must(d("updateZoneKeyRange", ns, "min", r[0], "max", r[1], "zone", zoneName(i%len(c.shards))))
		}
		must(d("shardCollection", ns, "key", s.key))
		validate(ctx, t, c.client, s)
		c.checkSpread(ctx, t, ns)
	}
}

func zoneName(i int) string { return "zone" + string(rune('0'+i)) }

// ranges are the zone ranges of a collection, to be given to the shards in turn; none for a hashed key, whose chunks
// lie on all shards from the start.
func ranges(s spec) (out [][2]bson.D) {
	switch s.name {
	case "byvalue":
		return between("k", bson.MinKey{}, nil, -1.5, int32(1), int64(1)<<53+1, "", "b", d(), d("a", int32(2)), bson.Binary{}, bson.Binary{Subtype: 4, Data: make([]byte, 16)},
			bson.ObjectID{0x50}, true, bson.DateTime(0), bson.DateTime(1700000000000), bson.Timestamp{T: 1 << 31}, bson.JavaScript(""), bson.MaxKey{})
	case "bynested":
		return between("a.b", bson.MinKey{}, int32(0), "a", d(), bson.DateTime(0), bson.MaxKey{})
	case "byid":
		return between("_id", bson.MinKey{}, int32(1300), 1900.5, int64(2600), "", "id00001900", d(), bson.ObjectID{}, bson.DateTime(1800), bson.MaxKey{})
	case "byplace", "byplacehash":
		// Two ranges for each datacenter and three shards in turn: every datacenter lies on two shards.
		second := s.key[1].Key
		for _, dc := range slices.Sorted(slices.Values(places)) {
			for _, r := range between(second, bson.MinKey{}, int64(0), bson.MaxKey{}) {
				out = append(out, [2]bson.D{append(d("dc", dc), r[0]...), append(d("dc", dc), r[1]...)})
			}
		}
	}
	return out
}

func between(field string, bounds ...any) (out [][2]bson.D) {
	for i := range len(bounds) - 1 {
		out = append(out, [2]bson.D{d(field, bounds[i]), d(field, bounds[i+1])})
	}
	return out
}

// checkSpread fails unless every shard has a chunk of the collection.
func (c *testCluster) checkSpread(ctx context.Context, t testing.TB, ns string) {
	t.Helper()
	chunks := c.chunks(ctx, t, ns)
	for _, s := range c.shards {
		if chunks[string(s)] == 0 {
			t.Fatalf("%s has no chunk on %s: %v", ns, s, chunks)
		}
	}
	t.Logf("%s: chunks %v", ns, chunks)
}

// chunks counts the chunks of a collection by shard, as config.chunks says it.
func (c *testCluster) chunks(ctx context.Context, t testing.TB, ns string) map[string]int {
	t.Helper()
	config := c.client.Database("config")
	var collection struct{ UUID bson.Binary }
	if err := config.Collection("collections").FindOne(ctx, d("_id", ns)).Decode(&collection); err != nil {
		t.Fatalf("find %s in config.collections: %v", ns, err)
	}
	cursor, err := config.Collection("chunks").Find(ctx, d("uuid", collection.UUID))
	if err != nil {
		t.Fatal(err)
	}
	var chunks []struct{ Shard string }
	if err := cursor.All(ctx, &chunks); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, chunk := range chunks {
		count[chunk.Shard]++
	}
	return count
}

// profile starts the profilers of the shards: every operation on these databases is recorded until the test ends.
func (c *testCluster) profile(ctx context.Context, t testing.TB, databases ...string) {
	t.Helper()
	for _, s := range c.shards {
		client := c.direct(ctx, t, s)
		for _, name := range databases {
			db := client.Database(name)
			if err := db.CreateCollection(ctx, "system.profile", options.CreateCollection().SetCapped(true).SetSizeInBytes(512<<20)); err != nil {
				t.Fatalf("make room for the profile of %s on %s: %v", name, s, err)
			}
			if err := db.RunCommand(ctx, d("profile", 2)).Err(); err != nil {
				t.Fatalf("profile %s on %s: %v", name, s, err)
			}
			t.Cleanup(func() {
				if err := db.RunCommand(context.WithoutCancel(ctx), d("profile", 0)).Err(); err != nil {
					t.Errorf("end the profile of %s on %s: %v", name, s, err)
				}
			})
		}
	}
}

// touched says for every comment on which shards the profilers saw it.
func (c *testCluster) touched(ctx context.Context, t testing.TB, databases ...string) map[string][]string {
	t.Helper()
	seen := map[string][]string{}
	for _, s := range c.shards {
		client := c.direct(ctx, t, s)
		for _, name := range databases {
			raw, err := client.Database(name).Collection("system.profile").Distinct(ctx, "command.comment", bson.D{}).Raw()
			if err != nil {
				t.Fatalf("read the profile of %s on %s: %v", name, s, err)
			}
			values, err := raw.Values()
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range values {
				comment, ok := v.StringValueOK()
				if ok && strings.HasPrefix(comment, "op") && !slices.Contains(seen[comment], string(s)) {
					seen[comment] = append(seen[comment], string(s))
				}
			}
		}
	}
	return seen
}

var _ cluster.Cluster = (*testCluster)(nil)

// TestDifferential runs random operations through devmongos on three shards and on one plain mongod: every answer and
// the contents at the end are the same.
func TestDifferential(t *testing.T) {
	ctx := t.Context()
	plain, sharded := startPlain(t).client, startCluster(t)
	prepare(ctx, t, plain, specs)
	sharded.spread(ctx, t, specs)
	sharded.profile(ctx, t, "diff", "diff2")
	c := comparison{seed: testkit.Seed(t), operations: testkit.Count(t, "operations", 400, 10_000), enough: 25, want: server{name: "plain", client: plain}, got: server{name: "devmongos", client: sharded.client}, specs: specs}
	found := c.run(ctx, t.Logf)
	t.Logf("seed %d: %s", c.seed, found)
	if len(found.differences) > 0 {
		t.Errorf("seed %d: %d differences", c.seed, len(found.differences))
	}

	several := map[int]int{}
	for _, shards := range sharded.touched(ctx, t, "diff", "diff2") {
		several[len(shards)]++
	}
	share := 100 * float64(several[2]+several[3]) / float64(found.operations)
	t.Logf("profiler: of %d operations %d touched one shard, %d two, %d three: %.1f %% touched several", found.operations, several[1], several[2], several[3], share)
	if share < 30 {
		t.Errorf("only %.1f %% of the operations touched several shards", share)
	}
}
