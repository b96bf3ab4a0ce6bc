package devmongos_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

const (
	bankTellers  = 9
	bankAuditors = 4
	bankAccounts = 30
)

// TestBank moves money between accounts on three shards in transactions, through the routers of three datacenters, while primaries are
// killed, links cut and chunks moved. Whoever reads all accounts at one time finds the same sum, and in the end every transfer is done
// as a whole or not at all: accounts, the ledger on another shard and an unsharded collection agree, and acknowledged commits are there.
//
// GEOSHARD_SOAK=1 runs for 10 minutes, else 20 s and until a chunk has moved and a primary was killed; GEOSHARD_SEED repeats the random choices, not their timing.
func TestBank(t *testing.T) {
	ctx := t.Context()
	c := startWorld(t)
	openBank(ctx, t, c)
	duration := 20 * time.Second
	if soak() {
		duration = 10 * time.Minute
	}
	s := seed(t)
	t.Logf("seed %d, %v, %d tellers, %d auditors, %d accounts", s, duration, bankTellers, bankAuditors, bankAccounts)
	record := newBankRecord(t.Logf)
	n := &nemesis{cluster: c, ns: "bank.accounts", logf: t.Logf, refusals: map[string]int{}}
	clients := bankClients(ctx, t, c, record)
	cuts := bankDay(ctx, duration, s, clients, record, n)

	b := finalBooks(ctx, t, c, clients)
	wrong := append(audit(b, bankAccounts), broken(b.ledger, record.told)...)
	report(t, record, len(b.ledger))
	t.Logf("moves %d (refused %v), kills %d, cuts %d", n.moves, n.refusals, n.kills, cuts)
	for i, w := range append(wrong, record.wrong...) {
		if t.Errorf("wrong: %s", short(w)); i == 20 {
			break
		}
	}
	for _, f := range n.failures {
		t.Errorf("nemesis: %s", f)
	}
	if len(b.ledger) == 0 || record.reads == 0 || record.audits == 0 || n.moves == 0 || n.kills == 0 || cuts == 0 {
		t.Errorf("nothing was tried: %d transfers, %d reads, %d audits, %d moves, %d kills, %d cuts", len(b.ledger), record.reads, record.audits, n.moves, n.kills, cuts)
	}
}

func report(t *testing.T, record *bankRecord, entries int) {
	t.Helper()
	told := map[promise]int{}
	for _, p := range record.told {
		told[p]++
	}
	t.Logf("transfers committed %d %v, aborted for want of money %d, unknown %d; entries in the ledger %d", told[promiseCommitted], record.committed, told[promiseAborted], told[promiseUnknown], entries)
	t.Logf("failed commands by code and label %v", record.aborts)
	t.Logf("snapshot reads %d, of which with the ledger %d; reads not finished %v; wrong %d; longest transfer %v", record.reads, record.audits, record.readErrors, len(record.wrong), record.stall.Round(time.Millisecond))
}

// bankClients connects to the router of each datacenter.
func bankClients(ctx context.Context, t *testing.T, c *testCluster, record *bankRecord) (clients []*mongo.Client) {
	t.Helper()
	for _, dc := range worldDatacenters {
		uri, err := c.URI(dc)
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, connectWith(t, options.Client().ApplyURI(uri).SetMonitor(record.monitor())))
	}
	for _, client := range clients {
		// A snapshot may be older than what another router has acknowledged: the run begins when all know of the deposits.
		if !eventually(ctx, recoveryBudget, func() bool {
			b, err := (&auditor{client: client}).read(ctx, true, false)
			return err == nil && len(audit(b, bankAccounts)) == 0
		}) {
			t.Fatal("a router does not show the deposits")
		}
	}
	return clients
}

// bankDay runs tellers, auditors, moves, kills and cuts side by side and returns when all have ended.
func bankDay(ctx context.Context, duration time.Duration, s uint64, clients []*mongo.Client, record *bankRecord, n *nemesis) (cuts int) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	for i := range bankTellers {
		all.Go(func() {
			(&teller{id: i, client: clients[i%len(clients)], accounts: bankAccounts, record: record, chance: newChance(s + uint64(i))}).run(ctx)
		})
	}
	for i := range bankAuditors {
		all.Go(func() {
			(&auditor{client: clients[i%len(clients)], accounts: bankAccounts, record: record, transaction: i%2 == 0}).run(ctx)
		})
	}
	all.Go(func() { n.move(ctx, newChance(s+2000)) })
	unrest, calm := context.WithCancel(ctx)
	defer calm()
	all.Go(func() { n.kill(unrest, newChance(s+3000)) })
	all.Go(func() { cuts = n.cut(unrest, newChance(s+4000)) })
	n.disturb(ctx, duration, calm)
	cancel()
	all.Wait()
	return cuts
}

// cut cuts the link of two random datacenters for some seconds, over and over, and returns how often. Every shard keeps a majority
// that is connected, unless one of its members is killed at that moment: then it waits for the link.
func (n *nemesis) cut(ctx context.Context, c chance) (cuts int) {
	for ctx.Err() == nil {
		i := c.IntN(len(worldDatacenters))
		a, b := worldDatacenters[i], worldDatacenters[(i+1)%len(worldDatacenters)]
		if err := n.cluster.Cut(ctx, a, b); err != nil {
			n.fail(ctx, "cut %s %s: %v", a, b, err)
			return cuts
		}
		cuts++
		wait(ctx, time.Duration(500+c.IntN(2500))*time.Millisecond)
		if err := n.cluster.Heal(context.WithoutCancel(ctx)); err != nil {
			n.fail(context.WithoutCancel(ctx), "heal: %v", err)
			return cuts
		}
		wait(ctx, time.Duration(1000+c.IntN(4000))*time.Millisecond)
	}
	return cuts
}

// wait returns after that time, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// openBank spreads accounts and ledger over the shards, in twelve chunks each, and makes the deposits.
func openBank(ctx context.Context, t *testing.T, c *testCluster) {
	t.Helper()
	must := func(command bson.D) {
		t.Helper()
		if err := c.admin(ctx, command); err != nil {
			t.Fatalf("%s: %v", text(command), err)
		}
	}
	must(d("balancerStop", 1))
	must(d("enableSharding", "bank", "primaryShard", "s1"))
	for i, shard := range c.shards {
		must(d("addShardToZone", shard, "zone", zoneName(i)))
	}
	bounds := []any{bson.MinKey{}}
	for k := int32(250); k < bankKeys; k += 250 {
		bounds = append(bounds, k)
	}
	zoned := between("k", append(bounds, bson.MaxKey{})...)
	for i, name := range []string{"accounts", "ledger"} {
		ns := "bank." + name
		// The ledger's ranges are one shard further: an account and an entry with its key are on two shards.
		for j, r := range zoned {
			must(d("updateZoneKeyRange", ns, "min", r[0], "max", r[1], "zone", zoneName((i+j)%len(c.shards))))
		}
		must(d("shardCollection", ns, "key", d("k", 1)))
		for _, r := range zoned {
			must(d("updateZoneKeyRange", ns, "min", r[0], "max", r[1], "zone", nil))
		}
		c.checkSpread(ctx, t, ns)
	}
	deposit(ctx, t, c.client, bankAccounts, bankTellers)
}

// deposit makes the accounts and the tellers' totals.
func deposit(ctx context.Context, t *testing.T, client *mongo.Client, accounts, tellers int) {
	t.Helper()
	db := client.Database("bank", options.Database().SetWriteConcern(writeconcern.Majority()))
	var docs, totals []any
	for i := range accounts {
		docs = append(docs, d("_id", accountName(i), "k", int32(i*bankKeys/accounts), "balance", int64(bankDeposit)))
	}
	for i := range tellers {
		totals = append(totals, d("_id", i, "n", int64(0)))
	}
	_, err := db.Collection("accounts").InsertMany(ctx, docs)
	_, more := db.Collection("totals").InsertMany(ctx, totals)
	if err := errors.Join(err, more); err != nil {
		t.Fatalf("deposit: %v", err)
	}
}

// finalBooks reads the bank at one time, after the last transfer of these clients; the shards may still be electing.
func finalBooks(ctx context.Context, t *testing.T, c *testCluster, clients []*mongo.Client) (b books) {
	t.Helper()
	var err error
	reader := &auditor{client: c.client, accounts: bankAccounts, transaction: true, after: clients}
	if !eventually(ctx, recoveryBudget, func() bool { b, err = reader.read(ctx, true, false); return err == nil }) {
		t.Fatalf("read the books: %v", err)
	}
	return b
}

// TestBankReadersSeeTornTransfers makes transfers without transactions: the same readers have to find them torn.
func TestBankReadersSeeTornTransfers(t *testing.T) {
	client := startPlain(t)
	if err := client.Database("bank").CreateCollection(t.Context(), "ledger"); err != nil {
		t.Fatal(err)
	}
	deposit(t.Context(), t, client, 6, 4)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	record := newBankRecord(t.Logf)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			(&teller{id: i, client: client, accounts: 6, record: record, chance: newChance(uint64(i)), careless: true}).run(ctx)
		})
	}
	for i := range 2 {
		all.Go(func() { (&auditor{client: client, accounts: 6, record: record, transaction: i == 0}).run(ctx) })
	}
	found := func() map[bool]int {
		record.mu.Lock()
		defer record.mu.Unlock()
		n := map[bool]int{}
		for _, w := range record.wrong {
			n[len(w) > len("snapshot (transaction true)") && w[:27] == "snapshot (transaction true)"]++
		}
		return n
	}
	eventually(ctx, 20*time.Second, func() bool { n := found(); return n[true] > 0 && n[false] > 0 })
	cancel()
	all.Wait()
	t.Logf("torn: %v of %d snapshot reads, %v transfers", found(), record.reads, record.committed)
	if n := found(); n[true] == 0 || n[false] == 0 {
		t.Errorf("found torn in transactions and in snapshot sessions: %v, want both", n)
	}
}
