package devmongos_test

import (
	"context"
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

// A span is a run of shard keys: a chunk, or what a shard has on its list of ranges to delete.
type span struct{ Min, Max bson.Raw }

func (s span) has(key bson.Raw) bool {
	return shardkey.CompareKeys(s.Min, key) <= 0 && shardkey.CompareKeys(key, s.Max) < 0
}

func anyHas(spans []span, key bson.Raw) bool {
	for _, s := range spans {
		if s.has(key) {
			return true
		}
	}
	return false
}

// A holding is what one shard has of a collection.
type holding struct {
	shard topology.ShardID
	// owned are its chunks, doomed the ranges that it knows that it has to delete.
	owned, doomed []span
	keys          []bson.Raw
}

// mistakes are documents on shards that do not own them, and were not left there by a move: a shard lists what it has received until that is its own, and
// what it has given away until that is deleted. When it deletes is the server's affair: it waits for every cursor that was open, also for
// those of a router that was killed, which end after ten minutes.
func mistakes(holdings []holding) (wrong []string, left int) {
	for _, h := range holdings {
		for _, key := range h.keys {
			switch {
			case anyHas(h.owned, key):
			case anyHas(h.doomed, key):
				left++
			default:
				wrong = append(wrong, fmt.Sprintf("%s on %s", key, h.shard))
			}
		}
	}
	return wrong, left
}

// judgeOwners looks for documents that were written to a shard that does not own them. No chunk moves any more.
func judgeOwners(ctx context.Context, t *testing.T, c *testCluster, coll *mongo.Collection) {
	t.Helper()
	ns := coll.Database().Name() + "." + coll.Name()
	config := coll.Database().Client().Database("config")
	var entry struct {
		UUID bson.Binary `bson:"uuid"`
	}
	if err := config.Collection("collections").FindOne(ctx, d("_id", ns)).Decode(&entry); err != nil {
		t.Fatal(err)
	}
	read := func(coll *mongo.Collection, filter bson.D, into any) {
		t.Helper()
		if err := found(ctx, coll, filter, into); err != nil {
			t.Fatalf("%s: %v", coll.Name(), err)
		}
	}
	var holdings []holding
	for _, shard := range c.shards {
		h := holding{shard: shard}
		direct := c.direct(ctx, t, shard)
		// The list first: nothing is added to it any more, and a range leaves it after its documents.
		var deletions []struct{ Range span }
		read(direct.Database("config").Collection("rangeDeletions"), d("nss", ns), &deletions)
		for _, deletion := range deletions {
			h.doomed = append(h.doomed, deletion.Range)
		}
		read(config.Collection("chunks"), d("uuid", entry.UUID, "shard", shard), &h.owned)
		var documents []struct{ K bson.RawValue }
		read(direct.Database(coll.Database().Name()).Collection(coll.Name()), bson.D{}, &documents)
		for _, document := range documents {
			key, err := bson.Marshal(d("k", document.K))
			if err != nil {
				t.Fatal(err)
			}
			h.keys = append(h.keys, key)
		}
		holdings = append(holdings, h)
	}
	wrong, left := mistakes(holdings)
	t.Logf("left by moves and not deleted yet: %d documents", left)
	for i, w := range wrong {
		if t.Errorf("on a shard that does not own it: %s", w); i == 20 {
			break
		}
	}
}

// The judge of owners knows what a move left from what was written by mistake.
func TestOwnersCheckerCanFail(t *testing.T) {
	key := func(n int) bson.Raw {
		raw, err := bson.Marshal(d("k", n))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	keys := []bson.Raw{key(1), key(15), key(25)}
	for _, c := range []struct {
		holding holding
		wrong   int
		left    int
	}{
		{holding{owned: []span{{key(0), key(10)}, {key(10), key(30)}}, keys: keys}, 0, 0},
		{holding{owned: []span{{key(0), key(10)}}, doomed: []span{{key(10), key(30)}}, keys: keys}, 0, 2},
		{holding{owned: []span{{key(0), key(10)}}, doomed: []span{{key(10), key(25)}}, keys: keys}, 1, 1}, // a bound above is not in it
		{holding{keys: keys}, 3, 0},
	} {
		wrong, left := mistakes([]holding{c.holding})
		if len(wrong) != c.wrong || left != c.left {
			t.Errorf("%v: got %v and %d left, want %d and %d", c.holding, wrong, left, c.wrong, c.left)
		}
	}
}
