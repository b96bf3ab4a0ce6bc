package devmongos

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/internal/testkit"
)

// TestSnapshotsWaitForPreparedTransactions prepares a transaction on one shard, as the coordinator of a commit over several does, and leaves it undecided:
// a snapshot of a later time has to wait for the decision, for it may be another half of what the snapshot shows elsewhere. A shard itself does not wait when
// it is asked for the next batch.
func TestSnapshotsWaitForPreparedTransactions(t *testing.T) {
	c := sharedSmall(t)
	c.shard(t, "prepared", "c")
	coll := c.client(t).Database("prepared").Collection("c")
	fill(t, coll, -1, 1, 101)
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	if _, err := coll.UpdateMany(ctx, bson.D{}, d("$set", d("money", 1000))); err != nil {
		t.Fatal(err)
	}
	sum := bson.A{d("$group", d("_id", nil, "sum", d("$sum", "$money")))}
	for name, read := range map[string]func(context.Context) (*mongo.Cursor, error){
		"aggregate": func(ctx context.Context) (*mongo.Cursor, error) { return coll.Aggregate(ctx, sum) },
		"find": func(ctx context.Context) (*mongo.Cursor, error) {
			return coll.Find(ctx, bson.D{}, options.Find().SetBatchSize(1).SetSort(d("k", 1)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			decide := c.prepare(t, "s0", "prepared", "c", d("$inc", d("money", -1)))
			// A write on the same shard, later than the prepared one: the router's time is beyond both.
			if _, err := coll.InsertOne(ctx, d("k", -5)); err != nil {
				t.Fatal(err)
			}
			total := make(chan any, 1)
			go func() { total <- totalOf(ctx, coll.Database().Client(), read) }()
			testkit.Pause(ctx, 500*time.Millisecond) // a read that does not wait is over by then
			select {
			case got := <-total:
				t.Fatalf("read %v while the transaction is undecided", got)
			default:
			}
			decide(t)
			if got := <-total; got != 3000.0 {
				t.Errorf("got %v after the transaction was aborted, want 3000", got)
			}
		})
	}
}

// prepare has a shard prepare a transaction that updates all that it holds. The result aborts it.
func (c *smallCluster) prepare(t *testing.T, shard, db, collection string, update bson.D) (decide func(t *testing.T)) {
	t.Helper()
	client := raw(t, c.primaryOf(t, shard))
	id := make([]byte, 16)
	rand.Read(id) // an identifier made of the time would be that of the transaction before
	lsid := d("id", bson.Binary{Subtype: 4, Data: id})
	part := func(command bson.D, more ...bson.E) bson.D {
		return append(append(command, d("lsid", lsid, "txnNumber", int64(1), "autocommit", false)...), more...)
	}
	run := func(t *testing.T, db string, command bson.D) {
		t.Helper()
		if answer := client.run(t, db, command); answer["ok"] != 1.0 {
			t.Fatalf("%v: %v", command[0].Key, answer)
		}
	}
	run(t, db, part(d("update", collection, "updates", bson.A{d("q", bson.D{}, "u", update, "multi", true)}), bson.E{Key: "startTransaction", Value: true}))
	run(t, "admin", part(d("prepareTransaction", 1), bson.E{Key: "writeConcern", Value: d("w", "majority")}))
	return func(t *testing.T) { run(t, "admin", part(d("abortTransaction", 1))) }
}

// totalOf adds up the money that a snapshot read finds.
func totalOf(ctx context.Context, client *mongo.Client, read func(context.Context) (*mongo.Cursor, error)) any {
	session, err := client.StartSession(options.Session().SetSnapshot(true))
	if err != nil {
		return err
	}
	defer session.EndSession(ctx)
	cursor, err := read(mongo.NewSessionContext(ctx, session))
	if err != nil {
		return err
	}
	var docs []struct{ Money, Sum float64 }
	if err := cursor.All(ctx, &docs); err != nil {
		return err
	}
	total := 0.0
	for _, doc := range docs {
		total += doc.Money + doc.Sum
	}
	return total
}
