package devmongos

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/internal/testkit"
)

func shardCollectionPlacesByZones(t *testing.T, c *commander) {
	const ns = "zoned.carts"
	c.admin(t, with("addShardToZone", "s1", "zone", "LON"))
	c.admin(t, with("addShardToZone", "s2", "zone", "NYC"))
	bound := func(dc any) bson.D { return bson.D{{Key: "dc", Value: dc}, {Key: "id", Value: bson.MinKey{}}} }
	for _, dc := range []string{"LON", "NYC"} {
		c.admin(t, with("updateZoneKeyRange", ns, "min", bound(dc), "max", bound(dc+"\x00"), "zone", dc))
	}
	c.fails(t, "admin", with("updateZoneKeyRange", ns, "min", bound("LON"), "max", bound("LON\x00"), "zone", "NYC"), 178) // RangeOverlapConflict
	c.admin(t, with("shardCollection", ns, "key", bson.D{{Key: "dc", Value: 1}, {Key: "id", Value: 1}}, "unique", true))
	c.insert(t, "zoned", "carts", bson.D{{Key: "dc", Value: "LON"}, {Key: "id", Value: 1}}, bson.D{{Key: "dc", Value: "NYC"}, {Key: "id", Value: 1}})
	for shard, dc := range map[string]string{"s1": "LON", "s2": "NYC"} {
		n, err := c.direct(t, shard).Database("zoned").Collection("carts").CountDocuments(t.Context(), one("dc", dc))
		if err != nil || n != 1 {
			t.Errorf("%s has %d documents of %s, %v", shard, n, dc, err)
		}
	}
	version := c.admin(t, one("getShardVersion", ns))
	if v, ok := version["version"].(bson.Timestamp); !ok || v.T == 0 {
		t.Errorf("getShardVersion: %v", version)
	}
	// Sharding what is sharded already the same way is a success, another way is not.
	c.admin(t, with("shardCollection", ns, "key", bson.D{{Key: "dc", Value: 1}, {Key: "id", Value: 1}}, "unique", true))
	c.fails(t, "admin", with("shardCollection", ns, "key", one("id", 1)), 23) // AlreadyInitialized

	for _, dc := range []string{"LON", "NYC"} {
		c.admin(t, with("updateZoneKeyRange", ns, "min", bound(dc), "max", bound(dc+"\x00"), "zone", nil))
	}
	c.admin(t, with("removeShardFromZone", "s1", "zone", "LON"))
	c.admin(t, with("removeShardFromZone", "s2", "zone", "NYC"))
}

func shardCollectionTakesOptions(t *testing.T, c *commander) {
	c.admin(t, with("enableSharding", "opted", "primaryShard", "s2"))
	c.admin(t, with("enableSharding", "opted"))
	var entry struct{ Primary string }
	if err := c.client.Database("config").Collection("databases").FindOne(t.Context(), one("_id", "opted")).Decode(&entry); err != nil || entry.Primary != "s2" {
		t.Errorf("primary shard of opted: %v, %v", entry, err)
	}
	c.admin(t, with("shardCollection", "opted.hashed", "key", one("id", "hashed"), "numInitialChunks", 6))
	wantEqual(t, "chunks of the hashed", len(c.chunks(t, "opted.hashed")), len("s0 s0 s1 s1 s2 s2"))
	// A shard hides what it does not own: a document under a wrong hash would be missing.
	var docs []bson.D
	for i := range 100 {
		half, err := bson.ParseDecimal128(fmt.Sprintf("%d.5", i))
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, one("id", i), one("id", float64(i)/3), one("id", fmt.Sprint(i)), one("id", bson.NewObjectID()), one("id", half),
			one("id", bson.D{{Key: "n", Value: i}, {Key: "list", Value: bson.A{i, "x"}}}), one("id", bson.DateTime(i)))
	}
	c.insert(t, "opted", "hashed", docs...)
	wantEqual(t, "documents", c.count(t, "opted", "hashed"), len(docs))
	for _, doc := range docs {
		n, err := c.client.Database("opted").Collection("hashed").CountDocuments(t.Context(), doc)
		if err != nil || n < 1 {
			t.Errorf("%v found %d times, %v", doc, n, err)
		}
	}

	c.admin(t, with("addShardToZone", "s0", "zone", "EU"))
	c.admin(t, with("addShardToZone", "s1", "zone", "EU"))
	c.admin(t, with("updateZoneKeyRange", "opted.presplit", "min", bson.D{{Key: "dc", Value: "LON"}, {Key: "id", Value: bson.MinKey{}}},
		"max", bson.D{{Key: "dc", Value: "LON\x00"}, {Key: "id", Value: bson.MinKey{}}}, "zone", "EU"))
	c.admin(t, with("shardCollection", "opted.presplit", "key", bson.D{{Key: "dc", Value: 1}, {Key: "id", Value: "hashed"}},
		"presplitHashedZones", true, "numInitialChunks", 4))
	if chunks := c.chunks(t, "opted.presplit"); len(chunks) < len("s0 s0 s0 s0") {
		t.Errorf("chunks of the presplit zone: %s", chunks)
	}
	c.ok(t, "opted", one("drop", "presplit")) // drops its ranges too
	c.admin(t, with("removeShardFromZone", "s0", "zone", "EU"))
	c.admin(t, with("removeShardFromZone", "s1", "zone", "EU"))

	// Time series stay unsharded, and work so.
	series := bson.D{{Key: "timeField", Value: "t"}}
	c.ok(t, "opted", with("create", "series", "timeseries", series))
	c.insert(t, "opted", "series", one("t", time.Now()))
	wantEqual(t, "documents of the series", c.count(t, "opted", "series"), 1)
	c.fails(t, "admin", with("shardCollection", "opted.series", "key", one("t", 1)), codeIllegalOperation)
	c.fails(t, "admin", with("shardCollection", "opted.series2", "key", one("t", 1), "timeseries", series), codeIllegalOperation)

	// What is in the collection already has to have an index on the key.
	c.insert(t, "opted", "filled", one("x", 1))
	c.fails(t, "admin", with("shardCollection", "opted.filled", "key", one("x", 1)), codeInvalidOptions)
	c.ok(t, "opted", with("createIndexes", "filled", "indexes", index("x_1", one("x", 1))))
	c.admin(t, with("shardCollection", "opted.filled", "key", one("x", 1)))
	c.insert(t, "opted", "filled", one("x", 2))
	wantEqual(t, "documents of the filled", c.count(t, "opted", "filled"), 2)
}

func chunksAreChanged(t *testing.T, c *commander) {
	const ns = "chunks.c"
	c.admin(t, with("enableSharding", "chunks", "primaryShard", "s0"))
	c.admin(t, with("shardCollection", ns, "key", one("k", 1)))
	var docs []bson.D
	for k := range 300 {
		docs = append(docs, one("k", k))
	}
	c.insert(t, "chunks", "c", docs...)

	c.admin(t, with("split", ns, "middle", one("k", 100)))
	wantEqual(t, "after split middle", c.chunks(t, ns), "s0 s0")
	c.admin(t, with("split", ns, "find", one("k", 200)))
	wantEqual(t, "after split find", c.chunks(t, ns), "s0 s0 s0")
	c.admin(t, with("split", ns, "bounds", bson.A{one("k", bson.MinKey{}), one("k", 100)}))
	wantEqual(t, "after split bounds", c.chunks(t, ns), "s0 s0 s0 s0")
	c.fails(t, "admin", with("split", ns, "bounds", bson.A{one("k", 3), one("k", 4)}), codeBadValue)
	c.fails(t, "admin", with("split", ns, "find", one("x", 3)), codeShardKeyNotFound)
	c.fails(t, "admin", one("split", ns), codeInvalidOptions)

	c.admin(t, with("moveChunk", ns, "find", one("k", 299), "to", "s1", "_waitForDelete", true))
	wantEqual(t, "after moveChunk find", c.chunks(t, ns), "s0 s0 s0 s1")
	c.admin(t, with("moveChunk", ns, "bounds", bson.A{one("k", bson.MinKey{}), one("k", 50)}, "to", "s2", "_secondaryThrottle", true, "writeConcern", one("w", 1)))
	wantEqual(t, "after moveChunk bounds", c.chunks(t, ns), "s2 s0 s0 s1")
	c.admin(t, with("moveRange", ns, "min", one("k", 50), "max", one("k", 100), "toShard", "s1", "forceJumbo", true))
	wantEqual(t, "after moveRange", c.chunks(t, ns), "s2 s1 s0 s1")
	c.fails(t, "admin", with("moveChunk", ns, "find", one("k", 1), "to", "s9"), codeShardNotFound)
	wantEqual(t, "documents", c.count(t, "chunks", "c"), 300)
	c.insert(t, "chunks", "c", one("k", -1), one("k", 60), one("k", 120), one("k", 1000))
	wantEqual(t, "documents after moves", c.count(t, "chunks", "c"), 304)

	c.admin(t, with("moveRange", ns, "min", one("k", 100), "toShard", "s1"))
	c.admin(t, with("mergeChunks", ns, "bounds", bson.A{one("k", 50), one("k", bson.MaxKey{})}))
	wantEqual(t, "after mergeChunks", c.chunks(t, ns), "s2 s1")
	c.admin(t, with("clearJumboFlag", ns, "find", one("k", 1)))
	c.admin(t, with("flushRouterConfig", ns))
	c.admin(t, with("flushRouterConfig", "chunks"))
	c.admin(t, one("flushRouterConfig", 1))
	wantEqual(t, "documents at last", c.count(t, "chunks", "c"), 304)
}

// The config server of 6.0.5 crashes on such a command, so it must not get there.
func rangeWithoutMin(t *testing.T, c *commander) {
	c.shard(t, "minless", "c")
	c.fails(t, "admin", with("moveRange", "minless.c", "max", one("k", 0), "toShard", "s1"), codeInvalidOptions)
	c.fails(t, "admin", with("moveRange", "minless.c", "min", one("k", 0)), codeInvalidOptions)
}

func keyIsRefined(t *testing.T, c *commander) {
	c.admin(t, with("shardCollection", "refined.c", "key", one("k", 1)))
	c.insert(t, "refined", "c", bson.D{{Key: "k", Value: 1}, {Key: "x", Value: 1}})
	finer := bson.D{{Key: "k", Value: 1}, {Key: "x", Value: 1}}
	c.ok(t, "refined", with("createIndexes", "c", "indexes", index("k_x", finer)))
	c.admin(t, with("refineCollectionShardKey", "refined.c", "key", finer))
	var entry struct{ Key bson.D }
	if err := c.client.Database("config").Collection("collections").FindOne(t.Context(), one("_id", "refined.c")).Decode(&entry); err != nil || len(entry.Key) != 2 {
		t.Errorf("shard key: %v, %v", entry.Key, err)
	}
	c.insert(t, "refined", "c", bson.D{{Key: "k", Value: 2}, {Key: "x", Value: 2}})
	wantEqual(t, "documents", c.count(t, "refined", "c"), 2)
}

func primaryMoves(t *testing.T, c *commander) {
	c.admin(t, with("enableSharding", "moving", "primaryShard", "s0"))
	c.insert(t, "moving", "plain", one("_id", 1))
	c.admin(t, with("movePrimary", "moving", "to", "s1"))
	wantEqual(t, "documents", c.count(t, "moving", "plain"), 1)
	c.insert(t, "moving", "plain", one("_id", 2))
	n, err := c.direct(t, "s1").Database("moving").Collection("plain").CountDocuments(t.Context(), bson.D{})
	if err != nil || n != 2 {
		t.Errorf("new primary shard has %d documents, %v; want 2", n, err)
	}
}

// A resharding takes five minutes at least, so this one is not seen to its end.
func reshardingStarts(t *testing.T, c *commander) {
	const ns = "reshard.c"
	c.admin(t, with("shardCollection", ns, "key", one("k", 1)))
	const documents = 200 // 6.0.27 refuses a key with too few values for its chunks (4952606): it takes ten for each
	var all []bson.D
	for i := range documents {
		all = append(all, bson.D{{Key: "k", Value: i}, {Key: "x", Value: i}})
	}
	c.insert(t, "reshard", "c", all...)
	ended := make(chan error, 1)
	go func() {
		_, err := c.try(t, "admin", with("reshardCollection", ns, "key", one("x", 1), "numInitialChunks", 3))
		ended <- err
	}()
	collections := c.client.Database("config").Collection("collections")
	testkit.EventuallyNil(t, testkit.Patience, "resharding is under way", func(ctx context.Context) error {
		select {
		case err := <-ended:
			t.Fatalf("reshardCollection ended at once: %v", err)
		default:
		}
		return collections.FindOne(ctx, bson.D{{Key: "_id", Value: ns}, {Key: "reshardingFields", Value: one("$exists", true)}}).Err()
	})
	if answer, err := c.try(t, "admin", one("cleanupReshardCollection", ns)); err == nil {
		t.Errorf("cleanupReshardCollection while resharding: %v", answer)
	}
	c.admin(t, one("abortReshardCollection", ns))
	if err := <-ended; err == nil {
		t.Error("the aborted reshardCollection was a success")
	}
	wantEqual(t, "documents", c.count(t, "reshard", "c"), documents)
}

func balancerObeys(t *testing.T, c *commander) {
	c.shard(t, "balance", "c")
	c.admin(t, with("balancerStart", 1, "maxTimeMS", 10_000))
	wantEqual(t, "mode", c.admin(t, one("balancerStatus", 1))["mode"], any("full"))
	c.admin(t, one("balancerStop", 1))
	wantEqual(t, "mode", c.admin(t, one("balancerStatus", 1))["mode"], any("off"))
	wantEqual(t, "compliant", c.admin(t, one("balancerCollectionStatus", "balance.c"))["balancerCompliant"], any(true))
	c.admin(t, with("configureCollectionBalancing", "balance.c", "chunkSize", 16))
	wantEqual(t, "chunk size", c.admin(t, one("balancerCollectionStatus", "balance.c"))["chunkSize"], any(16.0))
}

// A fourth shard comes, goes, and comes again with something on it.
func shardsAreAddedAndRemoved(t *testing.T, c *commander) {
	wantShards := func(want int) {
		t.Helper()
		wantEqual(t, "number of shards", len(c.admin(t, one("listShards", 1))["shards"].(bson.A)), want)
	}
	wantShards(3)
	if shardMap := c.admin(t, one("getShardMap", 1)); shardMap["map"] == nil {
		t.Errorf("getShardMap: %v", shardMap)
	}
	c.fails(t, "admin", one("removeShard", "s9"), codeShardNotFound)
	fourth, err := c.startSet(t.Context(), "s3", "--shardsvr", 1)
	if err != nil {
		t.Fatal(err)
	}
	add := func() {
		t.Helper()
		wantEqual(t, "shardAdded", c.admin(t, with("addShard", "s3/"+fourth.members[0], "name", "s3"))["shardAdded"], any("s3"))
		wantShards(4)
	}
	remove := func() {
		t.Helper()
		wantEqual(t, "state", c.admin(t, one("removeShard", "s3"))["state"], any("started"))
		testkit.Eventually(t, testkit.Patience, "removal of an empty shard", func() bool { return c.admin(t, one("removeShard", "s3"))["state"] == "completed" })
		wantShards(3)
	}
	add()
	remove()
	add()
	c.admin(t, with("enableSharding", "readded", "primaryShard", "s3"))
	c.admin(t, with("shardCollection", "readded.c", "key", one("k", 1)))
	wantEqual(t, "chunks", c.chunks(t, "readded.c"), "s3")
	c.insert(t, "readded", "c", one("k", -1), one("k", 1), one("k", 101))
	wantEqual(t, "documents", c.count(t, "readded", "c"), 3)
	c.ok(t, "readded", one("dropDatabase", 1))
	remove()
}

// Another router changes things: ours finds out from the shards, whatever it is asked next.
func othersChangeThings(t *testing.T, c *commander) {
	for _, next := range []struct {
		name string
		cmd  bson.D
	}{
		{"create", one("create", "new")},
		{"listCollections", one("listCollections", 1)},
		{"createIndexes", with("createIndexes", "plain", "indexes", index("x_1", one("x", 1)))},
		{"listIndexes", one("listIndexes", "plain")},
		{"collMod", with("collMod", "plain", "validator", bson.D{})},
		{"collStats", one("collStats", "plain")},
		{"drop", one("drop", "plain")},
	} {
		db := "foreign" + next.name
		c.admin(t, with("enableSharding", db, "primaryShard", "s0"))
		c.insert(t, db, "plain", one("_id", 1))
		c.ok(t, db, one("listIndexes", "plain"))
		c.movePrimaryDirectly(t, db, "s1")
		c.ok(t, db, next.cmd)
		want := []string{"plain"}
		switch next.name {
		case "create":
			want = []string{"new", "plain"}
		case "drop":
			want = nil
		}
		names, err := c.direct(t, "s1").Database(db).ListCollectionNames(t.Context(), bson.D{})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(names)
		if !slices.Equal(names, want) {
			t.Errorf("%s: the new primary shard has %v, want %v", next.name, names, want)
		}
	}

	c.admin(t, with("enableSharding", "foreign", "primaryShard", "s0"))
	c.admin(t, with("shardCollection", "foreign.c", "key", one("k", 1)))
	c.insert(t, "foreign", "c", one("k", 1), one("k", 2))
	c.move(t, "foreign.c", nil, "s2")
	c.ok(t, "foreign", with("createIndexes", "c", "indexes", index("x_1", one("x", 1))))
	wantEqual(t, "indexes on the new owner", c.indexes(t, "s2", "foreign", "c"), 3)
	wantEqual(t, "count", c.ok(t, "foreign", one("collStats", "c"))["count"], any(int64(2)))
	wantEqual(t, "documents", c.count(t, "foreign", "c"), 2)
}

// movePrimaryDirectly moves a database's primary shard as another router would.
func (c *commander) movePrimaryDirectly(t *testing.T, db, to string) {
	t.Helper()
	var entry struct {
		Primary string
		Version bson.Raw
	}
	if err := c.configAdmin(t).Database("config").Collection("databases").FindOne(t.Context(), one("_id", db)).Decode(&entry); err != nil {
		t.Fatal(err)
	}
	cmd := append(with("_shardsvrMovePrimary", db, "to", to, "databaseVersion", entry.Version), majority)
	if err := c.direct(t, entry.Primary).Database("admin").RunCommand(t.Context(), cmd).Err(); err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
}
