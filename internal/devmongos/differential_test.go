package devmongos_test

import (
	"context"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/internal/testkit"
)

// prepare makes the collections on a plain server as the sharded one has them: with the index of the shard key.
func prepare(ctx context.Context, t testing.TB, client *mongo.Client, specs []spec) {
	t.Helper()
	for _, s := range specs { // whole databases: an earlier test may have written $out and $merge targets
		if err := client.Database(s.db).Drop(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range specs {
		db := client.Database(s.db)
		if err := db.CreateCollection(ctx, s.name); err != nil {
			t.Fatal(err)
		}
		if s.key != nil && !slices.Equal(s.keyFields(), []string{"_id"}) || s.name == "byidhash" {
			if _, err := db.Collection(s.name).Indexes().CreateOne(ctx, mongo.IndexModel{Keys: s.key}); err != nil {
				t.Fatal(err)
			}
		}
		validate(ctx, t, client, s)
	}
}

// validate gives a validated collection its rule.
func validate(ctx context.Context, t testing.TB, client *mongo.Client, s spec) {
	t.Helper()
	if !s.validated {
		return
	}
	rule := bson.D{{Key: "collMod", Value: s.name}, {Key: "validator", Value: d("zz", d("$not", d("$type", "string")))}}
	if err := client.Database(s.db).RunCommand(ctx, rule).Err(); err != nil {
		t.Fatal(err)
	}
}

// TestDifferentialFindsNothingBetweenTwins runs the generator against two plain servers. What differs here would be
// an operation without a defined answer, so the generator would be wrong, not a router.
func TestDifferentialFindsNothingBetweenTwins(t *testing.T) {
	ctx := t.Context()
	a, b := startPlain(t).client, startTwin(t).client
	prepare(ctx, t, a, specs)
	prepare(ctx, t, b, specs)
	c := comparison{seed: testkit.Seed(t), operations: testkit.Count(t, "operations", 200, 10_000), enough: 25, want: server{name: "plain", client: a}, got: server{name: "twin", client: b}, specs: specs}
	found := c.run(ctx, t.Logf)
	t.Logf("seed %d: %s", c.seed, found)
	if len(found.differences) > 0 {
		t.Errorf("seed %d: two equal servers differ %d times", c.seed, len(found.differences))
	}
	if len(found.refused) == 0 || found.documents == 0 {
		t.Errorf("the operations compare nothing: %s", found)
	}
}

// TestDifferentialFindsEveryLie shows that the comparison can fail: each of these wrong servers has to be found out.
func TestDifferentialFindsEveryLie(t *testing.T) {
	ctx := t.Context()
	a, b := startPlain(t).client, startTwin(t).client
	for _, lie := range lies {
		t.Run(lie.name, func(t *testing.T) {
			prepare(ctx, t, a, specs)
			prepare(ctx, t, b, specs)
			wrong := lie.server(b)
			c := comparison{seed: 4711, operations: 300, enough: 1, want: server{name: "plain", client: a}, got: wrong, specs: specs}
			found := c.run(ctx, func(string, ...any) {})
			t.Logf("%d differences in %d operations", len(found.differences), found.operations)
			if len(found.differences) == 0 {
				t.Errorf("nobody noticed: %s", found)
			}
		})
	}
}

// A lie is one way in which a server can be wrong.
type lie struct {
	name   string
	change func(op operation, a answer) answer
	omit   func(n int, op operation) bool
}

func (l lie) server(client *mongo.Client) server {
	s := server{name: "liar", client: client, omit: l.omit}
	if l.change != nil {
		s.falsify = func(_ int, op operation, a answer) answer { return l.change(op, a) }
	}
	return s
}

// rewrite changes the first document of an answer.
func rewrite(a answer, change func(bson.D) bson.D) answer {
	if len(a.Docs) == 0 {
		return a
	}
	var doc bson.D
	if err := bson.Unmarshal(a.Docs[0], &doc); err != nil {
		return a
	}
	raw, err := bson.Marshal(change(doc))
	if err != nil {
		return a
	}
	a.Docs = append([]bson.Raw{raw}, a.Docs[1:]...)
	return a
}

var lies = []lie{
	{name: "a document is missing", change: func(_ operation, a answer) answer {
		if len(a.Docs) > 3 {
			a.Docs = a.Docs[1:]
		}
		return a
	}},
	{name: "a document comes twice instead of another", change: func(_ operation, a answer) answer {
		if len(a.Docs) > 3 {
			a.Docs = append([]bson.Raw{a.Docs[1]}, a.Docs[1:]...)
		}
		return a
	}},
	{name: "a sorted answer is out of order", change: func(op operation, a answer) answer {
		if op.order == inOrder && len(a.Docs) > 1 {
			a.Docs = slices.Clone(a.Docs)
			a.Docs[0], a.Docs[1] = a.Docs[1], a.Docs[0]
		}
		return a
	}},
	{name: "an int32 comes as int64", change: func(_ operation, a answer) answer {
		return rewrite(a, func(doc bson.D) bson.D {
			for i := range doc {
				if n, ok := doc[i].Value.(int32); ok {
					doc[i].Value = int64(n)
				}
			}
			return doc
		})
	}},
	{name: "the fields of a document change places", change: func(_ operation, a answer) answer {
		return rewrite(a, func(doc bson.D) bson.D { slices.Reverse(doc); return doc })
	}},
	{name: "a count is off by one", change: func(_ operation, a answer) answer {
		for i, e := range a.Counts {
			if n, ok := e.Value.(int64); ok && n > 5 {
				a.Counts = slices.Clone(a.Counts)
				a.Counts[i].Value = n - 1
			}
		}
		return a
	}},
	{name: "an error has another code", change: func(_ operation, a answer) answer {
		if a.Err != nil && a.Err.Code > 0 {
			a.Err.Code++
		}
		return a
	}},
	{name: "a write error has another index", change: func(_ operation, a answer) answer {
		if a.Err != nil && len(a.Err.Writes) > 0 {
			a.Err.Writes[0] = "1" + a.Err.Writes[0]
		}
		return a
	}},
	{name: "an error has a label too much", change: func(_ operation, a answer) answer {
		if a.Err != nil {
			a.Err.Labels = append(a.Err.Labels, "RetryableWriteError")
		}
		return a
	}},
	{name: "an error is kept silent", change: func(_ operation, a answer) answer { a.Err = nil; return a }},
	{name: "a write is acknowledged and not made", omit: func(n int, op operation) bool { return op.Kind == "updateMany" && n%2 == 0 }},
	{name: "an insert is lost", omit: func(_ int, op operation) bool { return op.Kind == "insertOne" }},
}
