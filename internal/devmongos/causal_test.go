package devmongos

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func timesOnEveryAnswer(t *testing.T, c *smallCluster) {
	sharded(t, c, "times", -1, 1, 101)
	client := raw(t, c.router)
	for _, cmd := range []bson.D{
		d("ping", 1), d("find", "c"), d("find", "c", "filter", d("k", 1)), d("aggregate", "c", "pipeline", bson.A{}, "cursor", d()),
		d("count", "c"), d("distinct", "c", "key", "k"), d("insert", "c", "documents", bson.A{d("k", 5)}),
		d("update", "c", "updates", bson.A{d("q", d(), "u", d("$set", d("x", 1)), "multi", true)}), d("create", "other"), d("drop", "other"),
		d("createIndexes", "c", "indexes", bson.A{d("key", d("x", 1), "name", "x")}), d("listCollections", 1), d("nonsense", 1),
		d("find", "c", "filter", d("$bad", 1)), d("find", "c", "filter", d("k", 1, "$bad", 1)), d("insert", "c", "documents", bson.A{d("_id", 0, "k", -1)}),
		d("findAndModify", "c", "query", d("x", 1), "remove", true), d("getMore", int64(1), "collection", "c"),
	} {
		answer := client.run(t, "times", cmd)
		operation, ok := answer["operationTime"].(bson.Timestamp)
		gossip, _ := answer["$clusterTime"].(bson.M)
		if gossip == nil {
			if doc, isD := answer["$clusterTime"].(bson.D); isD {
				gossip = bson.M{"clusterTime": doc[0].Value}
			}
		}
		cluster, ok2 := gossip["clusterTime"].(bson.Timestamp)
		if !ok || !ok2 || operation.Compare(cluster) > 0 {
			t.Errorf("%v: operationTime %v, $clusterTime %v", cmd, operation, cluster)
		}
	}
}

func snapshotSessions(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "snapsession", -1, 1, 101)
	session, err := coll.Database().Client().StartSession(options.Session().SetSnapshot(true))
	if err != nil {
		t.Fatal(err)
	}
	defer session.EndSession(t.Context())
	ctx := mongo.NewSessionContext(t.Context(), session)
	if err := coll.FindOne(ctx, d("k", 1)).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := coll.UpdateMany(t.Context(), bson.D{}, d("$set", d("later", 1))); err != nil {
		t.Fatal(err)
	}
	c.move(t, "snapsession.c", 0, "s2")
	for _, filter := range []bson.D{d("k", 1), d("k", 101), d("k", d("$gte", 0, "$lt", 100)), {}} {
		cur, err := coll.Find(ctx, filter)
		var docs []bson.M
		if err == nil {
			err = cur.All(ctx, &docs)
		}
		want := 1
		if len(filter) == 0 {
			want = 3
		}
		if err != nil || len(docs) != want {
			t.Errorf("find %v: %v, %v; want %d", filter, docs, err, want)
		}
		for _, doc := range docs {
			if doc["later"] != nil {
				t.Errorf("find %v: a document of a later time", filter)
			}
		}
	}
	if n, err := coll.CountDocuments(ctx, d("later", 1)); err != nil || n != 0 {
		t.Errorf("count: %d, %v", n, err)
	}
	found := coll.Distinct(ctx, "k", d("later", d("$exists", false)))
	var ks []int
	if err := found.Decode(&ks); err != nil || len(ks) != 3 {
		t.Errorf("distinct: %v, %v", ks, err)
	}
	plain := coll.Database().Collection("plain")
	if err := plain.FindOne(ctx, bson.D{}).Err(); err != mongo.ErrNoDocuments {
		t.Errorf("unsharded: %v", err)
	}
}
