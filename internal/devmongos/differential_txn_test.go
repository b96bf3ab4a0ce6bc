package devmongos_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"

	"github.com/geoshard/geoshard/internal/testkit"
)

// TestDifferentialTransactions runs random transactions through devmongos on three shards and on one plain mongod: every answer of
// every statement, also after one that failed, the outcome of the commit or abort, and the contents at the end are the same.
func TestDifferentialTransactions(t *testing.T) {
	ctx := t.Context()
	plain, sharded := startPlain(t).client, startCluster(t)
	prepare(ctx, t, plain, specs)
	sharded.spread(ctx, t, specs)
	c := comparison{seed: testkit.Seed(t), operations: testkit.Count(t, "transactions", 75, 1_500), enough: 10, want: server{name: "plain", client: plain},
		got: server{name: "devmongos", client: sharded.client}, specs: specs}
	found := c.runTransactions(ctx, t, (*generator).statement)
	t.Logf("seed %d: %s", c.seed, found)
	if len(found.differences) > 0 {
		t.Errorf("seed %d: %d differences", c.seed, len(found.differences))
	}
	if found.kinds["committed"] == 0 || found.kinds["aborted"] == 0 || found.kinds["find"] == 0 || found.documents == 0 {
		t.Errorf("the transactions compare too little: %s", found)
	}
}

// statement is the next operation that a sharded cluster allows in a transaction.
func (g *generator) statement() operation {
	for {
		op := g.next()
		switch op.Kind {
		case "find", "findOne", "count", "insertOne", "insertMany", "updateOne", "updateMany", "replaceOne", "deleteOne", "deleteMany",
			"findOneAndUpdate", "findOneAndReplace", "findOneAndDelete", "bulkWrite":
			return op
		case "aggregate":
			if op.Target == "" && !readsOthers(op) {
				return op
			}
		case "distinct":
			if !g.spec.sharded() {
				return op
			}
		}
	}
}

// readsOthers tells that a pipeline reads other collections, which a mongos refuses in transactions if they are sharded, or that
// it has a stage that no transaction may have. ($frobnicate has a rule of its own: servers see it before they look at the transaction.)
func readsOthers(op operation) bool {
	return slices.ContainsFunc(op.Pipeline, func(stage bson.D) bool {
		switch stage[0].Key {
		case "$lookup", "$graphLookup", "$unionWith", "$collStats", "$indexStats", "$planCacheStats", "$frobnicate":
			return true
		}
		return false
	})
}

// A duel is the same transaction on both servers.
type duel struct{ want, got *mongo.Session }

func (c comparison) start(ctx context.Context, t *testing.T, o *options.TransactionOptionsBuilder) duel {
	t.Helper()
	var sessions []*mongo.Session
	for _, s := range []server{c.want, c.got} {
		session, err := s.client.StartSession()
		if err == nil {
			err = session.StartTransaction(o)
		}
		if err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, session)
	}
	return duel{sessions[0], sessions[1]}
}

func (d duel) end(ctx context.Context, how func(*mongo.Session, context.Context) error) (want, got answer) {
	want, got = failed(how(d.want, ctx)), failed(how(d.got, ctx))
	d.want.EndSession(ctx)
	d.got.EndSession(ctx)
	return want, got
}

// runTransactions runs c.operations transactions of what next gives.
func (c comparison) runTransactions(ctx context.Context, t *testing.T, next func(*generator) operation) outcome {
	t.Helper()
	g := c.generator(ctx)
	out := outcome{kinds: map[string]int{}, refused: map[string]int{}}
	differ := func(n int, op operation, want, got answer, diff string) {
		report := c.report(ctx, n, op, want, got, diff)
		out.differences = append(out.differences, report)
		t.Log(report)
		c.level(ctx, t.Logf)
	}
	for n, op := range c.fill(g) {
		want, got := c.want.run(ctx, n, op), c.got.run(ctx, n, op)
		if diff := difference(op, want, got); diff != "" {
			differ(n, op, want, got, diff)
		}
	}
	for n := 0; n < c.operations && len(out.differences) < c.enough && ctx.Err() == nil; n++ {
		o := options.Transaction()
		if g.percent(30) {
			o.SetReadConcern(readconcern.Snapshot())
		}
		d := c.start(ctx, t, o)
		statements, commit := 1+g.IntN(6), g.percent(75)
		different := false
		var history []string
		for range statements {
			op := next(g)
			out.operations++
			out.kinds[op.Kind]++
			want := c.want.run(mongo.NewSessionContext(ctx, d.want), n, op)
			got := c.got.run(mongo.NewSessionContext(ctx, d.got), n, op)
			if want.Err != nil {
				out.refused[want.Err.codes()]++
			}
			out.documents += len(want.Docs)
			history = append(history, op.Kind)
			if want.Err != nil {
				history[len(history)-1] += " " + want.Err.codes()
			}
			if op.Kind == "bulkWrite" && op.Unordered && want.Err != nil {
				// What shards did at the same time is void and counts for nothing.
				want.Counts, got.Counts = nil, nil
			}
			if diff := difference(op, want, got); diff != "" {
				_, _ = d.end(ctx, (*mongo.Session).AbortTransaction)
				differ(n, op, want, got, fmt.Sprintf("in transaction %d %v: %s", n, history, diff))
				different = true
				break
			}
		}
		if different {
			continue
		}
		how, kind := (*mongo.Session).CommitTransaction, "committed"
		if !commit {
			how, kind = (*mongo.Session).AbortTransaction, "aborted"
		}
		out.kinds[kind]++
		want, got := d.end(ctx, how)
		if want.Err != nil {
			out.refused[kind+" "+want.Err.codes()]++
		}
		if diff := difference(operation{}, want, got); diff != "" {
			differ(n, operation{Kind: kind}, want, got, diff)
		}
	}
	for _, diff := range c.contents(ctx) {
		out.differences = append(out.differences, diff)
		t.Log(diff)
	}
	return out
}
