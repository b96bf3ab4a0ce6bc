package devmongos_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
)

const (
	chaosWriters = 16
	chaosReaders = 4
)

// TestChaos writes and reads through devmongos while chunks move and primaries are killed, and then counts: every
// acknowledged write is present exactly once, nothing twice, and no client saw a wrong error.
//
// GEOSHARD_SOAK=1 runs for 60 s, else 12 s and until a chunk has moved and a primary was killed; GEOSHARD_SEED repeats the random choices, not their timing.
func TestChaos(t *testing.T) {
	ctx := t.Context()
	c := startCluster(t, 3)
	coll := chaosCollection(ctx, t, c)
	duration := 12 * time.Second
	if soak() {
		duration = 60 * time.Second
	}
	s := seed(t)
	t.Logf("seed %d, %v, %d writers, %d readers", s, duration, chaosWriters, chaosReaders)

	ledger, n := newLedger(), &nemesis{cluster: c, ns: "chaos.things", logf: t.Logf, refusals: map[string]int{}}
	rampage(ctx, duration, s, coll, ledger, n)

	ledger.mu.Lock()
	defer ledger.mu.Unlock()
	writes := 0
	for _, a := range ledger.attempts {
		if a.acknowledged {
			writes++
		}
	}
	t.Logf("writes: %d acknowledged, %d not; operations done %v", writes, len(ledger.attempts)-writes, ledger.done)
	t.Logf("errors %v; wrong %d; longest stall %v", ledger.errors, len(ledger.wrong), ledger.stall.Round(time.Millisecond))
	t.Logf("moves %d (refused %v), kills %d", n.moves, n.refusals, n.kills)
	for i, w := range ledger.wrong {
		if t.Errorf("wrong: %s", short(w)); i == 20 {
			break
		}
	}
	for _, f := range n.failures {
		t.Errorf("nemesis: %s", f)
	}
	if n.moves == 0 || n.kills == 0 || writes == 0 {
		t.Errorf("nothing was tried: %d moves, %d kills, %d writes", n.moves, n.kills, writes)
	}

	documents, counters := holdings(ctx, t, coll)
	violations := verify(ledger.attempts, documents, counters)
	t.Logf("found %d documents and %d counters; %d violations", len(documents), len(counters), len(violations))
	for i, v := range violations {
		if t.Errorf("violation: %s", v); i == 20 {
			break
		}
	}
	noOrphans(ctx, t, c, int64(len(documents)+len(counters)))
}

// rampage runs writers, readers, moves and kills side by side and returns when all have ended.
func rampage(ctx context.Context, duration time.Duration, s uint64, coll *mongo.Collection, l *ledger, n *nemesis) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	for i := range chaosWriters {
		all.Go(func() { (&writer{id: i, coll: coll, ledger: l, chance: newChance(s + uint64(i))}).run(ctx) })
	}
	for i := range chaosReaders {
		all.Go(func() {
			(&reader{coll: coll, ledger: l, chance: newChance(s + 1000 + uint64(i)), scans: i%2 == 0}).run(ctx, chaosWriters)
		})
	}
	all.Go(func() { n.move(ctx, newChance(s+2000)) })
	unrest, calm := context.WithCancel(ctx)
	defer calm()
	all.Go(func() { n.kill(unrest, newChance(s+3000)) })
	n.disturb(ctx, duration, calm)
	cancel()
	all.Wait()
}

// chaosCollection is sharded by k into twelve chunks on three shards, which nothing but the nemesis moves.
func chaosCollection(ctx context.Context, t *testing.T, c *testCluster) *mongo.Collection {
	t.Helper()
	must := func(command bson.D) {
		t.Helper()
		if err := c.admin(ctx, command); err != nil {
			t.Fatalf("%s: %v", text(command), err)
		}
	}
	const ns = "chaos.things"
	must(d("balancerStop", 1))
	must(d("enableSharding", "chaos"))
	bounds := []any{bson.MinKey{}}
	for k := int32(1000); k < keySpace; k += 1000 {
		bounds = append(bounds, k)
	}
	zoned := between("k", append(bounds, bson.MaxKey{})...)
	for i, shard := range c.shards {
		must(d("addShardToZone", shard, "zone", zoneName(i)))
	}
	for i, r := range zoned {
		must(d("updateZoneKeyRange", ns, "min", r[0], "max", r[1], "zone", zoneName(i%len(c.shards))))
	}
	must(d("shardCollection", ns, "key", d("k", 1)))
	for _, r := range zoned {
		must(d("updateZoneKeyRange", ns, "min", r[0], "max", r[1], "zone", nil))
	}
	c.checkSpread(ctx, t, ns)
	return c.client.Database("chaos").Collection("things")
}

// holdings is everything that the collection holds, read through the router.
func holdings(ctx context.Context, t *testing.T, coll *mongo.Collection) (documents []string, counters []counter) {
	t.Helper()
	majority := coll.Database().Collection(coll.Name(), options.Collection().SetReadConcern(readconcern.Majority()))
	cursor, err := majority.Find(ctx, bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	defer cursor.Close(ctx)
	for cursor.Next(ctx) {
		var doc struct {
			ID     string `bson:"_id"`
			N      int64
			Tokens []string
		}
		if err := cursor.Decode(&doc); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(doc.ID, "counter-") {
			counters = append(counters, counter{doc.ID, doc.N, doc.Tokens})
		} else {
			documents = append(documents, doc.ID)
		}
	}
	if err := cursor.Err(); err != nil {
		t.Fatal(err)
	}
	return documents, counters
}

// noOrphans waits until the shards together hold as many documents as the router showed. What remains beyond that
// would be a document on a shard that does not own it: written there by mistake, not left there by a move.
func noOrphans(ctx context.Context, t *testing.T, c *testCluster, want int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, recoveryBudget)
	defer cancel()
	var colls []*mongo.Collection
	for _, s := range c.shards {
		colls = append(colls, c.direct(ctx, t, s).Database("chaos").Collection("things"))
	}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		var counts []int64
		total := int64(0)
		for _, coll := range colls {
			n, err := coll.CountDocuments(ctx, bson.D{})
			if err != nil {
				counts = append(counts, -1)
				total = -1
				break
			}
			counts, total = append(counts, n), total+n
		}
		if total == want {
			t.Logf("documents on the shards %v: no orphans are left", counts)
			return
		}
		select {
		case <-ctx.Done():
			t.Errorf("the shards hold %v documents, the router shows %d: %s", counts, want, strays(colls))
			return
		case <-tick.C:
		}
	}
}

// strays are some documents that lie on two shards.
func strays(colls []*mongo.Collection) string {
	ctx, cancel := context.WithTimeout(context.Background(), recoveryBudget)
	defer cancel()
	on := map[string][]int{}
	for i, coll := range colls {
		cursor, err := coll.Find(ctx, bson.D{}, options.Find().SetProjection(d("_id", 1)))
		if err != nil {
			return err.Error()
		}
		for cursor.Next(ctx) {
			id := cursor.Current.Lookup("_id").StringValue()
			on[id] = append(on[id], i)
		}
	}
	var out []string
	for id, shards := range on {
		if len(shards) > 1 && len(out) < 10 {
			out = append(out, fmt.Sprintf("%s on shards %v", id, shards))
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
