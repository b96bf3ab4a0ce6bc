package devmongos

import (
	"errors"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// The new version alone would be accepted by the old owner, where the documents no longer are: writes have to find the new one.
func writesFollowMove(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "movedwrites", -1, 1, 2, 3, 101)
	c.move(t, "movedwrites.c", 0, "s2")
	if r, err := coll.UpdateOne(t.Context(), d("k", 1), d("$set", d("x", 1))); err != nil || r.ModifiedCount != 1 {
		t.Errorf("update: %+v, %v", r, err)
	}
	c.move(t, "movedwrites.c", 0, "s0")
	if r, err := coll.DeleteOne(t.Context(), d("k", 2)); err != nil || r.DeletedCount != 1 {
		t.Errorf("delete: %+v, %v", r, err)
	}
	c.move(t, "movedwrites.c", 0, "s2")
	if err := coll.FindOneAndUpdate(t.Context(), d("k", 3), d("$set", d("x", 1))).Err(); err != nil {
		t.Errorf("findAndModify: %v", err)
	}
	for _, ordered := range []bool{true, false} {
		c.move(t, "movedwrites.c", 0, map[bool]string{true: "s0", false: "s2"}[ordered])
		var docs []any
		for k := -5; k < 120; k += 5 {
			docs = append(docs, d("k", k, "ordered", ordered))
		}
		if _, err := coll.InsertMany(t.Context(), docs, options.InsertMany().SetOrdered(ordered)); err != nil {
			t.Errorf("insert, ordered %t: %v", ordered, err)
		}
		if n, err := coll.CountDocuments(t.Context(), d("ordered", ordered)); err != nil || int(n) != len(docs) {
			t.Errorf("insert, ordered %t: found %d, %v; want %d", ordered, n, err, len(docs))
		}
	}
	if stray := c.on(t, "s1", "movedwrites", d("ordered", d("$exists", true))); stray != 0 {
		t.Errorf("%d documents were written to a shard that owns nothing", stray)
	}
}

// Neighbours go to different shards, so one retryable command becomes several for the same shard: without stmtIds the second
// would be taken for a repetition and lost.
func orderedBatch(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "ordered")
	ks := []int{-1, 1, -2, 2, 101, -3, 3, 102, -4, 4}
	fill(t, coll, ks...)
	if n, err := coll.CountDocuments(t.Context(), bson.D{}); err != nil || int(n) != len(ks) {
		t.Errorf("found %d documents, %v; want %d", n, err, len(ks))
	}
	var models []mongo.WriteModel
	for i := range 9 {
		models = append(models, mongo.NewUpdateOneModel().SetFilter(d("k", []int{-1, 1, 101}[i%3])).SetUpdate(d("$push", d("seen", i))))
	}
	for _, ordered := range []bool{true, false} {
		if r, err := coll.BulkWrite(t.Context(), models, options.BulkWrite().SetOrdered(ordered)); err != nil || r.ModifiedCount != 9 {
			t.Errorf("ordered %t: %+v, %v", ordered, r, err)
		}
	}
	var doc struct{ Seen []int }
	if err := coll.FindOne(t.Context(), d("k", 1)).Decode(&doc); err != nil || len(doc.Seen) != 6 || doc.Seen[0] != 1 || doc.Seen[2] != 7 {
		t.Errorf("got %v, %v", doc, err)
	}
}

func errorIndexes(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "indexes", -1, 1, 101) // _id 0, 1, 2
	docs := []any{d("_id", 10, "k", 5), d("_id", 0, "k", -1), d("_id", 11, "k", -5), d("_id", 2, "k", 101), d("_id", 12, "k", 500), d("_id", 13, "k", bson.A{1})}
	for _, test := range []struct {
		ordered  bool
		indexes  []int
		codes    []int
		inserted int64
	}{{true, []int{1}, []int{11000}, 1}, {false, []int{1, 3, 5}, []int{11000, 11000, 61}, 3}} {
		_, err := coll.InsertMany(t.Context(), docs, options.InsertMany().SetOrdered(test.ordered))
		var bulk mongo.BulkWriteException
		if !errors.As(err, &bulk) || len(bulk.WriteErrors) != len(test.indexes) {
			t.Fatalf("ordered %t: %v", test.ordered, err)
		}
		for i, e := range bulk.WriteErrors {
			if e.Index != test.indexes[i] || e.Code != test.codes[i] {
				t.Errorf("ordered %t: error %d is %d at %d, want %d at %d", test.ordered, i, e.Code, e.Index, test.codes[i], test.indexes[i])
			}
		}
		if r, err := coll.DeleteMany(t.Context(), d("_id", d("$gte", 10))); err != nil || r.DeletedCount != test.inserted {
			t.Errorf("ordered %t: deleted %+v, %v; want %d", test.ordered, r, err, test.inserted)
		}
	}
	r, err := coll.BulkWrite(t.Context(), []mongo.WriteModel{
		mongo.NewUpdateOneModel().SetFilter(d("k", 1)).SetUpdate(d("$set", d("x", 1))),
		mongo.NewUpdateOneModel().SetFilter(d("k", -7, "_id", "a")).SetUpdate(d("$set", d("x", 1))).SetUpsert(true),
		mongo.NewUpdateOneModel().SetFilter(d("k", 107, "_id", "b")).SetUpdate(d("$set", d("x", 1))).SetUpsert(true),
	}, options.BulkWrite().SetOrdered(false))
	if err != nil || r.UpsertedIDs[1] != "a" || r.UpsertedIDs[2] != "b" || r.MatchedCount != 1 {
		t.Errorf("upserts: %+v, %v", r, err)
	}
}

func retriedStatements(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "retried", -1, 1)
	client := raw(t, c.router)
	cmd := d("update", "c", "updates", bson.A{
		d("q", d("k", -1), "u", d("$inc", d("n", 1))), d("q", d("k", 1), "u", d("$inc", d("n", 1))), d("q", d("k", -1), "u", d("$inc", d("n", 1))),
	}, "lsid", d("id", bson.Binary{Subtype: 4, Data: []byte("retried-statement")[:16]}), "txnNumber", int64(7))
	for i := range 3 {
		answer := client.run(t, "retried", cmd)
		if answer["n"] != int32(3) || answer["ok"] != 1.0 {
			t.Errorf("attempt %d: %v", i, answer)
		}
		if retried, _ := answer["retriedStmtIds"].(bson.A); i > 0 && len(retried) != 3 {
			t.Errorf("attempt %d: retriedStmtIds %v, want 3", i, retried)
		}
	}
	var doc struct{ N int }
	if err := coll.FindOne(t.Context(), d("k", -1)).Decode(&doc); err != nil || doc.N != 2 {
		t.Errorf("got %+v, %v; want n 2", doc, err)
	}
	// Without an _id of the client's the router chooses one, before it splits the command.
	answer := client.run(t, "retried", d("insert", "c", "documents", bson.A{d("k", 50), d("k", -50)}))
	if answer["n"] != int32(2) {
		t.Errorf("insert without _id: %v", answer)
	}
}

func multiWrites(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "multi", -2, -1, 1, 2, 101, 102)
	c.move(t, "multi.c", 0, "s2") // orphans stay on s1 for a second
	if r, err := coll.UpdateMany(t.Context(), bson.D{}, d("$inc", d("n", 1))); err != nil || r.MatchedCount != 6 || r.ModifiedCount != 6 {
		t.Errorf("update: %+v, %v", r, err)
	}
	if n, err := coll.CountDocuments(t.Context(), d("n", 1)); err != nil || n != 6 {
		t.Errorf("%d documents updated once, %v", n, err)
	}
	_, err := coll.UpdateMany(t.Context(), bson.D{}, d("$bad", 1))
	var write mongo.WriteException
	if !errors.As(err, &write) || len(write.WriteErrors) != 1 || write.WriteErrors[0].Code != codeFailedToParse {
		t.Errorf("bad update: %v", err)
	}
	if r, err := coll.DeleteMany(t.Context(), d("k", d("$gt", -2))); err != nil || r.DeletedCount != 5 {
		t.Errorf("delete: %+v, %v", r, err)
	}
}

func singleWrites(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "single", -1, 1, 101)
	for id := range 3 {
		if r, err := coll.UpdateOne(t.Context(), d("_id", id), d("$set", d("x", 1))); err != nil || r.ModifiedCount != 1 {
			t.Errorf("update by _id %d: %+v, %v", id, r, err)
		}
	}
	if r, err := coll.UpdateOne(t.Context(), d("_id", 99), d("$set", d("x", 1))); err != nil || r.MatchedCount != 0 {
		t.Errorf("update by an _id that nobody has: %+v, %v", r, err)
	}
	if _, err := coll.UpdateOne(t.Context(), d("x", 1), d("$set", d("y", 1))); codeIn(err) != codeInvalidOptions {
		t.Errorf("update by neither: %v, want code 72", err)
	}
	if _, err := coll.DeleteOne(t.Context(), d("x", 1)); codeIn(err) != codeShardKeyNotFound {
		t.Errorf("delete by neither: %v, want code 61", err)
	}
	if r, err := coll.DeleteOne(t.Context(), d("_id", 2)); err != nil || r.DeletedCount != 1 {
		t.Errorf("delete by _id: %+v, %v", r, err)
	}
	if r, err := coll.ReplaceOne(t.Context(), d("x", 1, "_id", 1), d("k", 1, "z", 1)); err != nil || r.ModifiedCount != 1 {
		t.Errorf("replace by the replacement's key: %+v, %v", r, err)
	}
}

func upserts(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "upserts")
	if _, err := coll.UpdateOne(t.Context(), d("x", 1), d("$set", d("k", 1)), options.UpdateOne().SetUpsert(true)); codeIn(err) != codeShardKeyNotFound {
		t.Errorf("upsert without the key: %v, want code 61", err)
	}
	for _, k := range []int{-1, 1, 101} {
		if r, err := coll.UpdateOne(t.Context(), d("k", k), d("$set", d("x", k)), options.UpdateOne().SetUpsert(true)); err != nil || r.UpsertedID == nil {
			t.Errorf("upsert of k %d: %+v, %v", k, r, err)
		}
	}
	for shard, k := range map[string]int{"s0": -1, "s1": 1, "s2": 101} {
		if n := c.on(t, shard, "upserts", d("k", k)); n != 1 {
			t.Errorf("shard %s has %d documents with k %d", shard, n, k)
		}
	}
}

func findsAndModifies(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "modified", -1, 1)
	if err := coll.FindOneAndUpdate(t.Context(), d("x", 1), d("$set", d("y", 1))).Err(); codeIn(err) != codeShardKeyNotFound {
		t.Errorf("without the key: %v, want code 61", err)
	}
	var doc bson.M
	after := options.FindOneAndUpdate().SetReturnDocument(options.After)
	if err := coll.FindOneAndUpdate(t.Context(), d("k", 1), d("$set", d("y", 1)), after).Decode(&doc); err != nil || doc["y"] != int32(1) {
		t.Errorf("got %v, %v", doc, err)
	}
	if err := coll.FindOneAndDelete(t.Context(), d("k", -1)).Err(); err != nil {
		t.Error(err)
	}
}

func unacknowledged(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "unacked")
	none := c.client(t, func(o *options.ClientOptions) { o.SetWriteConcern(writeconcern.Unacknowledged()).SetMaxPoolSize(1) })
	far := none.Database("unacked").Collection("c")
	for _, k := range []int{-1, 1, 101} {
		if _, err := far.InsertOne(t.Context(), d("k", k)); err != nil {
			t.Error(err)
		}
	}
	// The same connection: its commands run one after the other.
	if n, err := far.CountDocuments(t.Context(), bson.D{}); err != nil || n != 3 {
		t.Errorf("got %d, %v; want 3", n, err)
	}
	_ = coll
}
