package devmongos_test

import (
	"context"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// A causalClient writes the numbers 1, 2, 3… into its document in one causal session, every other one in a transaction, and reads that and its neighbour's
// on secondaries. Its ledger judges the errors.
type causalClient struct {
	coll      *mongo.Collection
	session   *mongo.Session
	ledger    *ledger
	id, n     int
	neighbour int
	seen      memory
}

func newCausalClient(t *testing.T, client *mongo.Client, coll *mongo.Collection, l *ledger, id, sessions int) *causalClient {
	t.Helper()
	session, err := client.StartSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.EndSession(context.WithoutCancel(t.Context())) })
	o := options.Collection().SetWriteConcern(writeconcern.Majority()).SetReadConcern(readconcern.Majority()).SetReadPreference(readpref.Secondary())
	return &causalClient{coll: client.Database("causal").Collection(coll.Name(), o), session: session, ledger: l, id: id, neighbour: (id + 1) % sessions}
}

func (c *causalClient) step(ctx context.Context) {
	ctx = mongo.NewSessionContext(ctx, c.session)
	c.n++
	set := func(ctx context.Context) (any, error) {
		return nil, exactlyOne(c.coll.UpdateOne(ctx, causalDocument(c.id, 0)[:2], d("$set", d("n", c.n))))
	}
	began, kind := time.Now(), "write of a causal session"
	var err error
	if c.n%2 == 0 {
		_, err = set(ctx)
	} else {
		kind = "transaction of a causal session"
		_, err = c.session.WithTransaction(ctx, set, options.Transaction().SetWriteConcern(writeconcern.Majority()))
	}
	if c.ledger.ended(kind, err, time.Since(began)) {
		c.seen.wrote(c.id, c.n)
	}
	for _, whose := range []int{c.id, c.neighbour} {
		var got struct{ N int }
		began := time.Now()
		err := c.coll.FindOne(ctx, causalDocument(whose, 0)[:2]).Decode(&got)
		c.seen.slowest = max(c.seen.slowest, time.Since(began))
		if c.ledger.ended("read of a causal session", err, time.Since(began)) {
			c.seen.read(whose, got.N)
		}
	}
}

// judgeCausal fails if a session has read less than it knew.
func judgeCausal(t *testing.T, sessions []*causalClient) {
	for _, s := range sessions {
		t.Logf("session %d: %s", s.id, s.seen.observation)
		if s.seen.reads == 0 || s.seen.ownWrites+s.seen.backwards > 0 {
			t.Errorf("session %d: %s, want reads and no violation", s.id, s.seen.observation)
		}
	}
}
