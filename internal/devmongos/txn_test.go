package devmongos

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// TestTransactions checks the rules of transactions one by one on the shared cluster; each rule has a database of its own.
func TestTransactions(t *testing.T) {
	c := sharedSmall(t)
	for name, rule := range map[string]func(*testing.T, *smallCluster){
		"commit over three shards":                     commitOverShards,
		"abort leaves nothing":                         abortLeavesNothing,
		"reads see the transaction's own writes":       readsOwnWrites,
		"merged cursors":                               mergedCursors,
		"aggregations over shards":                     aggregationsOverShards,
		"too large a merge is refused":                 tooLargeMerge,
		"bulk writes and multi-writes":                 bulkInTransaction,
		"a failed statement ends it":                   failedStatementEnds,
		"an unknown stage ends nothing":                unknownStageEndsNothing,
		"first statement follows a moved chunk":        firstStatementFollowsMove,
		"later statement on a moved chunk":             laterStatementAfterMove,
		"unsharded collections and new ones":           unshardedInTransaction,
		"snapshot at one time":                         snapshotAtOneTime,
		"snapshot older than a move":                   snapshotBeforeMove,
		"commit repeated":                              commitRepeated,
		"commit on another router":                     commitOnAnotherRouter,
		"read-only participants":                       readOnlyParticipants,
		"what may not be in a transaction":             notInTransaction,
		"wrong arguments":                              wrongTransactionArguments,
		"ended sessions abort":                         endedSessionAborts,
		"deserted transactions abort":                  desertedAborts,
		"WithTransaction retries conflicts":            withTransactionRetries,
		"shard key changes in a transaction":           rekeyInTransaction,
		"shard key changes outside":                    rekeyOutside,
		"shard key changes by findAndModify":           rekeyByFindAndModify,
		"shard key changes by upserts":                 rekeyByUpsert,
		"shard key changes in batches":                 rekeyInBatches,
		"shard key changes are retried without effect": rekeyRetried,
		"shard key changes under contention":           rekeyContended,
		"times on every answer":                        timesOnEveryAnswer,
		"snapshot sessions":                            snapshotSessions,
	} {
		t.Run(name, func(t *testing.T) { rule(t, c) })
	}
}

// inTransaction runs statements in a transaction and commits it.
func inTransaction(t *testing.T, client *mongo.Client, o *options.TransactionOptionsBuilder, statements func(ctx context.Context) error) error {
	t.Helper()
	session, err := client.StartSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.EndSession(context.Background())
	if err := session.StartTransaction(o); err != nil {
		t.Fatal(err)
	}
	ctx := mongo.NewSessionContext(t.Context(), session)
	if err := statements(ctx); err != nil {
		_ = session.AbortTransaction(t.Context())
		return err
	}
	return session.CommitTransaction(ctx)
}

func labelled(err error, label string) bool {
	var labels mongo.LabeledError
	return errors.As(err, &labels) && labels.HasErrorLabel(label)
}

func count(t *testing.T, coll *mongo.Collection, filter bson.D) int {
	t.Helper()
	n, err := coll.CountDocuments(t.Context(), filter)
	if err != nil {
		t.Error(err)
	}
	return int(n)
}

func commitOverShards(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "txncommit", -1, 1, 101)
	err := inTransaction(t, coll.Database().Client(), nil, func(ctx context.Context) error {
		for _, k := range []int{-1, 1, 101} {
			if r, err := coll.UpdateOne(ctx, d("k", k), d("$set", d("x", 1))); err != nil || r.ModifiedCount != 1 {
				return errors.Join(fmt.Errorf("update %d: %+v", k, r), err)
			}
		}
		_, err := coll.InsertOne(ctx, d("k", 50, "x", 1))
		if n := count(t, coll, d("x", 1)); n != 0 {
			t.Errorf("%d writes seen before the commit", n)
		}
		return err
	})
	if n := count(t, coll, d("x", 1)); err != nil || n != 4 {
		t.Errorf("%d documents, %v; want 4", n, err)
	}
}

func abortLeavesNothing(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "txnabort", -1, 1, 101)
	given := errors.New("given up")
	err := inTransaction(t, coll.Database().Client(), nil, func(ctx context.Context) error {
		if _, err := coll.UpdateMany(ctx, bson.D{}, d("$set", d("x", 1))); err != nil {
			return err
		}
		return given
	})
	if n := count(t, coll, d("x", 1)); !errors.Is(err, given) || n != 0 {
		t.Errorf("%d documents changed, %v", n, err)
	}
	// The locks are gone, too.
	if r, err := coll.UpdateMany(t.Context(), bson.D{}, d("$set", d("y", 1))); err != nil || r.ModifiedCount != 3 {
		t.Errorf("update after the abort: %+v, %v", r, err)
	}
}

func readsOwnWrites(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "txnreads", -1, 1, 101)
	err := inTransaction(t, coll.Database().Client(), nil, func(ctx context.Context) error {
		if _, err := coll.InsertMany(ctx, []any{d("k", -7, "new", true), d("k", 7, "new", true), d("k", 107, "new", true)}); err != nil {
			return err
		}
		var docs []bson.M
		cur, err := coll.Find(ctx, d("new", true))
		if err == nil {
			err = cur.All(ctx, &docs)
		}
		if err != nil || len(docs) != 3 {
			t.Errorf("find: %v, %v", docs, err)
		}
		if n, err := coll.CountDocuments(ctx, bson.D{}); err != nil || n != 6 {
			t.Errorf("count: %d, %v; want 6", n, err)
		}
		var doc bson.M
		after := options.FindOneAndUpdate().SetReturnDocument(options.After)
		if err := coll.FindOneAndUpdate(ctx, d("k", 7), d("$set", d("x", 5)), after).Decode(&doc); err != nil || doc["x"] != int32(5) {
			t.Errorf("findAndModify: %v, %v", doc, err)
		}
		if err := coll.FindOne(ctx, d("k", 7)).Decode(&doc); err != nil || doc["x"] != int32(5) {
			t.Errorf("point read: %v, %v", doc, err)
		}
		if r, err := coll.DeleteMany(ctx, d("new", true)); err != nil || r.DeletedCount != 3 {
			t.Errorf("delete: %+v, %v", r, err)
		}
		return nil
	})
	if err != nil || count(t, coll, bson.D{}) != 3 {
		t.Error(err)
	}
}

func bulkInTransaction(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "txnbulk", -2, -1, 1, 2, 101, 102)
	for _, ordered := range []bool{true, false} {
		err := inTransaction(t, coll.Database().Client(), nil, func(ctx context.Context) error {
			r, err := coll.BulkWrite(ctx, []mongo.WriteModel{
				mongo.NewInsertOneModel().SetDocument(d("k", 500, "ordered", ordered)), mongo.NewInsertOneModel().SetDocument(d("k", -500, "ordered", ordered)),
				mongo.NewUpdateOneModel().SetFilter(d("k", -1)).SetUpdate(d("$inc", d("n", 1))), mongo.NewUpdateOneModel().SetFilter(d("k", 101)).SetUpdate(d("$inc", d("n", 1))),
				mongo.NewUpdateOneModel().SetFilter(d("k", -1)).SetUpdate(d("$inc", d("n", 1))), mongo.NewUpdateManyModel().SetFilter(d("ordered", d("$exists", false))).SetUpdate(d("$inc", d("m", 1))),
				mongo.NewDeleteOneModel().SetFilter(d("k", 500, "ordered", ordered)), mongo.NewUpdateOneModel().SetFilter(d("_id", 3)).SetUpdate(d("$inc", d("n", 1))),
			}, options.BulkWrite().SetOrdered(ordered))
			if err == nil && (r.InsertedCount != 2 || r.ModifiedCount != 10 || r.DeletedCount != 1) {
				t.Errorf("ordered %t: %+v", ordered, r)
			}
			return err
		})
		if err != nil {
			t.Errorf("ordered %t: %v", ordered, err)
		}
	}
	var doc struct{ N, M int }
	if err := coll.FindOne(t.Context(), d("k", -1)).Decode(&doc); err != nil || doc.N != 4 || doc.M != 2 {
		t.Errorf("got %+v, %v; want n 4, m 2", doc, err)
	}
}

func failedStatementEnds(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "txnfailed", -1, 1, 101)
	for _, ordered := range []bool{true, false} {
		session, err := coll.Database().Client().StartSession()
		if err != nil {
			t.Fatal(err)
		}
		defer session.EndSession(context.Background())
		if err := session.StartTransaction(); err != nil {
			t.Fatal(err)
		}
		ctx := mongo.NewSessionContext(t.Context(), session)
		if _, err := coll.InsertOne(ctx, d("k", 50, "lost", true)); err != nil {
			t.Fatal(err)
		}
		_, err = coll.InsertMany(ctx, []any{d("_id", "a", "k", 7), d("_id", 0, "k", -1), d("_id", 2, "k", 101)}, options.InsertMany().SetOrdered(ordered))
		var bulk mongo.BulkWriteException
		if !errors.As(err, &bulk) || len(bulk.WriteErrors) != 1 || bulk.WriteErrors[0].Index != 1 || bulk.WriteErrors[0].Code != 11000 || labelled(err, labelTransient) {
			t.Errorf("ordered %t: %v", ordered, err)
		}
		err = coll.FindOne(ctx, d("k", 50)).Err()
		if codeIn(err) != codeNoSuchTransaction || !labelled(err, labelTransient) {
			t.Errorf("statement after the error: %v, want 251 with %s", err, labelTransient)
		}
		if err := session.CommitTransaction(ctx); codeIn(err) != codeNoSuchTransaction || !labelled(err, labelTransient) {
			t.Errorf("commit after the error: %v", err)
		}
	}
	if n := count(t, coll, d("lost", true)); n != 0 {
		t.Errorf("%d documents of a failed transaction", n)
	}
}

func unknownStageEndsNothing(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "txnstage", -1, 1, 101)
	err := inTransaction(t, coll.Database().Client(), nil, func(ctx context.Context) error {
		if _, err := coll.UpdateOne(ctx, d("k", 1), d("$set", d("x", 1))); err != nil {
			return err
		}
		if _, err := coll.Aggregate(ctx, bson.A{d("$frobnicate", 1)}); codeIn(err) != 40324 {
			t.Errorf("got %v, want 40324", err)
		}
		_, err := coll.UpdateOne(ctx, d("k", -1), d("$set", d("x", 1)))
		return err
	})
	if n := count(t, coll, d("x", 1)); err != nil || n != 2 {
		t.Errorf("%d documents, %v; want 2", n, err)
	}
}

func unshardedInTransaction(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "txnplain", -1, 101)
	db := coll.Database()
	plain, fresh := db.Collection("plain"), db.Collection("fresh")
	if _, err := plain.InsertOne(t.Context(), d("_id", 1)); err != nil {
		t.Fatal(err)
	}
	err := inTransaction(t, db.Client(), nil, func(ctx context.Context) error {
		if _, err := plain.UpdateOne(ctx, d("_id", 1), d("$set", d("x", 1))); err != nil {
			return err
		}
		_, err := coll.UpdateOne(ctx, d("k", 101), d("$set", d("x", 1)))
		return err
	})
	if err != nil {
		t.Errorf("an unsharded and a sharded collection: %v", err)
	}
	err = inTransaction(t, db.Client(), nil, func(ctx context.Context) error {
		if _, err := fresh.InsertOne(ctx, d("_id", "implicit")); err != nil {
			return err
		}
		if err := db.CreateCollection(ctx, "explicit"); err != nil {
			return err
		}
		if err := plain.Distinct(ctx, "x", bson.D{}).Err(); err != nil {
			return err
		}
		_, err := db.Collection("explicit").InsertOne(ctx, d("_id", 1))
		return err
	})
	if err != nil {
		t.Errorf("new collections: %v", err)
	}
	if n := count(t, plain, d("x", 1)) + count(t, coll, d("x", 1)) + count(t, fresh, bson.D{}) + count(t, db.Collection("explicit"), bson.D{}); n != 4 {
		t.Errorf("%d of 4 writes", n)
	}
	err = inTransaction(t, db.Client(), nil, func(ctx context.Context) error {
		_, err := c.client(t).Database("txnbrandnew").Collection("c").InsertOne(t.Context(), d("_id", 1))
		_, inside := db.Client().Database("txnbrandnew2").Collection("c").InsertOne(ctx, d("_id", 1))
		return errors.Join(err, inside)
	})
	if err != nil {
		t.Errorf("a new database in a transaction: %v", err)
	}
	err = inTransaction(t, db.Client(), nil, func(ctx context.Context) error {
		if _, err := coll.UpdateOne(ctx, d("k", 101), d("$set", d("x", 2))); err != nil {
			return err
		}
		_, err := db.Collection("fresher").InsertOne(ctx, d("_id", 1))
		return err
	})
	if codeIn(err) != codeNotInTransaction { // the server's rule, also behind a mongos
		t.Errorf("a new collection in a transaction over two shards: %v, want 263", err)
	}
	err = inTransaction(t, db.Client(), nil, func(ctx context.Context) error { return db.CreateCollection(ctx, "c") })
	if codeIn(err) != codeNamespaceExists {
		t.Errorf("create of a sharded collection: %v, want 48", err)
	}
}

// Several clients move money between accounts on different shards: conflicts are the normal case, and nothing may be lost.
func withTransactionRetries(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "txnmoney", -1, 1, 101)
	if _, err := coll.UpdateMany(t.Context(), bson.D{}, d("$set", d("money", 1000))); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	for worker := range 4 {
		go func() {
			session, err := coll.Database().Client().StartSession()
			for i := 0; err == nil && i < 15; i++ {
				_, err = session.WithTransaction(t.Context(), func(ctx context.Context) (any, error) {
					ks := []int{-1, 1, 101}
					from, to := ks[(worker+i)%3], ks[(worker+i+1)%3]
					if _, err := coll.UpdateOne(ctx, d("k", from), d("$inc", d("money", -1))); err != nil {
						return nil, err
					}
					return coll.UpdateOne(ctx, d("k", to), d("$inc", d("money", 1)))
				})
			}
			done <- err
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	var sum struct{ Total int }
	cur, err := coll.Aggregate(t.Context(), bson.A{d("$group", d("_id", nil, "total", d("$sum", "$money")))})
	if err != nil || !cur.Next(t.Context()) || cur.Decode(&sum) != nil || sum.Total != 3000 {
		t.Errorf("total %d, %v; want 3000", sum.Total, err)
	}
}

func notInTransaction(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "txnnot", -1, 1)
	db := coll.Database()
	for name, statement := range map[string]func(ctx context.Context) error{
		"count":             func(ctx context.Context) error { return db.RunCommand(ctx, d("count", "c")).Err() },
		"distinct, sharded": func(ctx context.Context) error { return coll.Distinct(ctx, "k", bson.D{}).Err() },
		"drop":              func(ctx context.Context) error { return db.RunCommand(ctx, d("drop", "c")).Err() },
		"config database": func(ctx context.Context) error {
			return db.Client().Database("config").Collection("shards").FindOne(ctx, bson.D{}).Err()
		},
	} {
		err := inTransaction(t, db.Client(), nil, func(ctx context.Context) error { return statement(ctx) })
		if codeIn(err) != codeNotInTransaction {
			t.Errorf("%s: %v, want 263", name, err)
		}
	}
}

func wrongTransactionArguments(t *testing.T, c *smallCluster) {
	sharded(t, c, "txnwrong", -1, 1)
	client := raw(t, c.router)
	lsid := d("lsid", d("id", bson.Binary{Subtype: 4, Data: []byte("wrong arguments-")}))
	begun, _ := begin(t, client, "txnwrong", "wrong", -1)
	old := append(bson.D{}, begun...)
	old[1].Value = int64(0)
	for _, test := range []struct {
		cmd  bson.D
		code int32
	}{
		{append(d("find", "c", "autocommit", false), lsid...), codeInvalidOptions},
		{append(d("find", "c", "autocommit", true, "txnNumber", int64(1)), lsid...), codeInvalidOptions},
		{append(d("find", "c", "startTransaction", true, "txnNumber", int64(1)), lsid...), codeInvalidOptions},
		{append(d("find", "c", "autocommit", false, "txnNumber", int64(1)), lsid...), codeNoSuchTransaction},
		{append(d("abortTransaction", 1, "autocommit", false, "txnNumber", int64(1)), lsid...), codeNoSuchTransaction},
		{append(d("commitTransaction", 1), lsid...), codeInvalidOptions},
		{append(d("find", "c", "writeConcern", d("w", 1)), begun...), codeInvalidOptions},
		{append(d("find", "c", "readConcern", d("level", "local")), begun...), codeInvalidOptions},
		{append(d("find", "c", "$readPreference", d("mode", "secondary")), begun...), codeInvalidOptions},
		{append(d("find", "c", "startTransaction", true), begun...), codeConflictingOperation},
		{append(d("find", "c"), old...), codeTransactionTooOld},
		{append(d("find", "c", "filter", d("k", -1)), begun...), 0}, // none of these has ended it
	} {
		answer := client.run(t, "txnwrong", test.cmd)
		code, _ := answer["code"].(int32)
		if code != test.code || code == 0 && answer["ok"] != 1.0 {
			t.Errorf("%v: %v, want code %d", test.cmd, answer, test.code)
		}
	}
}
