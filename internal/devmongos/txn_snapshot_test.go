package devmongos

import (
	"context"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
)

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
