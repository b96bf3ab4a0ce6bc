package devmongos

import (
	"context"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// livesOn tells where the document with an _id is; it must be on one shard only.
func (c *smallCluster) livesOn(t *testing.T, db string, id any, want string) {
	t.Helper()
	for shard := range c.shards {
		n := c.on(t, shard, db, d("_id", id))
		if shard == want && n != 1 || shard != want && n != 0 {
			t.Errorf("shard %s has %d documents with _id %v, which belongs to %s", shard, n, id, want)
		}
	}
}

func rekeyInTransaction(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "rekeytxn", -1, 1, 101)
	err := inTransaction(t, coll.Database().Client(), nil, func(ctx context.Context) error {
		r, err := coll.UpdateOne(ctx, d("k", -1), d("$set", d("k", 50), "$inc", d("n", 1)))
		if err != nil || r.MatchedCount != 1 || r.ModifiedCount != 1 {
			t.Errorf("update: %+v, %v", r, err)
			return err
		}
		r, err = coll.ReplaceOne(ctx, d("k", 1), d("k", 150, "new", true))
		if err != nil || r.ModifiedCount != 1 {
			t.Errorf("replace: %+v, %v", r, err)
			return err
		}
		var doc bson.M
		err = coll.FindOneAndUpdate(ctx, d("k", 50), bson.A{d("$set", d("k", d("$add", bson.A{"$k", 300})))}, options.FindOneAndUpdate().SetReturnDocument(options.After)).Decode(&doc)
		if err != nil || doc["k"] != int32(350) {
			t.Errorf("findAndModify: %v, %v", doc, err)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	c.livesOn(t, "rekeytxn", 0, "s2")
	c.livesOn(t, "rekeytxn", 1, "s2")
}

func rekeyOutside(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "rekey", -1, 1, 101)
	if r, err := coll.UpdateOne(t.Context(), d("k", -1), d("$set", d("k", 55))); err != nil || r.MatchedCount != 1 || r.ModifiedCount != 1 {
		t.Errorf("update: %+v, %v", r, err)
	}
	c.livesOn(t, "rekey", 0, "s1")
	if r, err := coll.ReplaceOne(t.Context(), d("k", 101), d("k", -9, "x", 1)); err != nil || r.MatchedCount != 1 || r.ModifiedCount != 1 {
		t.Errorf("replace: %+v, %v", r, err)
	}
	c.livesOn(t, "rekey", 2, "s0")
	// Within the shard.
	if r, err := coll.UpdateOne(t.Context(), d("k", 1), d("$inc", d("k", 1))); err != nil || r.ModifiedCount != 1 {
		t.Errorf("update on the same shard: %+v, %v", r, err)
	}
	plain := c.client(t, func(o *options.ClientOptions) { o.SetRetryWrites(false) }).Database("rekey").Collection("c")
	if _, err := plain.UpdateOne(t.Context(), d("k", 2), d("$set", d("k", 200))); codeIn(err) != codeIllegalOperation {
		t.Errorf("neither retryable nor in a transaction: %v, want code 20", err)
	}
	if n := count(t, coll, bson.D{}); n != 3 {
		t.Errorf("%d documents, want 3", n)
	}
}

func rekeyByFindAndModify(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "rekeyfam", -1, 1, 101)
	var doc bson.M
	if err := coll.FindOneAndUpdate(t.Context(), d("k", -1), d("$set", d("k", 60))).Decode(&doc); err != nil || doc["k"] != int32(-1) {
		t.Errorf("old: %v, %v", doc, err)
	}
	c.livesOn(t, "rekeyfam", 0, "s1")
	o := options.FindOneAndReplace().SetReturnDocument(options.After).SetProjection(d("x", 1, "_id", 0))
	doc = nil
	if err := coll.FindOneAndReplace(t.Context(), d("k", 1), d("k", 160, "x", 7), o).Decode(&doc); err != nil || doc["x"] != int32(7) || len(doc) != 1 {
		t.Errorf("new, projected: %v, %v", doc, err)
	}
	c.livesOn(t, "rekeyfam", 1, "s2")
}

func rekeyByUpsert(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "rekeyupsert")
	r, err := coll.UpdateOne(t.Context(), d("k", -1, "_id", "u"), d("$set", d("k", 170)), options.UpdateOne().SetUpsert(true))
	if err != nil || r.UpsertedID != "u" || r.MatchedCount != 0 || r.ModifiedCount != 0 || r.UpsertedCount != 1 {
		t.Errorf("update: %+v, %v", r, err)
	}
	c.livesOn(t, "rekeyupsert", "u", "s2")
	after := options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)
	var doc bson.M
	if err := coll.FindOneAndUpdate(t.Context(), d("k", 1, "_id", "f"), d("$set", d("k", -170)), after).Decode(&doc); err != nil || doc["k"] != int32(-170) {
		t.Errorf("findAndModify: %v, %v", doc, err)
	}
	c.livesOn(t, "rekeyupsert", "f", "s0")
	err = inTransaction(t, coll.Database().Client(), nil, func(ctx context.Context) error {
		_, err := coll.ReplaceOne(ctx, d("k", 5, "_id", "r"), d("k", 500), options.Replace().SetUpsert(true))
		return err
	})
	if err != nil {
		t.Error(err)
	}
	c.livesOn(t, "rekeyupsert", "r", "s2")
}

func rekeyInBatches(t *testing.T, c *smallCluster) {
	models := func() []mongo.WriteModel {
		return []mongo.WriteModel{
			mongo.NewUpdateOneModel().SetFilter(d("k", -1)).SetUpdate(d("$inc", d("n", 1))),
			mongo.NewUpdateOneModel().SetFilter(d("k", -1)).SetUpdate(d("$set", d("k", 77), "$inc", d("n", 1))),
			mongo.NewUpdateOneModel().SetFilter(d("k", -2)).SetUpdate(d("$inc", d("n", 1))),
			mongo.NewUpdateOneModel().SetFilter(d("k", 1)).SetUpdate(d("$inc", d("n", 1))),
			mongo.NewReplaceOneModel().SetFilter(d("k", -2)).SetReplacement(d("k", 202, "n", 5)),
			mongo.NewUpdateOneModel().SetFilter(d("k", 101)).SetUpdate(d("$inc", d("n", 1))),
		}
	}
	for name, ordered := range map[string]bool{"rekeybatcho": true, "rekeybatchu": false} {
		coll := sharded(t, c, name, -1, -2, 1, 101)
		err := inTransaction(t, coll.Database().Client(), nil, func(ctx context.Context) error {
			r, err := coll.BulkWrite(ctx, models(), options.BulkWrite().SetOrdered(ordered))
			if err == nil && r.ModifiedCount != 6 {
				t.Errorf("ordered %t: %+v", ordered, r)
			}
			return err
		})
		if err != nil {
			t.Errorf("ordered %t: %v", ordered, err)
		}
		c.livesOn(t, name, 0, "s1")
		c.livesOn(t, name, 1, "s2")
		if n := count(t, coll, d("k", 77, "n", 2)) + count(t, coll, d("k", 202, "n", 5)) + count(t, coll, d("n", 1)); n != 4 {
			t.Errorf("ordered %t: %d of 4 documents are right", ordered, n)
		}
	}
}

// The client has not seen the answer and sends the command again.
func rekeyRetried(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "rekeyretry", -1, 1)
	client := raw(t, c.router)
	identity := d("lsid", d("id", bson.Binary{Subtype: 4, Data: []byte("retried-key-move")}), "txnNumber", int64(3))
	cmd := append(d("update", "c", "updates", bson.A{d("q", d("k", -1), "u", d("$set", d("k", 88), "$inc", d("n", 1)))}), identity...)
	if answer := client.run(t, "rekeyretry", cmd); answer["ok"] != 1.0 || answer["n"] != int32(1) || answer["nModified"] != int32(1) {
		t.Errorf("got %v", answer)
	}
	if _, err := coll.InsertOne(t.Context(), d("_id", "other", "k", -1)); err != nil { // whom a second execution would move
		t.Fatal(err)
	}
	answer := client.run(t, "rekeyretry", cmd)
	if answer["code"] != int32(217) {
		t.Errorf("retry: %v, want 217 IncompleteTransactionHistory", answer)
	}
	c.livesOn(t, "rekeyretry", 0, "s1")
	c.livesOn(t, "rekeyretry", "other", "s0")
	if n := count(t, coll, d("k", 88, "n", 1)); n != 1 {
		t.Errorf("%d documents, want 1", n)
	}
}

func rekeyContended(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "rekeyrace", -1)
	var workers sync.WaitGroup
	var mu sync.Mutex
	moved, counted := 0, 0
	for range 4 {
		workers.Go(func() {
			for i := range 20 {
				k := []int{-1, 50, 150}[i%3]
				next := []int{50, 150, -1}[i%3]
				r, err := coll.UpdateOne(t.Context(), d("k", k), d("$set", d("k", next), "$inc", d("moves", 1)))
				if err != nil {
					t.Errorf("move: %v", err)
					return
				}
				s, err := coll.UpdateOne(t.Context(), d("k", next), d("$inc", d("n", 1)))
				if err != nil {
					t.Errorf("increment: %v", err)
					return
				}
				mu.Lock()
				moved += int(r.ModifiedCount)
				counted += int(s.ModifiedCount)
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	var docs []struct{ Moves, N int }
	cur, err := coll.Find(t.Context(), bson.D{})
	if err == nil {
		err = cur.All(t.Context(), &docs)
	}
	if err != nil || len(docs) != 1 || docs[0].Moves != moved || docs[0].N != counted {
		t.Errorf("got %+v, %v; want one document with %d moves and n %d", docs, err, moved, counted)
	}
	t.Logf("%d moves between shards, %d increments", moved, counted)
}
