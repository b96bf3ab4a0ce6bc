package devmongos_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/geoshard/geoshard/internal/testkit"
)

// judgeBank compares what the tellers were told with the books.
func judgeBank(ctx context.Context, t *testing.T, c *testCluster, clients []*mongo.Client, record *bankRecord) {
	b := finalBooks(ctx, t, c, clients)
	wrong := append(audit(b, bankAccounts), broken(b.ledger, record.told)...)
	report(t, record, len(b.ledger))
	for i, w := range append(wrong, record.wrong...) {
		if t.Errorf("wrong: %s", short(w)); i == 20 {
			break
		}
	}
	if len(b.ledger) == 0 || record.reads == 0 || record.audits == 0 {
		t.Errorf("nothing was tried: %d transfers, %d reads, %d audits", len(b.ledger), record.reads, record.audits)
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
		testkit.EventuallyNil(t, testkit.Patience, "a router shows the deposits", func(ctx context.Context) error {
			b, err := (&auditor{client: client}).read(ctx, true, false)
			if err == nil && len(audit(b, bankAccounts)) > 0 {
				err = errors.New("the deposits are not there")
			}
			return err
		})
	}
	return clients
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
	c.dropDatabase(ctx, t, "bank")
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
	reader := &auditor{client: c.client, accounts: bankAccounts, transaction: true, after: clients}
	testkit.EventuallyNil(t, testkit.Patience, "the books can be read", func(ctx context.Context) (err error) {
		b, err = reader.read(ctx, true, false)
		return err
	})
	return b
}

// TestBankReadersSeeTornTransfers makes transfers without transactions: the same readers have to find them torn.
func TestBankReadersSeeTornTransfers(t *testing.T) {
	client := startPlain(t).client
	if err := client.Database("bank").Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := client.Database("bank").CreateCollection(t.Context(), "ledger"); err != nil {
		t.Fatal(err)
	}
	deposit(t.Context(), t, client, 6, 4)
	record := newBankRecord(t.Logf)
	crowd := gather(t)
	for i := range 4 {
		crowd.add("teller", 0, (&teller{id: i, client: client, accounts: 6, record: record, chance: newChance(uint64(i)), careless: true}).step)
	}
	for i := range 2 {
		crowd.add("auditor", 0, (&auditor{client: client, accounts: 6, record: record, transaction: i == 0}).step)
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
	testkit.Eventually(t, testkit.Patience, "torn transfers are found in transactions and in snapshot sessions", func() bool { n := found(); return n[true] > 0 && n[false] > 0 })
	crowd.stop()
	t.Logf("torn: %v of %d snapshot reads, %v transfers", found(), record.reads, record.committed)
}
