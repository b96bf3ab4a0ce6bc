package consistency_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/internal/testkit"
)

// wholeSums moves money between two shards and adds it up in London meanwhile. In transactions of the profile snapshot the sum never changes. In its sessions
// outside of transactions it may, as the promise says: members of 6.0 do not wait for a commit over several shards when they are asked for the next batch, and
// query routers read by batches. Plain reads show that there is something to tear.
func wholeSums(t *testing.T, w *world) {
	snapshot, fast := lookup(t, "snapshot"), lookup(t, "local-fast")
	here := w.routed(t, "NYC", snapshot, nil)
	coll := w.at(t, here, "three").Collection("money")
	namespace := coll.Database().Name() + ".money"
	for _, command := range []bson.D{
		{{Key: "shardCollection", Value: namespace}, {Key: "key", Value: bson.D{{Key: "_id", Value: 1}}}},
		{{Key: "split", Value: namespace}, {Key: "middle", Value: bson.D{{Key: "_id", Value: 0}}}},
		{{Key: "moveChunk", Value: namespace}, {Key: "find", Value: bson.D{{Key: "_id", Value: 1}}}, {Key: "to", Value: "five"}},
	} {
		if err := here.Database("admin").RunCommand(t.Context(), command).Err(); err != nil {
			t.Fatalf("%s: %v", command[0].Key, err)
		}
	}
	const owners = 4 // each has an account on both shards
	for i := range owners {
		if _, err := coll.InsertMany(t.Context(), []any{bson.D{{Key: "_id", Value: -1 - i}, {Key: "money", Value: 100}}, bson.D{{Key: "_id", Value: 1 + i}, {Key: "money", Value: 100}}}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var moving sync.WaitGroup
	for i := range owners {
		moving.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if err := transfer(ctx, coll, snapshot, i, 1-n%2*2); err != nil && ctx.Err() == nil {
					t.Errorf("transfer: %v", err)
					return
				}
			}
		})
	}
	stop := sync.OnceFunc(func() { cancel(); moving.Wait() })
	defer stop()
	there := w.routed(t, "LON", snapshot, nil).Database(coll.Database().Name()).Collection("money", snapshot.CollectionOptions("LON"))
	plain := w.routed(t, "LON", fast, nil).Database(coll.Database().Name()).Collection("money", fast.CollectionOptions("LON"))
	const plainly = "plain reads"
	torn, sums := map[string]int{}, testkit.Count(t, "sums of each kind", 30, 1_000)
	for _, way := range []struct {
		name string
		sum  func() (int, error)
	}{
		{plainly, func() (int, error) { return sumIn(t.Context(), plain, fast, false) }},
		{"snapshot sessions", func() (int, error) { return sumIn(t.Context(), there, snapshot, false) }},
		{"transactions", func() (int, error) { return sumIn(t.Context(), there, snapshot, true) }},
	} {
		done := 0
		one := func() error {
			got, err := way.sum()
			if err != nil {
				t.Fatalf("%s: %v", way.name, err)
			}
			if done++; got == 2*owners*100 {
				return errors.New("the sum was whole")
			}
			torn[way.name]++
			return nil
		}
		for range sums {
			_ = one()
		}
		if way.name == plainly && torn[plainly] == 0 { // so that the others' count says something
			testkit.EventuallyNil(t, testkit.Patience, "a plain read meets a transfer half way", func(context.Context) error { return one() })
		}
		t.Logf("%-17s %d of %d sums were torn", way.name, torn[way.name], done)
	}
	if torn["transactions"] > 0 {
		t.Errorf("%d sums of transactions were torn, want none", torn["transactions"])
	}
}

// transfer moves money from an account on one shard to its owner's on the other.
func transfer(ctx context.Context, coll *mongo.Collection, p consistency.Profile, owner, amount int) error {
	session, err := coll.Database().Client().StartSession(options.Session().SetDefaultTransactionOptions(p.TransactionOptions()))
	if err != nil {
		return err
	}
	defer session.EndSession(context.WithoutCancel(ctx))
	_, err = session.WithTransaction(ctx, func(ctx context.Context) (any, error) {
		for id, change := range map[int]int{-1 - owner: -amount, 1 + owner: amount} {
			if _, err := coll.UpdateOne(ctx, bson.D{{Key: "_id", Value: id}}, bson.D{{Key: "$inc", Value: bson.D{{Key: "money", Value: change}}}}); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	return err
}

// sumIn adds up all money in a session of the profile, or in one of its transactions.
func sumIn(ctx context.Context, coll *mongo.Collection, p consistency.Profile, inTransaction bool) (int, error) {
	o := p.SessionOptions()
	if inTransaction { // a session of snapshot reads takes none
		o = options.Session().SetDefaultTransactionOptions(p.TransactionOptions())
	}
	session, err := coll.Database().Client().StartSession(o)
	if err != nil {
		return 0, err
	}
	defer session.EndSession(context.WithoutCancel(ctx))
	read := func(ctx context.Context) (any, error) {
		cursor, err := coll.Aggregate(ctx, bson.A{bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: nil}, {Key: "sum", Value: bson.D{{Key: "$sum", Value: "$money"}}}}}}})
		if err != nil {
			return nil, err
		}
		var found []struct{ Sum int }
		if err := cursor.All(ctx, &found); err != nil {
			return nil, err
		}
		return found[0].Sum, nil
	}
	var got any
	if inTransaction {
		got, err = session.WithTransaction(ctx, read)
	} else {
		got, err = read(mongo.NewSessionContext(ctx, session))
	}
	if err != nil {
		return 0, err
	}
	return got.(int), nil
}
