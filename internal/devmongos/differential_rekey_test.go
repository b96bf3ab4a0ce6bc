package devmongos_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/internal/testkit"
)

// rekeySpecs are the collections whose shard key can change.
func rekeySpecs() (changing []spec) {
	for _, s := range specs {
		if s.sharded() && !s.keyIsID() {
			changing = append(changing, s)
		}
	}
	return changing
}

// TestDifferentialRekeys changes shard keys, mostly to another shard's, in every way there is, inside and outside of transactions.
func TestDifferentialRekeys(t *testing.T) {
	ctx := t.Context()
	plain, sharded := startPlain(t).client, startCluster(t)
	changing := rekeySpecs()
	prepare(ctx, t, plain, changing)
	sharded.spread(ctx, t, changing)
	c := comparison{seed: testkit.Seed(t), operations: testkit.Count(t, "changes outside of transactions, and five times the transactions", 150, 3_000), enough: 10, want: server{name: "plain", client: plain},
		got: server{name: "devmongos", client: sharded.client}, specs: changing}
	g := c.generator(ctx)
	moved := 0
	differences := 0
	for n, op := range append(c.fill(g), g.keyChanges(c.operations)...) {
		if op.Kind == "" {
			op = g.keyChange()
		}
		want, got := c.want.run(ctx, n, op), c.got.run(ctx, n, op)
		if diff := difference(op, want, got); diff != "" {
			differences++
			t.Error(c.report(ctx, n, op, want, got, diff))
			c.level(ctx, t.Logf)
		} else if want.Err == nil {
			moved++
		}
		if differences == c.enough {
			return
		}
	}
	for _, diff := range c.contents(ctx) {
		t.Error(diff)
	}
	c.operations /= 5
	c.seed++
	for _, s := range changing {
		for _, client := range []server{c.want, c.got} {
			if _, err := client.client.Database(s.db).Collection(s.name).DeleteMany(ctx, bson.D{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	found := c.runTransactions(ctx, t, (*generator).keyChange)
	t.Logf("seed %d: %d changes outside of transactions; inside: %s", c.seed-1, moved, found)
	if len(found.differences) > 0 {
		t.Errorf("%d differences in transactions", len(found.differences))
	}
}

// keyChanges makes room for that many changes, each of which is made when those before it have been.
func (g *generator) keyChanges(count int) []operation { return make([]operation, count) }

// keyChange changes the shard key of a document, or of one that an upsert makes.
func (g *generator) keyChange() operation {
	g.spec = pickOf(g.chance, g.specs)
	filter, doc := g.target()
	op := g.on(pickOf(g.chance, []string{"updateOne", "updateOne", "replaceOne", "findOneAndUpdate", "findOneAndReplace", "bulkWrite"}))
	op.order, op.Filter, op.After = inOrder, filter, g.percent(50)
	op.Upsert = doc != nil && g.percent(10)
	change := func() any {
		if g.percent(20) {
			return []bson.D{g.rekey()}
		}
		return append(g.rekey(), bson.E{Key: "$inc", Value: d("moves", int32(1))})
	}
	switch op.Kind {
	case "updateOne", "findOneAndUpdate":
		op.Update = change()
		if op.Kind == "findOneAndUpdate" && g.percent(30) {
			op.Projection = d("n", 1, "k", 1)
		}
	case "replaceOne", "findOneAndReplace":
		op.Update = g.document(filter[0].Value)
	default:
		op.Filter = nil
		op.Writes = []write{{Kind: "updateOne", Filter: filter, Update: change()}}
	}
	return op
}
