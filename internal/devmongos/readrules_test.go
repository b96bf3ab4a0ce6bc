package devmongos

import (
	"context"
	"errors"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// fill inserts {_id: i, k: k} for every k.
func fill(t *testing.T, coll *mongo.Collection, ks ...int) {
	t.Helper()
	docs := make([]any, len(ks))
	for i, k := range ks {
		docs[i] = d("_id", i, "k", k)
	}
	if _, err := coll.InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
}

// sharded makes test collection c in db, with documents of these keys.
func sharded(t *testing.T, c *smallCluster, db string, ks ...int) *mongo.Collection {
	t.Helper()
	c.shard(t, db, "c")
	coll := c.client(t).Database(db).Collection("c")
	if len(ks) > 0 {
		fill(t, coll, ks...)
	}
	return coll
}

// on counts the documents of a collection that a shard holds, past the router.
func (c *smallCluster) on(t *testing.T, shard, db string, filter bson.D) int {
	t.Helper()
	n, err := c.direct(t, shard).Database(db).Collection("c").CountDocuments(t.Context(), filter)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

func codeIn(err error) int {
	var command mongo.CommandError
	var write mongo.WriteException
	var bulk mongo.BulkWriteException
	switch {
	case errors.As(err, &command):
		return int(command.Code)
	case errors.As(err, &write) && len(write.WriteErrors) > 0:
		return write.WriteErrors[0].Code
	case errors.As(err, &bulk) && len(bulk.WriteErrors) > 0:
		return bulk.WriteErrors[0].Code
	}
	return 0
}

func refusesUnknown(t *testing.T, c *smallCluster) {
	err := c.client(t).Database("x").RunCommand(t.Context(), d("noSuchCommand", 1)).Err()
	if codeIn(err) != codeCommandNotFound {
		t.Errorf("got %v, want code 59", err)
	}
}

func cursorOverShards(t *testing.T, c *smallCluster) {
	ks := []int{-3, -2, -1, 1, 2, 3, 101, 102, 103}
	coll := sharded(t, c, "cursors", ks...)
	for name, o := range map[string]*options.FindOptionsBuilder{
		"over shards": options.Find().SetBatchSize(2).SetSort(d("k", 1)),
		"backwards":   options.Find().SetBatchSize(2).SetSort(d("k", -1)),
	} {
		cur, err := coll.Find(t.Context(), bson.D{}, o)
		if err != nil {
			t.Fatal(err)
		}
		var docs []struct{ K int }
		if err := cur.All(t.Context(), &docs); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got []int
		for _, doc := range docs {
			got = append(got, doc.K)
		}
		if name == "backwards" {
			slices.Reverse(got)
		}
		if !slices.Equal(got, ks) {
			t.Errorf("%s: got %v", name, got)
		}
	}
	// One shard only: the cursor is that shard's, and the id is still the router's.
	cur, err := coll.Find(t.Context(), d("k", d("$gte", 1, "$lt", 50)), options.Find().SetBatchSize(2))
	if err != nil {
		t.Fatal(err)
	}
	var docs []bson.M
	if err := cur.All(t.Context(), &docs); err != nil || len(docs) != 3 {
		t.Errorf("one shard: got %v, %v", docs, err)
	}
}

func killedCursors(t *testing.T, c *smallCluster) {
	sharded(t, c, "killed", -3, -2, -1, 1, 2, 3, 101, 102, 103)
	client := raw(t, c.router)
	for name, filter := range map[string]bson.D{"over shards": {}, "one shard": d("k", d("$lt", -1, "$gt", -50))} {
		answer := client.run(t, "killed", d("find", "c", "filter", filter, "batchSize", 1))
		cursor, _ := answer["cursor"].(bson.D)
		id := bson.M{}
		for _, e := range cursor {
			id[e.Key] = e.Value
		}
		if id["id"] == int64(0) || id["id"] == nil {
			t.Fatalf("%s: got %v", name, answer)
		}
		if n := c.openCursors(t, "s0"); n == 0 {
			t.Errorf("%s: no cursor is open on s0: the test proves nothing", name)
		}
		killed := client.run(t, "killed", d("killCursors", "c", "cursors", bson.A{id["id"], int64(12345)}))
		if a, _ := killed["cursorsKilled"].(bson.A); len(a) != 1 || a[0] != id["id"] {
			t.Errorf("%s: got %v", name, killed)
		}
		if a, _ := killed["cursorsNotFound"].(bson.A); len(a) != 1 {
			t.Errorf("%s: got %v", name, killed)
		}
		if after := client.run(t, "killed", d("getMore", id["id"], "collection", "c")); after["code"] != int32(codeCursorNotFound) {
			t.Errorf("%s: getMore after killCursors: %v", name, after)
		}
	}
	for shard := range c.shards {
		if n := c.openCursors(t, shard); n != 0 {
			t.Errorf("%d cursors are still open on %s", n, shard)
		}
	}
}

// openCursors is how many cursors of the database killed a shard has.
func (c *smallCluster) openCursors(t *testing.T, shard string) int {
	t.Helper()
	cur, err := c.direct(t, shard).Database("admin").Aggregate(t.Context(), mongo.Pipeline{
		d("$currentOp", d("idleCursors", true, "allUsers", true)), d("$match", d("type", "idleCursor", "ns", "killed.c")),
	})
	if err != nil {
		t.Fatal(err)
	}
	var open []bson.M
	if err := cur.All(t.Context(), &open); err != nil {
		t.Fatal(err)
	}
	return len(open)
}

func countAndDistinct(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "counts", -2, -1, 1, 2, 101, 102, 103)
	client := raw(t, c.router)
	for _, test := range []struct {
		cmd  bson.D
		want int32
	}{
		{d("count", "c"), 7},
		{d("count", "c", "query", d("k", d("$gt", 0))), 5},
		{d("count", "c", "skip", 2, "limit", 3), 3},
		{d("count", "c", "skip", 6, "limit", -3), 1},
		{d("count", "c", "query", d("k", 5000)), 0},
		{d("count", "missing"), 0},
	} {
		if got := client.run(t, "counts", test.cmd); got["n"] != test.want {
			t.Errorf("%v: got %v, want %d", test.cmd, got, test.want)
		}
	}
	if n, err := coll.CountDocuments(t.Context(), d("k", d("$lt", 100))); err != nil || n != 4 {
		t.Errorf("got %d, %v", n, err)
	}
	_, err := coll.UpdateMany(t.Context(), bson.D{}, d("$set", d("a", bson.A{d("b", bson.A{1, 2, bson.A{3}}), d("b", nil), d("c", 1), bson.A{d("b", 9)}, 7})))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]int{"a.b": 4, "a": 5, "k": 7, "a.0.b": 3, "none": 0} {
		got := client.run(t, "counts", d("distinct", "c", "key", key))
		if values, _ := got["values"].(bson.A); len(values) != want {
			t.Errorf("distinct %s: got %v, want %d values", key, got, want)
		}
	}
}

func explains(t *testing.T, c *smallCluster) {
	sharded(t, c, "explained", -1, 1)
	client := raw(t, c.router)
	for _, explained := range []bson.D{
		d("find", "c", "filter", d("k", 1)), d("aggregate", "c", "pipeline", bson.A{}, "cursor", bson.D{}), d("count", "c"), d("distinct", "c", "key", "k"),
		d("update", "c", "updates", bson.A{d("q", d("k", 1), "u", d("$set", d("x", 1)))}), d("findAndModify", "c", "query", d("k", 1), "remove", true),
	} {
		got := client.run(t, "explained", d("explain", explained, "verbosity", "queryPlanner"))
		if got["ok"] != 1.0 {
			t.Errorf("%v: got %v", explained, got)
		}
	}
}

// The router's table and the core's are warm when the chunk moves: both have to find out.
func readsFollowMove(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "moved", -1, 1, 2, 101)
	sum := func() int {
		cur, err := coll.Aggregate(t.Context(), mongo.Pipeline{d("$group", d("_id", nil, "n", d("$sum", 1)))})
		if err != nil {
			t.Errorf("aggregate: %v", err)
			return -1
		}
		var groups []struct{ N int }
		if err := cur.All(t.Context(), &groups); err != nil || len(groups) != 1 {
			t.Errorf("aggregate: %v, %v", groups, err)
			return -1
		}
		return groups[0].N
	}
	point := func() int {
		n := 0
		for _, k := range []int{-1, 1, 2, 101} {
			if err := coll.FindOne(t.Context(), d("k", k)).Err(); err == nil {
				n++
			} else {
				t.Errorf("find k %d: %v", k, err)
			}
		}
		return n
	}
	for step, to := range []string{"", "s2", "s0"} {
		if to != "" {
			c.move(t, "moved.c", 0, to)
		}
		if p, s := point(), sum(); p != 4 || s != 4 {
			t.Errorf("step %d: point reads found %d, aggregate %d, want 4", step, p, s)
		}
	}
}

func causalSession(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "causal", -1, 1, 101)
	err := coll.Database().Client().UseSession(t.Context(), func(ctx context.Context) error {
		for i := range 30 {
			if _, err := coll.UpdateOne(ctx, d("k", []int{-1, 1, 101}[i%3]), d("$set", d("i", i))); err != nil {
				return err
			}
			// The read goes through the core, whose clock is behind.
			n, err := coll.CountDocuments(ctx, d("i", i))
			if err != nil || n != 1 {
				t.Errorf("after write %d: %d, %v", i, n, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func readsConfig(t *testing.T, c *smallCluster) {
	cur, err := c.client(t).Database("config").Collection("shards").Find(t.Context(), bson.D{}, options.Find().SetBatchSize(2))
	if err != nil {
		t.Fatal(err)
	}
	var shards []bson.M
	if err := cur.All(t.Context(), &shards); err != nil || len(shards) != 3 {
		t.Errorf("got %v, %v", shards, err)
	}
}

func missingDatabase(t *testing.T, c *smallCluster) {
	client := raw(t, c.router)
	for _, cmd := range []bson.D{
		d("find", "c", "filter", d("_id", 1)), d("aggregate", "c", "pipeline", bson.A{}, "cursor", bson.D{}), d("count", "c"), d("distinct", "c", "key", "a"), d("distinct", "c", "key", "a.0"),
	} {
		if got := client.run(t, "nowhere", cmd); got["ok"] != 1.0 {
			t.Errorf("%v: got %v", cmd, got)
		}
	}
}

func unsharded(t *testing.T, c *smallCluster) {
	coll := c.client(t).Database("plain").Collection("c")
	fill(t, coll, 1, 2, 3)
	if n, err := coll.CountDocuments(t.Context(), bson.D{}); err != nil || n != 3 {
		t.Errorf("count: %d, %v", n, err)
	}
	r, err := coll.UpdateMany(t.Context(), bson.D{}, d("$inc", d("x", 1)))
	if err != nil || r.ModifiedCount != 3 {
		t.Errorf("update: %+v, %v", r, err)
	}
	if r, err := coll.DeleteOne(t.Context(), d("k", 2)); err != nil || r.DeletedCount != 1 {
		t.Errorf("delete: %+v, %v", r, err)
	}
	held := 0
	for name := range c.shards {
		held += c.on(t, name, "plain", bson.D{})
	}
	if held != 2 {
		t.Errorf("shards hold %d documents, want 2", held)
	}
}
