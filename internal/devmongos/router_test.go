package devmongos

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestRouter checks the router's rules one by one on the shared cluster; each rule has a database of its own.
func TestRouter(t *testing.T) {
	c := sharedSmall(t)
	for name, rule := range map[string]func(*testing.T, *smallCluster){
		"second router, connection limit":       secondRouter,
		"core must be free":                     coreMustBeFree,
		"command ends when its client goes":     commandEndsWithClient,
		"looks like a mongos":                   looksLikeMongos,
		"refuses unknown commands":              refusesUnknown,
		"point insert and find":                 pointInsertAndFind,
		"cursor over all shards":                cursorOverShards,
		"killed cursors are gone":               killedCursors,
		"count and distinct":                    countAndDistinct,
		"explain":                               explains,
		"explain of writes names the shards":    explainsWrites,
		"change streams are refused":            refusesChangeStreams,
		"startSession":                          startsSession,
		"reads follow a moved chunk":            readsFollowMove,
		"writes follow a moved chunk":           writesFollowMove,
		"batches over shards keep their order":  orderedBatch,
		"errors keep the client's indexes":      errorIndexes,
		"retried statements run once":           retriedStatements,
		"multi-writes reach every shard":        multiWrites,
		"single writes need the key or the _id": singleWrites,
		"upserts need the whole key":            upserts,
		"findAndModify needs the key":           findsAndModifies,
		"unacknowledged writes":                 unacknowledged,
		"unsharded collections":                 unsharded,
		"causal session reads its own writes":   causalSession,
		"reads of config":                       readsConfig,
		"reads of a missing database are empty": missingDatabase,
	} {
		t.Run(name, func(t *testing.T) { rule(t, c) })
	}
}

func looksLikeMongos(t *testing.T, c *smallCluster) {
	client := c.client(t)
	var hello bson.M
	if err := client.Database("admin").RunCommand(t.Context(), bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		t.Fatal(err)
	}
	if hello["msg"] != "isdbgrid" || hello["setName"] != nil || hello["isWritablePrimary"] != true || hello["$clusterTime"] == nil {
		t.Errorf("got %v", hello)
	}
	if err := client.Ping(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func pointInsertAndFind(t *testing.T, c *smallCluster) {
	c.shard(t, "point", "c")
	coll := c.client(t).Database("point").Collection("c")
	for _, k := range []int{-5, 5, 500} {
		if _, err := coll.InsertOne(t.Context(), bson.D{{Key: "k", Value: k}}); err != nil {
			t.Fatal(err)
		}
		var got bson.M
		if err := coll.FindOne(t.Context(), bson.D{{Key: "k", Value: k}}).Decode(&got); err != nil || got["_id"] == nil {
			t.Errorf("k %d: %v, %v", k, got, err)
		}
	}
	for shard, k := range map[string]int{"s0": -5, "s1": 5, "s2": 500} {
		var docs []bson.M
		cur, err := c.direct(t, shard).Database("point").Collection("c").Find(t.Context(), bson.D{})
		if err != nil {
			t.Fatal(err)
		}
		if err := cur.All(t.Context(), &docs); err != nil || len(docs) != 1 || docs[0]["k"] != int32(k) {
			t.Errorf("shard %s: got %v, %v; want the document of k %d", shard, docs, err, k)
		}
	}
	cur, err := coll.Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var all []bson.M
	if err := cur.All(t.Context(), &all); err != nil || len(all) != 3 {
		t.Errorf("got %v, %v", all, err)
	}
}
