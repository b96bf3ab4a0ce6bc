package devmongos_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/internal/testkit"
)

// The clients of TestChaos: an ordinary run has as many of each kind as this, a soak all of them.
const (
	chaosWriters = 16
	chaosReaders = 4
	bankTellers  = 9
	bankAuditors = 4
	bankAccounts = 30
)

// TestChaos has one crowd of clients at work through the routers of three datacenters while a router and primaries are killed, a primary is paused, a link
// is cut, and chunks move all the time. Each kind of client has its own proof in the end:
//
//   - writers and readers: every acknowledged write is present exactly once, nothing twice, and no client saw a wrong error;
//   - the bank: whoever reads all accounts at one time finds the same sum, and in the end every transfer is done as a whole or not at all: accounts, the ledger
//     on another shard and an unsharded collection agree, and acknowledged commits are there;
//   - causal sessions: nobody reads less on a secondary than he wrote, also in a transaction, or has read before.
//
// TestChaosCheckerCanFail, TestBankCheckerCanFail, TestBankReadersSeeTornTransfers and TestCausality show that the proofs can fail.
// GEOSHARD_SEED repeats the random choices, not their timing.
func TestChaos(t *testing.T) {
	ctx := t.Context()
	c := startWorld(t)
	coll := chaosCollection(ctx, t, c)
	openBank(ctx, t, c)
	c.spreadCausal(ctx, t, "faults")
	s := testkit.Seed(t)
	rounds := testkit.Count(t, "rounds of a killed router, a killed primary, a paused primary, a cut link and moves between them", 1, 12)
	writers, readers := testkit.Count(t, "writers", 4, chaosWriters), testkit.Count(t, "readers", 2, chaosReaders)
	tellers, auditors := testkit.Count(t, "tellers", 3, bankTellers), testkit.Count(t, "auditors", 2, bankAuditors)
	causal := testkit.Count(t, "causal sessions", 3, causalWriters)

	ledger, record := newLedger(), newBankRecord(t.Logf)
	clients := bankClients(ctx, t, c, record)
	faults := seedCausal(ctx, t, clients[0], "faults")
	m := newMover(c, t.Logf, "chaos.things", "bank.accounts")
	crowd := gather(t)
	for i := range writers {
		w := &writer{id: i, coll: at(clients, i, coll), ledger: ledger, chance: newChance(s + uint64(i))}
		crowd.add(fmt.Sprint("writer ", i), 50*time.Millisecond, w.step)
	}
	for i := range readers {
		r := &reader{coll: at(clients, i, coll), ledger: ledger, chance: newChance(s + 1000 + uint64(i)), scans: i%2 == 0, writers: writers}
		crowd.add(fmt.Sprint("reader ", i), 50*time.Millisecond, r.step)
	}
	for i := range tellers {
		b := &teller{id: i, client: clients[i%len(clients)], accounts: bankAccounts, record: record, chance: newChance(s + 2000 + uint64(i))}
		// A moving chunk waits for the locks of open transactions, and those that begin meanwhile give way: with no pause none would move.
		crowd.add(fmt.Sprint("teller ", i), 50*time.Millisecond, b.step)
	}
	for i := range auditors {
		a := &auditor{client: clients[i%len(clients)], accounts: bankAccounts, record: record, transaction: i%2 == 0}
		crowd.add(fmt.Sprint("auditor ", i), 20*time.Millisecond, a.step)
	}
	var sessions []*causalClient
	for i := range causal {
		sessions = append(sessions, newCausalClient(t, clients[i%len(clients)], faults, ledger, i, causal))
		crowd.add(fmt.Sprint("causal session ", i), 20*time.Millisecond, sessions[i].step)
	}
	crowd.all.Go(func() { m.run(crowd.ctx, newChance(s+3000)) })
	r := &rampage{crowd: crowd, cluster: c, mover: m, ledger: ledger, record: record, chance: newChance(s + 4000)}
	for range rounds {
		r.round(t)
	}
	crowd.stop()
	clustertest.AwaitWhole(t, c)
	t.Logf("moves %v (refused %v)", m.moves, m.refusals)

	t.Run("writes", func(t *testing.T) { judgeWrites(ctx, t, c, coll, ledger) })
	t.Run("bank", func(t *testing.T) { judgeBank(ctx, t, c, clients, record) })
	t.Run("causal sessions", func(t *testing.T) { judgeCausal(t, sessions) })
}

// at is a collection through the router of the ith client.
func at(clients []*mongo.Client, i int, coll *mongo.Collection) *mongo.Collection {
	return clients[i%len(clients)].Database(coll.Database().Name()).Collection(coll.Name())
}

// judgeWrites compares what the writers and readers were told with what the shards hold.
func judgeWrites(ctx context.Context, t *testing.T, c *testCluster, coll *mongo.Collection, ledger *ledger) {
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
	for i, w := range ledger.wrong {
		if t.Errorf("wrong: %s", short(w)); i == 20 {
			break
		}
	}
	documents, counters := holdings(ctx, t, coll)
	violations := verify(ledger.attempts, documents, counters)
	t.Logf("found %d documents and %d counters; %d violations", len(documents), len(counters), len(violations))
	for i, v := range violations {
		if t.Errorf("violation: %s", v); i == 20 {
			break
		}
	}
	judgeOwners(ctx, t, c, coll)
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
	c.dropDatabase(ctx, t, "chaos")
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
