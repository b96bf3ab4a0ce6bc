package devmongos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// TestCommands runs every administrative command through the router on the shared cluster, each with a database of its own.
func TestCommands(t *testing.T) {
	c := sharedSmall(t)
	run := &commander{c, c.client(t), map[string]bool{}}
	for _, rule := range []struct {
		name  string
		check func(*testing.T, *commander)
	}{
		{"shards are listed, added and removed", shardsAreAddedAndRemoved},
		{"databases appear and vanish", databasesAppearAndVanish},
		{"collections are created, changed, renamed and dropped", collectionsAreDefined},
		{"config collections are defined on the config servers", configIsDefined},
		{"indexes are built on every owner", indexesAreBuiltOnEveryOwner},
		{"a unique index without the key is refused", uniqueIndexWithoutKey},
		{"listings go on in batches", listingsGoOn},
		{"shardCollection places by zones", shardCollectionPlacesByZones},
		{"shardCollection takes its options", shardCollectionTakesOptions},
		{"chunks are split, moved and merged", chunksAreChanged},
		{"a range without min is refused", rangeWithoutMin},
		{"the shard key is refined", keyIsRefined},
		{"the primary shard moves", primaryMoves},
		{"resharding starts and is aborted", reshardingStarts},
		{"changes by other routers are noticed", othersChangeThings},
		{"the balancer obeys", balancerObeys},
		{"statistics add up", statisticsAddUp},
		{"default concerns are kept", defaultConcerns},
		{"the feature version is set", featureVersion60},
		{"the server tells of itself", serverTellsOfItself},
		{"errors are mongos' own", errorsAreMongos},
	} {
		t.Run(rule.name, func(t *testing.T) { rule.check(t, run) })
	}
	if t.Failed() {
		return
	}
	r := &router{}
	tables := []map[string]handler{
		(&definitions{&reads{router: r}}).commands(), (&statistics{r}).commands(), (&sharding{r}).commands(), (&chunks{r}).commands(), (&answers{}).commands(),
	}
	total := 0
	for _, table := range tables {
		for _, name := range slices.Sorted(maps.Keys(table)) {
			total++
			if !run.sent[name] {
				t.Errorf("no test sends %s", name)
			}
		}
	}
	t.Logf("%d commands sent", total)
}

// A commander sends commands and remembers which.
type commander struct {
	*smallCluster
	client *mongo.Client
	sent   map[string]bool
}

func (c *commander) try(t *testing.T, db string, cmd bson.D) (bson.M, error) {
	t.Helper()
	c.sent[cmd[0].Key] = true
	var answer bson.M
	err := c.client.Database(db).RunCommand(t.Context(), cmd).Decode(&answer)
	return answer, err
}

func (c *commander) ok(t *testing.T, db string, cmd bson.D) bson.M {
	t.Helper()
	answer, err := c.try(t, db, cmd)
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	return answer
}

func (c *commander) admin(t *testing.T, cmd bson.D) bson.M {
	t.Helper()
	return c.ok(t, "admin", cmd)
}

func (c *commander) fails(t *testing.T, db string, cmd bson.D, code int) {
	t.Helper()
	_, err := c.try(t, db, cmd)
	var answered mongo.CommandError
	if !errors.As(err, &answered) || answered.Code != int32(code) {
		t.Errorf("%v: %v, want code %d", cmd, err, code)
	}
}

func (c *commander) insert(t *testing.T, db, collection string, docs ...bson.D) {
	t.Helper()
	if _, err := c.client.Database(db).Collection(collection).InsertMany(t.Context(), docs); err != nil {
		t.Fatalf("insert into %s.%s: %v", db, collection, err)
	}
}

func (c *commander) count(t *testing.T, db, collection string) int {
	t.Helper()
	cursor, err := c.client.Database(db).Collection(collection).Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var docs []bson.Raw
	if err := cursor.All(t.Context(), &docs); err != nil {
		t.Fatal(err)
	}
	return len(docs)
}

func (c *commander) databases(t *testing.T) []string {
	t.Helper()
	names, err := c.client.ListDatabaseNames(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func (c *commander) collections(t *testing.T, db string) []string {
	t.Helper()
	names, err := c.client.Database(db).ListCollectionNames(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// chunks tells where the chunks of a collection are, in the order of their keys: "s0 s1 s1".
func (c *commander) chunks(t *testing.T, ns string) string {
	t.Helper()
	var entry struct {
		UUID bson.Binary `bson:"uuid"`
	}
	config := c.client.Database("config")
	if err := config.Collection("collections").FindOne(t.Context(), one("_id", ns)).Decode(&entry); err != nil {
		t.Fatalf("read config.collections: %v", err)
	}
	cursor, err := config.Collection("chunks").Find(t.Context(), one("uuid", entry.UUID), options.Find().SetSort(one("min", 1)))
	if err != nil {
		t.Fatal(err)
	}
	var chunks []struct{ Shard string }
	if err := cursor.All(t.Context(), &chunks); err != nil {
		t.Fatal(err)
	}
	list := ""
	for _, chunk := range chunks {
		list += " " + chunk.Shard
	}
	return list[1:]
}

// indexes counts the indexes that a shard really has.
func (c *commander) indexes(t *testing.T, shard, db, collection string) int {
	t.Helper()
	specs, err := c.direct(t, shard).Database(db).Collection(collection).Indexes().ListSpecifications(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(specs)
}

func one(key string, value any) bson.D { return bson.D{{Key: key, Value: value}} }

// with adds arguments to a command: pairs of name and value.
func with(name string, target any, args ...any) bson.D {
	cmd := one(name, target)
	for i := 0; i < len(args); i += 2 {
		cmd = append(cmd, bson.E{Key: args[i].(string), Value: args[i+1]})
	}
	return cmd
}

func wantEqual(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func databasesAppearAndVanish(t *testing.T, c *commander) {
	c.insert(t, "vanish", "plain", one("_id", 1))
	c.shard(t, "vanish2", "c")
	c.insert(t, "vanish2", "c", one("k", -1), one("k", 1), one("k", 101))
	if names := c.databases(t); !slices.Contains(names, "vanish") || !slices.Contains(names, "vanish2") || !slices.Contains(names, "config") || slices.Contains(names, "local") {
		t.Errorf("databases: %v", names)
	}
	sizes := c.admin(t, one("listDatabases", 1))
	if size, _ := sizes["totalSize"].(int64); size <= 0 {
		t.Errorf("totalSize = %v", sizes["totalSize"])
	}
	filtered := c.admin(t, with("listDatabases", 1, "filter", one("name", "vanish"), "nameOnly", true))
	wantEqual(t, "filtered", filtered["databases"], bson.A{bson.D{{Key: "name", Value: "vanish"}}})

	wantEqual(t, "dropped", c.ok(t, "vanish2", one("dropDatabase", 1))["dropped"], any("vanish2"))
	c.ok(t, "vanish", one("dropDatabase", 1))
	c.ok(t, "neverThere", one("dropDatabase", 1))
	if names := c.databases(t); slices.Contains(names, "vanish") || slices.Contains(names, "vanish2") {
		t.Errorf("databases after dropDatabase: %v", names)
	}
	for _, shard := range []string{"s0", "s1", "s2"} {
		names, err := c.direct(t, shard).ListDatabaseNames(t.Context(), bson.D{})
		if err != nil || slices.Contains(names, "vanish2") {
			t.Errorf("databases on %s: %v, %v", shard, names, err)
		}
	}
	// The same name again, at once: nothing of the old database is remembered.
	c.insert(t, "vanish2", "c", one("_id", 1))
	wantEqual(t, "documents", c.count(t, "vanish2", "c"), 1)
	c.fails(t, "admin", one("dropDatabase", 1), codeIllegalOperation)
}

func collectionsAreDefined(t *testing.T, c *commander) {
	c.ok(t, "define", with("create", "capped", "capped", true, "size", 4096))
	c.ok(t, "define", one("create", "plain"))
	c.ok(t, "define", with("create", "view", "viewOn", "plain", "pipeline", bson.A{}))
	c.fails(t, "define", with("create", "capped", "capped", false), 48) // NamespaceExists
	wantEqual(t, "collections", c.collections(t, "define"), []string{"capped", "plain", "system.views", "view"})

	c.insert(t, "define", "plain", one("_id", 1))
	c.ok(t, "define", with("collMod", "plain", "validator", one("x", 1)))
	if _, err := c.client.Database("define").Collection("plain").InsertOne(t.Context(), one("_id", 2)); err == nil {
		t.Error("the validator of collMod lets a bad document pass")
	}
	c.fails(t, "define", with("collMod", "missing", "validator", bson.D{}), codeNamespaceNotFound)
	c.fails(t, "noSuchDatabase", with("collMod", "missing", "validator", bson.D{}), codeNamespaceNotFound)

	c.admin(t, with("renameCollection", "define.plain", "to", "define.renamed"))
	wantEqual(t, "documents of the renamed", c.count(t, "define", "renamed"), 1)
	wantEqual(t, "documents of the old name", c.count(t, "define", "plain"), 0)
	c.fails(t, "admin", with("renameCollection", "define.plain", "to", "define.x"), codeNamespaceNotFound)
	c.fails(t, "admin", with("renameCollection", "define.renamed", "to", "define.capped"), 48)
	c.admin(t, with("renameCollection", "define.renamed", "to", "define.capped", "dropTarget", true))

	c.shard(t, "define2", "c")
	c.insert(t, "define2", "c", one("k", -1), one("k", 1), one("k", 101))
	c.admin(t, with("renameCollection", "define2.c", "to", "define2.d"))
	wantEqual(t, "documents of the renamed sharded", c.count(t, "define2", "d"), 3)
	wantEqual(t, "its chunks", c.chunks(t, "define2.d"), "s0 s1 s2")
	c.ok(t, "define2", one("drop", "d"))
	wantEqual(t, "documents after drop", c.count(t, "define2", "d"), 0)
	c.ok(t, "define2", one("drop", "d"))
	c.ok(t, "noSuchDatabase", one("drop", "d"))
	if slices.Contains(c.databases(t), "noSuchDatabase") {
		t.Error("drop created a database")
	}
}

func configIsDefined(t *testing.T, c *commander) {
	c.ok(t, "config", one("create", "ours"))
	c.ok(t, "config", with("createIndexes", "ours", "indexes", bson.A{bson.D{{Key: "key", Value: one("a", 1)}, {Key: "name", Value: "a_1"}}}))
	if names := c.collections(t, "config"); !slices.Contains(names, "ours") || !slices.Contains(names, "chunks") {
		t.Errorf("collections of config: %v", names)
	}
	specs, err := c.client.Database("config").Collection("ours").Indexes().ListSpecifications(t.Context())
	if err != nil || len(specs) != 2 {
		t.Errorf("indexes of config.ours: %v, %v", specs, err)
	}
	c.ok(t, "config", with("dropIndexes", "ours", "index", "a_1"))
	c.ok(t, "config", one("drop", "ours"))
	if names := c.collections(t, "config"); slices.Contains(names, "ours") {
		t.Errorf("collections of config after drop: %v", names)
	}
}

func index(name string, key bson.D, more ...bson.E) bson.A {
	return bson.A{append(bson.D{{Key: "key", Value: key}, {Key: "name", Value: name}}, more...)}
}

func indexesAreBuiltOnEveryOwner(t *testing.T, c *commander) {
	c.shard(t, "index", "c")
	c.ok(t, "index", with("createIndexes", "c", "indexes", index("x_1", one("x", 1))))
	c.ok(t, "index", with("createIndexes", "c", "indexes", index("x_1", one("x", 1)))) // again
	for _, shard := range []string{"s0", "s1", "s2"} {
		wantEqual(t, "indexes on "+shard, c.indexes(t, shard, "index", "c"), 3)
	}
	c.ok(t, "index", with("dropIndexes", "c", "index", "x_1"))
	c.ok(t, "index", with("createIndexes", "c", "indexes", index("y_1", one("y", 1))))
	c.ok(t, "index", with("deleteIndexes", "c", "index", "y_1"))
	for _, shard := range []string{"s0", "s1", "s2"} {
		wantEqual(t, "indexes on "+shard+" after dropping", c.indexes(t, shard, "index", "c"), 2)
	}
	c.ok(t, "index2", with("createIndexes", "fresh", "indexes", index("x_1", one("x", 1)))) // creates database and collection
	wantEqual(t, "collections", c.collections(t, "index2"), []string{"fresh"})
	c.ok(t, "index2", one("listIndexes", "fresh"))
	c.fails(t, "index2", one("listIndexes", "missing"), codeNamespaceNotFound)
	c.fails(t, "noSuchDatabase", one("listIndexes", "missing"), codeNamespaceNotFound)
}

func uniqueIndexWithoutKey(t *testing.T, c *commander) {
	c.shard(t, "unique", "c")
	c.fails(t, "unique", with("createIndexes", "c", "indexes", index("x_1", one("x", 1), bson.E{Key: "unique", Value: true})), 67)
	c.ok(t, "unique", with("createIndexes", "c", "indexes", index("k_x", bson.D{{Key: "k", Value: 1}, {Key: "x", Value: 1}}, bson.E{Key: "unique", Value: true})))
}

func listingsGoOn(t *testing.T, c *commander) {
	var want []string
	for i := range 7 {
		want = append(want, fmt.Sprintf("c%d", i))
		c.ok(t, "batches", one("create", want[i]))
	}
	cursor, err := c.client.Database("batches").ListCollections(t.Context(), bson.D{}, options.ListCollections().SetBatchSize(2))
	if err != nil {
		t.Fatal(err)
	}
	var found []struct{ Name string }
	if err := cursor.All(t.Context(), &found); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found {
		got = append(got, f.Name)
	}
	slices.Sort(got)
	wantEqual(t, "collections in batches of 2", got, want)
	c.ok(t, "batches", with("listCollections", 1, "nameOnly", true))

	for i := range 5 {
		c.ok(t, "batches", with("createIndexes", "c0", "indexes", index(fmt.Sprint("x", i), one(fmt.Sprint("x", i), 1))))
	}
	indexes, err := c.client.Database("batches").Collection("c0").Indexes().List(t.Context(), options.ListIndexes().SetBatchSize(2))
	if err != nil {
		t.Fatal(err)
	}
	var specs []bson.Raw
	if err := indexes.All(t.Context(), &specs); err != nil || len(specs) != 6 {
		t.Errorf("indexes in batches of 2: %d, %v, want 6", len(specs), err)
	}
}

func errorsAreMongos(t *testing.T, c *commander) {
	_, err := c.try(t, "admin", one("replSetGetStatus", 1))
	var answered mongo.CommandError
	if !errors.As(err, &answered) || answered.Message != "replSetGetStatus is not supported through mongos" || answered.Raw.Lookup("info").StringValue() != "mongos" {
		t.Errorf("replSetGetStatus: %v", err)
	}
	c.fails(t, "admin", one("atlasVersion", 1), codeCommandNotFound)
	c.fails(t, "admin", one("_configsvrBalancerStart", 1), codeCommandNotFound)
	c.fails(t, "shop", one("listShards", 1), codeUnauthorized)
	c.fails(t, "admin", with("moveChunk", "no.where", "find", one("k", 1), "to", "s0"), 118)
	c.fails(t, "admin", with("shardCollection", "nodot", "key", one("k", 1)), codeInvalidNamespace)
	c.fails(t, "admin", with("shardCollection", "config.ours", "key", one("k", 1)), codeIllegalOperation)
	// Each server has a local database of its own; s/commands/strategy.cpp says so before it asks
	// anything else.
	for _, cmd := range []bson.D{one("find", "oplog.rs"), one("insert", "c"), one("hello", 1), one("ping", 1), with("saslStart", 1, "mechanism", "SCRAM-SHA-256")} {
		c.fails(t, "local", cmd, codeIllegalOperation)
	}
	c.fails(t, "local", one("noSuchCommand", 1), codeCommandNotFound)
	c.fails(t, "admin", with("updateZoneKeyRange", "zoneless.c", "min", one("k", 1), "max", one("k", 2), "zone", "nobody"), 177) // ZoneNotFound
	c.fails(t, "admin", with("movePrimary", "noSuchDatabase", "to", "s0"), codeNamespaceNotFound)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.client.Ping(ctx, nil); err == nil {
		t.Error("ping under an ended context succeeded")
	}
}
