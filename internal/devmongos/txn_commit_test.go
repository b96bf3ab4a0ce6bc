package devmongos

import (
	"context"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/internal/testkit"
)

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
	testkit.Eventually(t, testkit.Patience, "the session has no open transaction", func() bool { return c.openTransactions(t, fields) == 0 })
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
