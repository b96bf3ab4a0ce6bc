package devmongos_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// operationBudget is how long one operation may take before its silence counts as a difference.
const operationBudget = 60 * time.Second

// A server is one of the two that are compared.
type server struct {
	name   string
	client *mongo.Client
	// falsify, if set, makes this server a wrong one: it changes an answer. The self-check uses it.
	falsify func(n int, op operation, a answer) answer
	// omit, if set, says which operations this server only pretends to perform.
	omit func(n int, op operation) bool
}

func (s server) run(ctx context.Context, n int, op operation) answer {
	ctx, cancel := context.WithTimeout(ctx, operationBudget)
	defer cancel()
	if s.omit != nil && s.omit(n, op) {
		return counted(nil)
	}
	a := op.run(ctx, s.client, commentOf(n))
	if s.falsify != nil {
		a = s.falsify(n, op, a)
	}
	return a
}

// commentOf is the comment of operation n, by which the profilers' records are counted.
func commentOf(n int) string { return fmt.Sprintf("op%06d", n) }

// A comparison runs the same random operations on two servers.
type comparison struct {
	seed       uint64
	operations int
	// enough is the number of differences that ends a run: a fault is mostly found again and again.
	enough int
	// want is the reference, got the one under test.
	want, got server
	specs     []spec
	// limit, if set, recognises an answer that says openly that something is not supported. It is counted, not a difference.
	limit func(want, got answer) bool
}

// An outcome is what a comparison found.
type outcome struct {
	operations  int
	kinds       map[string]int
	refused     map[string]int // operations that both servers refused, by kind and codes
	documents   int            // documents in the answers
	limits      int            // operations that the server under test openly does not support
	differences []string
}

func (o outcome) String() string {
	return fmt.Sprintf("%d operations, %d documents compared, %d differences, %d answered as not supported; by kind %v; refused by the reference %v", o.operations, o.documents, len(o.differences), o.limits, o.kinds, o.refused)
}

func (c comparison) generator(ctx context.Context) *generator {
	return &generator{chance: newChance(c.seed), specs: c.specs, sample: func(s spec, skip int) (bson.Raw, bool) {
		o := options.FindOne().SetSort(bson.D{{Key: "_id", Value: 1}}).SetSkip(int64(skip))
		raw, err := c.want.client.Database(s.db).Collection(s.name).FindOne(ctx, bson.D{}, o).Raw()
		return raw, err == nil
	}}
}

// fill gives every collection its first documents, as operations that are compared like all others.
func (c comparison) fill(g *generator) (ops []operation) {
	for _, s := range c.specs {
		g.spec = s
		op := g.on("insertMany")
		for range 150 {
			op.Docs = append(op.Docs, g.document(g.nextID()))
		}
		ops = append(ops, op)
	}
	return ops
}

func (c comparison) run(ctx context.Context, logf func(string, ...any)) outcome {
	g := c.generator(ctx)
	out := outcome{kinds: map[string]int{}, refused: map[string]int{}}
	first := c.fill(g)
	for n := 0; n < c.operations && len(out.differences) < c.enough && ctx.Err() == nil; n++ {
		var op operation
		if n < len(first) {
			op = first[n]
		} else {
			op = g.next()
		}
		out.operations++
		out.kinds[op.Kind]++
		want, got := c.want.run(ctx, n, op), c.got.run(ctx, n, op)
		if want.Err != nil {
			out.refused[want.Err.codes()]++
		}
		out.documents += len(want.Docs)
		diff := difference(op, want, got)
		switch {
		case diff == "":
		case c.limit != nil && c.limit(want, got):
			out.limits++
			c.level(ctx, logf)
		default:
			report := c.report(ctx, n, op, want, got, diff)
			out.differences = append(out.differences, report)
			logf("%s", report)
			c.level(ctx, logf)
		}
	}
	for _, diff := range c.contents(ctx) {
		out.differences = append(out.differences, diff)
		logf("%s", diff)
	}
	return out
}

// report says everything that is needed to repeat a difference.
func (c comparison) report(ctx context.Context, n int, op operation, want, got answer, diff string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "difference at operation %d of seed %d\n%s\n%s\n", n, c.seed, short(op.String()), short(diff))
	fmt.Fprintf(&b, "%s: %s\n%s: %s\n", c.want.name, brief(want), c.got.name, brief(got))
	if op.isRead() {
		again := difference(op, c.want.run(ctx, n, op), c.got.run(ctx, n, op))
		if again == "" {
			b.WriteString("asked again, both agree: the difference was a passing one\n")
		} else {
			b.WriteString("asked again, they still differ: this operation alone shows it\n")
		}
	}
	for _, d := range c.contents(ctx) {
		fmt.Fprintf(&b, "afterwards: %s\n", short(d))
	}
	return b.String()
}

// level makes the server under test's contents equal again, so that one fault is one difference.
func (c comparison) level(ctx context.Context, logf func(string, ...any)) {
	for _, s := range c.specs {
		want, got, diff := c.both(ctx, s)
		if diff == "" {
			continue
		}
		coll := c.got.client.Database(s.db).Collection(s.name)
		if _, err := coll.DeleteMany(ctx, bson.D{}); err != nil {
			logf("level %s.%s: delete %d documents: %v", s.db, s.name, len(got.Docs), err)
		}
		docs := make([]any, len(want.Docs))
		for i, d := range want.Docs {
			docs[i] = d
		}
		if len(docs) == 0 {
			continue
		}
		if _, err := coll.InsertMany(ctx, docs); err != nil {
			logf("level %s.%s: insert %d documents: %v", s.db, s.name, len(docs), err)
		}
	}
}

// both are the whole contents of a collection on both servers and their difference.
func (c comparison) both(ctx context.Context, s spec) (want, got answer, diff string) {
	op := operation{Kind: "find", DB: s.db, Coll: s.name, order: inOrder, Filter: bson.D{}, Sort: bson.D{{Key: "_id", Value: 1}}}
	want, got = op.run(ctx, c.want.client, "contents"), op.run(ctx, c.got.client, "contents")
	return want, got, difference(op, want, got)
}

// contents compares everything that the collections hold.
func (c comparison) contents(ctx context.Context) (differences []string) {
	for _, s := range c.specs {
		want, got, diff := c.both(ctx, s)
		if diff != "" {
			differences = append(differences, fmt.Sprintf("contents of %s.%s: %s has %d documents, %s %d: %s", s.db, s.name, c.want.name, len(want.Docs), c.got.name, len(got.Docs), diff))
		}
	}
	return differences
}

func brief(a answer) string {
	if a.Err != nil {
		return short(a.Err.String())
	}
	return short(fmt.Sprintf("%d documents %s %v", len(a.Docs), text(a.Counts), a.Docs))
}

func short(s string) string {
	const most = 2500
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
