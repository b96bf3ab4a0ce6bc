package devmongos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
)

// TestTransactions checks the rules of transactions one by one on one cluster; each rule has a database of its own.
func TestTransactions(t *testing.T) {
	c := startSmall(t, 1)
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

func mergedCursors(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "txnmerge")
	var docs []any
	for i := range 600 {
		docs = append(docs, d("_id", i, "k", (i*7919)%300-100, "n", i%50, "s", string(rune('a'+i%26)), "arr", bson.A{i, -i}))
	}
	if _, err := coll.InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	english := &options.Collation{Locale: "en", Strength: 1}
	finds := map[string]*options.FindOptionsBuilder{
		"no sort":           options.Find(),
		"small batches":     options.Find().SetBatchSize(7),
		"sorted":            options.Find().SetSort(d("n", 1, "_id", -1)).SetBatchSize(50),
		"backwards":         options.Find().SetSort(d("_id", -1)),
		"skip and limit":    options.Find().SetSort(d("_id", 1)).SetSkip(13).SetLimit(450).SetBatchSize(100),
		"inclusion":         options.Find().SetSort(d("_id", 1)).SetProjection(d("n", 1)),
		"exclusion":         options.Find().SetSort(d("_id", 1)).SetProjection(d("n", 0, "arr", 0)),
		"sorted by arrays":  options.Find().SetSort(d("arr", 1, "_id", 1)),
		"collation":         options.Find().SetSort(d("s", -1, "_id", 1)).SetCollation(english),
		"by a missing path": options.Find().SetSort(d("nothing.at.all", 1, "_id", 1)).SetLimit(5),
	}
	read := func(ctx context.Context, o *options.FindOptionsBuilder) []string {
		cur, err := coll.Find(ctx, d("n", d("$lt", 40)), o)
		var got []bson.Raw
		if err == nil {
			err = cur.All(ctx, &got)
		}
		if err != nil {
			t.Error(err)
		}
		var lines []string
		for _, doc := range got {
			lines = append(lines, doc.String())
		}
		return lines
	}
	for name, o := range finds {
		want := read(t.Context(), o)
		var got []string
		if err := inTransaction(t, coll.Database().Client(), nil, func(ctx context.Context) error { got = read(ctx, o); return nil }); err != nil {
			t.Error(err)
		}
		if name == "no sort" || name == "small batches" {
			slices.Sort(want)
			slices.Sort(got)
		}
		if !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("%s: %d documents in the transaction, %d outside, or in another order", name, len(got), len(want))
		}
	}
}

func aggregationsOverShards(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "txnaggregate")
	var docs []any
	for i := range 300 {
		docs = append(docs, d("_id", i, "k", i-100, "n", i%7, "tags", bson.A{i % 3, i % 5}))
	}
	if _, err := coll.InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	pipelines := map[string]bson.A{
		"match":           {d("$match", d("n", 3))},
		"nothing":         {},
		"group by sums":   {d("$group", d("_id", "$n", "sum", d("$sum", "$k"), "least", d("$min", "$k"), "most", d("$max", "$_id"), "many", d("$count", bson.D{}))), d("$sort", d("_id", 1))},
		"group by others": {d("$unwind", "$tags"), d("$group", d("_id", "$tags", "mean", d("$avg", "$k"))), d("$sort", d("_id", 1))},
		"sort":            {d("$sort", d("n", 1, "_id", -1)), d("$skip", 5), d("$limit", 20), d("$project", d("n", 1))},
		"sort and limit":  {d("$sort", d("n", -1, "_id", 1)), d("$limit", 9)},
		"count":           {d("$match", d("n", d("$gt", 2))), d("$count", "total")},
		"count of none":   {d("$match", d("n", 99)), d("$count", "total")},
		"facet":           {d("$facet", d("a", bson.A{d("$count", "n")}, "b", bson.A{d("$sort", d("_id", 1)), d("$limit", 2)}))},
		"one shard":       {d("$match", d("k", 5)), d("$group", d("_id", nil, "n", d("$push", "$_id")))},
		"replaced":        {d("$set", d("x", d("$add", bson.A{"$n", 1}))), d("$sortByCount", "$x"), d("$sort", d("_id", 1))},
		"large result":    {d("$sort", d("_id", 1)), d("$set", d("x", 1))},
	}
	read := func(ctx context.Context, pipeline bson.A) []string {
		cur, err := coll.Aggregate(ctx, pipeline)
		var got []bson.Raw
		if err == nil {
			err = cur.All(ctx, &got)
		}
		if err != nil {
			t.Errorf("%v: %v", pipeline, err)
		}
		var lines []string
		for _, doc := range got {
			lines = append(lines, doc.String())
		}
		return lines
	}
	for name, pipeline := range pipelines {
		want := read(t.Context(), pipeline)
		var got []string
		if err := inTransaction(t, coll.Database().Client(), nil, func(ctx context.Context) error { got = read(ctx, pipeline); return nil }); err != nil {
			t.Error(err)
		}
		if name == "match" || name == "nothing" {
			slices.Sort(want)
			slices.Sort(got)
		}
		if !slices.Equal(got, want) || len(want) == 0 && name != "count of none" {
			t.Errorf("%s: in the transaction %d %.300v, outside %d %.300v", name, len(got), fmt.Sprint(got), len(want), fmt.Sprint(want))
		}
	}
}

func tooLargeMerge(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "txnlarge")
	for i := range 20 {
		if _, err := coll.InsertOne(t.Context(), d("_id", i, "k", i*20-200, "s", strings.Repeat("x", 1<<20))); err != nil {
			t.Fatal(err)
		}
	}
	err := inTransaction(t, coll.Database().Client(), nil, func(ctx context.Context) error {
		if n, err := coll.CountDocuments(ctx, bson.D{}); err != nil || n != 20 {
			t.Errorf("count: %d, %v", n, err)
		}
		cur, err := coll.Find(ctx, bson.D{}, options.Find().SetSort(d("_id", 1)))
		var all []bson.Raw
		if err == nil {
			err = cur.All(ctx, &all)
		}
		if err != nil || len(all) != 20 {
			t.Errorf("find of 20 MB: %d documents, %v", len(all), err)
		}
		_, err = coll.Aggregate(ctx, bson.A{d("$group", d("_id", nil, "all", d("$push", d("$strLenBytes", "$s"))))})
		return err
	})
	if codeIn(err) != codeExceededMemoryLimit || labelled(err, labelTransient) {
		t.Errorf("got %v, want code 146", err)
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

func firstStatementFollowsMove(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "txnmoved", -1, 1, 2, 101)
	if n := count(t, coll, d("k", 1)); n != 1 { // the route is known now
		t.Fatal(n)
	}
	for i, statement := range []func(ctx context.Context) (int64, error){
		func(ctx context.Context) (int64, error) {
			r, err := coll.UpdateOne(ctx, d("k", 1), d("$inc", d("n", 1)))
			if err != nil {
				return 0, err
			}
			return r.ModifiedCount, nil
		},
		func(ctx context.Context) (int64, error) {
			return coll.CountDocuments(ctx, d("k", d("$gte", 0, "$lt", 2)))
		},
		func(ctx context.Context) (int64, error) {
			r, err := coll.UpdateMany(ctx, d("k", d("$in", bson.A{-1, 1})), d("$inc", d("m", 1)))
			if err != nil {
				return 0, err
			}
			return r.ModifiedCount - 1, nil
		},
		func(ctx context.Context) (int64, error) {
			cur, err := coll.Find(ctx, d("k", d("$in", bson.A{-1, 1})))
			if err != nil {
				return 0, err
			}
			var docs []bson.Raw
			err = cur.All(ctx, &docs)
			return int64(len(docs)) - 1, err
		},
	} {
		c.move(t, "txnmoved.c", 0, []string{"s2", "s0"}[i%2])
		err := inTransaction(t, coll.Database().Client(), nil, func(ctx context.Context) error {
			n, err := statement(ctx)
			if n != 1 {
				t.Errorf("statement %d: %d documents, %v; want 1", i, n, err)
			}
			return err
		})
		if err != nil {
			t.Errorf("statement %d: %v", i, err)
		}
	}
}

func laterStatementAfterMove(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "txnlater", -1, 1, 101)
	err := inTransaction(t, coll.Database().Client(), nil, func(ctx context.Context) error {
		// s2 has a part before the chunk arrives there, so its version is from before.
		if _, err := coll.UpdateOne(ctx, d("k", -1), d("$inc", d("n", 1))); err != nil {
			return err
		}
		c.move(t, "txnlater.c", 0, "s2")
		_, err := coll.UpdateOne(ctx, d("k", 1), d("$inc", d("n", 1)))
		return err
	})
	if err != nil && !labelled(err, labelTransient) {
		t.Errorf("got %v without %s", err, labelTransient)
	}
	if n, m := count(t, coll, d("k", -1, "n", 1)), count(t, coll, d("k", 1, "n", 1)); n != m || (err == nil) != (n == 1) {
		t.Errorf("half of a transaction: %d and %d, %v", n, m, err)
	}
	t.Logf("transaction over a moved chunk: %v", err)
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

func snapshotAtOneTime(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "txnsnapshot", -1, 101)
	snapshot := options.Transaction().SetReadConcern(readconcern.Snapshot())
	err := inTransaction(t, coll.Database().Client(), snapshot, func(ctx context.Context) error {
		if err := coll.FindOne(ctx, d("k", -1)).Err(); err != nil { // fixes the time on s0
			return err
		}
		if _, err := coll.UpdateMany(t.Context(), bson.D{}, d("$set", d("later", 1))); err != nil {
			return err
		}
		// s2 has not been asked before.
		if n, err := coll.CountDocuments(ctx, d("later", 1)); err != nil || n != 0 {
			t.Errorf("%d documents of a later time, %v", n, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func snapshotBeforeMove(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "txnsnapmove", -1, 1, 101)
	snapshot := options.Transaction().SetReadConcern(readconcern.Snapshot())
	err := inTransaction(t, coll.Database().Client(), snapshot, func(ctx context.Context) error {
		if err := coll.FindOne(ctx, d("k", -1)).Err(); err != nil {
			return err
		}
		c.move(t, "txnsnapmove.c", 0, "s2")
		if err := c.client(t).Database("txnsnapmove").Collection("c").FindOne(t.Context(), d("k", 1)).Err(); err != nil { // the router hears of it
			return err
		}
		n, err := coll.CountDocuments(ctx, bson.D{})
		if err == nil && n != 3 {
			t.Errorf("%d of 3 documents", n)
		}
		return err
	})
	if err != nil && !labelled(err, labelTransient) {
		t.Errorf("got %v without %s", err, labelTransient)
	}
	t.Logf("snapshot from before a move: %v", err)
}

// begin starts a transaction by hand with a write on two shards and returns its fields and the recovery token.
func begin(t *testing.T, client rawClient, db, session string, ks ...int) (bson.D, any) {
	t.Helper()
	fields := d("lsid", d("id", bson.Binary{Subtype: 4, Data: []byte(session + "----------------")[:16]}), "txnNumber", int64(1), "autocommit", false)
	var token any
	for i, k := range ks {
		cmd := append(d("update", "c", "updates", bson.A{d("q", d("k", k), "u", d("$inc", d("n", 1)))}), fields...)
		if i == 0 {
			cmd = append(cmd, d("startTransaction", true)...)
		}
		answer := client.run(t, db, cmd)
		if answer["ok"] != 1.0 || answer["n"] != int32(1) {
			t.Fatalf("update %d: %v", k, answer)
		}
		token = answer["recoveryToken"]
	}
	return fields, token
}

func commitRepeated(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "txnrepeat", -1, 1, 101)
	client := raw(t, c.router)
	fields, _ := begin(t, client, "txnrepeat", "repeated", -1, 1)
	for i := range 3 {
		if answer := client.run(t, "admin", append(d("commitTransaction", 1), fields...)); answer["ok"] != 1.0 {
			t.Errorf("commit %d: %v", i, answer)
		}
	}
	if answer := client.run(t, "admin", append(d("abortTransaction", 1), fields...)); answer["code"] != int32(codeTransactionCommitted) {
		t.Errorf("abort after the commit: %v", answer)
	}
	if n := count(t, coll, d("n", 1)); n != 2 {
		t.Errorf("%d documents changed, want 2", n)
	}
}

func commitOnAnotherRouter(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "txnrecover", -1, 1, 101)
	client, other := raw(t, c.router), raw(t, c.anotherRouter(t))
	for name, ks := range map[string][]int{"onewriter": {-1}, "twowriter": {1, 101}} {
		fields, token := begin(t, client, "txnrecover", name, ks...)
		if answer := client.run(t, "admin", append(d("commitTransaction", 1), fields...)); answer["ok"] != 1.0 {
			t.Errorf("%s: commit: %v", name, answer)
		}
		if answer := other.run(t, "admin", append(d("commitTransaction", 1, "recoveryToken", token), fields...)); answer["ok"] != 1.0 {
			t.Errorf("%s: commit on the other router: %v", name, answer)
		}
	}
	if n := count(t, coll, d("n", 1)); n != 3 {
		t.Errorf("%d documents changed, want 3", n)
	}
	// Never committed: the other router's commit aborts, and says so.
	fields, token := begin(t, client, "txnrecover", "uncommitted", -1, 1)
	answer := other.run(t, "admin", append(d("commitTransaction", 1, "recoveryToken", token), fields...))
	if answer["code"] != int32(codeNoSuchTransaction) || !slices.Contains(answer["errorLabels"].(bson.A), any(labelTransient)) {
		t.Errorf("commit of what was not committed: %v", answer)
	}
	answer = client.run(t, "admin", append(d("commitTransaction", 1), fields...))
	if answer["code"] != int32(codeNoSuchTransaction) {
		t.Errorf("commit after that: %v", answer)
	}
	if answer := other.run(t, "admin", append(d("commitTransaction", 1), fields...)); answer["code"] != int32(50940) {
		t.Errorf("commit without a token: %v", answer)
	}
	if n := count(t, coll, d("n", 2)); n != 0 {
		t.Errorf("%d documents of an aborted transaction", n)
	}
}

func readOnlyParticipants(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "txnreadonly", -1, 1, 101)
	for name, writes := range map[string][]int{"none": nil, "one": {1}, "two": {1, 101}} {
		err := inTransaction(t, coll.Database().Client(), nil, func(ctx context.Context) error {
			if n, err := coll.CountDocuments(ctx, bson.D{}); err != nil || n != 3 {
				t.Errorf("count: %d, %v", n, err)
			}
			for _, k := range writes {
				if _, err := coll.UpdateOne(ctx, d("k", k), d("$set", d(name, true))); err != nil {
					return err
				}
			}
			return nil
		})
		if n := count(t, coll, d(name, true)); err != nil || n != len(writes) {
			t.Errorf("%s: %d documents, %v", name, n, err)
		}
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

// openTransactions asks the shards for a session's; other rules leave some of their own behind (an unknown pipeline stage does).
func (c *smallCluster) openTransactions(t *testing.T, fields bson.D) (n int) {
	t.Helper()
	for shard := range c.shards {
		cur, err := c.direct(t, shard).Database("admin").Aggregate(t.Context(), bson.A{
			d("$currentOp", d("allUsers", true, "idleSessions", true)), d("$match", d("transaction.parameters.autocommit", false, "lsid.id", fields[0].Value.(bson.D)[0].Value)),
		})
		if err != nil {
			t.Fatal(err)
		}
		var open []bson.Raw
		if err := cur.All(t.Context(), &open); err != nil {
			t.Fatal(err)
		}
		n += len(open)
	}
	return n
}

// untilClosed waits for the shards to have no open transaction of a session.
func (c *smallCluster) untilClosed(t *testing.T, fields bson.D) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); c.openTransactions(t, fields) > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%d transactions still open", c.openTransactions(t, fields))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func endedSessionAborts(t *testing.T, c *smallCluster) {
	sharded(t, c, "txnended", -1, 1)
	client := raw(t, c.router)
	fields, _ := begin(t, client, "txnended", "ended", -1, 1)
	if n := c.openTransactions(t, fields); n < 2 {
		t.Fatalf("%d open transactions, want 2", n)
	}
	if answer := client.run(t, "admin", d("endSessions", bson.A{fields[0].Value})); answer["ok"] != 1.0 {
		t.Error(answer)
	}
	c.untilClosed(t, fields)
	if answer := client.run(t, "admin", append(d("commitTransaction", 1), fields...)); answer["code"] != int32(codeNoSuchTransaction) {
		t.Errorf("commit: %v", answer)
	}
}

func desertedAborts(t *testing.T, c *smallCluster) {
	sharded(t, c, "txndeserted", -1, 1)
	client := raw(t, c.router)
	fields, _ := begin(t, client, "txndeserted", "deserted", -1, 1)
	if n := c.openTransactions(t, fields); n != 2 {
		t.Fatalf("%d open transactions, want 2", n)
	}
	client.host.reset()
	c.untilClosed(t, fields)
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

// anotherRouter runs a second router on the cluster until the test ends.
func (c *smallCluster) anotherRouter(t *testing.T) string {
	t.Helper()
	address, stop, ended := c.run(t, func(*Config) {})
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return address
}
