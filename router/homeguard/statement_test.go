package homeguard

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
)

// statementsOf is what a command comes to, as "VERDICT SHAPE" for each statement.
func statementsOf(t testing.TB, g *Guard, text string) []string {
	t.Helper()
	cmd := filter(t, text)
	var got []string
	eachStatement(commandsByName[commandNameOf(cmd)], "guard_shop", cmd, g.options.Here, func(s statement) {
		j := g.judgeStatement(s)
		got = append(got, fmt.Sprintf("%s %v %s", j.Verdict, j.Cross, shapeOf(s)))
	})
	return got
}

func TestCommandsAreTakenApart(t *testing.T) {
	g := guardIn(t, "NYC")
	for _, c := range []struct {
		command string
		want    []string
	}{
		{`{"find": "carts", "filter": {"dataCenter": "LON", "cartId": 1}}`, []string{"remote true find guard_shop.carts {cartId, dataCenter}"}},
		{`{"find": "carts"}`, []string{"no-key true find guard_shop.carts {}"}},
		{`{"find": "carts", "filter": {"dataCenter": "LON"}, "$readPreference": {"mode": "nearest"}}`, []string{"remote false find guard_shop.carts {dataCenter}"}},
		{`{"find": "carts", "filter": {}, "$readPreference": {"mode": "nearest"}}`, []string{"no-key true find guard_shop.carts {}"}}, // SYD's shard has no member in NYC
		{`{"find": "carts", "filter": {"dataCenter": "LON"}, "$readPreference": {"mode": "nearest", "tags": [{"dc": "NYC"}, {}]}}`,
			[]string{"remote false find guard_shop.carts {dataCenter}"}},
		{`{"find": "carts", "filter": {"dataCenter": "LON"}, "$readPreference": {"mode": "nearest", "tags": [{"dc": "SYD"}]}}`,
			[]string{"remote true find guard_shop.carts {dataCenter}"}},
		{`{"find": "carts", "filter": {"dataCenter": "LON"}, "$readPreference": {"mode": "nearest"}, "autocommit": false}`,
			[]string{"remote true find guard_shop.carts {dataCenter}"}},
		{`{"aggregate": "carts", "pipeline": [{"$match": {"dataCenter": "NYC"}}, {"$group": {"_id": "$x"}}]}`, []string{"home false aggregate guard_shop.carts {dataCenter}"}},
		{`{"aggregate": "carts", "pipeline": [{"$match": {"a": 1}}, {"$match": {"dataCenter": "NYC"}}, {"$match": {"b": {"$gt": 1}}}]}`,
			[]string{"home false aggregate guard_shop.carts {a, b: $gt, dataCenter}"}},
		{`{"aggregate": "carts", "pipeline": [{"$group": {"_id": 1}}, {"$match": {"dataCenter": "NYC"}}]}`, []string{"no-key true aggregate guard_shop.carts {}"}},
		{`{"aggregate": "carts", "pipeline": [{"$geoNear": {"near": [1, 2], "query": {"dataCenter": "NYC"}}}]}`, []string{"home false aggregate guard_shop.carts {dataCenter}"}},
		{`{"aggregate": 1, "pipeline": [{"$currentOp": {}}]}`, []string{"outside false aggregate guard_shop. {}"}},
		{`{"count": "carts", "query": {"dataCenter": "NYC"}}`, []string{"home false count guard_shop.carts {dataCenter}"}},
		{`{"distinct": "carts", "key": "x", "query": {"y": {"$lt": 3, "$gt": 1}}}`, []string{"no-key true distinct guard_shop.carts {y: $gt $lt}"}},
		{`{"findAndModify": "carts", "query": {"dataCenter": "NYC", "cartId": 1}, "update": {}}`, []string{"home false findAndModify guard_shop.carts {cartId, dataCenter}"}},
		{`{"update": "carts", "updates": [{"q": {"dataCenter": "NYC"}, "u": {}}, {"q": {"dataCenter": "LON"}, "u": {}}, {"q": {"_id": 1}, "u": {}}]}`,
			[]string{"home false update guard_shop.carts {dataCenter}", "remote true update guard_shop.carts {dataCenter}", "no-key true update guard_shop.carts {_id}"}},
		{`{"update": "carts", "updates": [{"q": {"dataCenter": "NYC"}, "u": {}, "collation": {"locale": "de"}}]}`, []string{"remote true update guard_shop.carts {dataCenter}"}},
		{`{"delete": "carts", "deletes": [{"q": {"dataCenter": "SYD"}, "limit": 1}]}`, []string{"remote true delete guard_shop.carts {dataCenter}"}},
		{`{"insert": "carts", "documents": [{"dataCenter": "NYC"}, {"dataCenter": "LON"}, {"a": 1}]}`,
			[]string{"home false insert guard_shop.carts", "remote true insert guard_shop.carts", "unplaced true insert guard_shop.carts"}},
		{`{"bulkWrite": 1, "nsInfo": [{"ns": "guard_shop.carts"}, {"ns": "guard_shop.tenants"}],
			"ops": [{"insert": 0, "document": {"dataCenter": "NYC"}}, {"update": 1, "filter": {"tenant": 150}, "updateMods": {}}, {"delete": 0, "filter": {}}, {"insert": 9}]}`,
			[]string{"home false insert guard_shop.carts", "remote true update guard_shop.tenants {tenant}", "no-key true delete guard_shop.carts {}"}},
	} {
		if got := statementsOf(t, g, c.command); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.command, got, c.want)
		}
	}
}

func TestShapesHoldNoValues(t *testing.T) {
	for text, want := range map[string]string{
		`{"b": "secret", "a": 7}`: "{a, b}",
		`{"a": {"$gt": "secret"}, "$and": [{"a": {"$lt": 9}}, {"c": {"x": "secret"}}]}`: "{a: $gt, a: $lt, c}",
		`{"$or": [{"a": "secret"}, {"a": "other"}, {"b": {"$in": ["secret"]}}]}`:        "{$or: [{a}, {b: $in}]}",
		`{"$expr": {"$eq": ["$a", "secret"]}, "$comment": "secret"}`:                    "{$comment, $expr}",
		`{"a": {"$not": {"$regex": "secret"}}, "b": {"$elemMatch": {"c": "secret"}}}`:   "{a: $not, b: $elemMatch}",
		`{"a": {"$regularExpression": {"pattern": "secret", "options": ""}}}`:           "{a: $regex}",
		`{}`: "{}",
	} {
		if got := filterShape(filter(t, text), 0); got != want || strings.Contains(got, "secret") {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	// Deep and long filters have bounded shapes.
	deep := bson.D{{Key: "a", Value: 1}}
	long := bson.D{}
	for i := range 1000 {
		deep = bson.D{{Key: "$or", Value: bson.A{deep}}}
		long = append(long, bson.E{Key: fmt.Sprintf("field%04d", i), Value: i})
	}
	for _, d := range []bson.D{deep, long} {
		if got := shapeOf(statement{command: findCommand, namespace: "guard_shop.carts", filter: document(d)}); len(got) > maxShapeLength+len("…") {
			t.Errorf("a shape has %d bytes", len(got))
		}
	}
}

// FuzzStatements: whatever bytes a command has, the guard neither panics nor lets its shapes grow beyond their bound.
func FuzzStatements(f *testing.F) {
	g := guardIn(f, "NYC", func(o *Options) { o.Shapes = 5 })
	m := g.Monitor(nil)
	for _, text := range []string{
		`{"find": "carts", "filter": {"dataCenter": "LON", "$or": [{"a": 1}]}, "lsid": {"id": 1}}`,
		`{"aggregate": "carts", "pipeline": [{"$match": {"dataCenter": {"$in": ["NYC", null]}}}, {"$geoNear": 1}], "$readPreference": {"mode": "nearest", "tags": [1]}}`,
		`{"update": "tenants", "updates": [{"q": {"tenant": {"$gt": 1, "$lt": 2}}}], "autocommit": false, "txnNumber": 3}`,
		`{"bulkWrite": 1, "nsInfo": [{"ns": "guard_shop.carts"}], "ops": [{"insert": 0, "document": {}}]}`,
		`{"insert": "carts", "documents": [{"dataCenter": {"$maxKey": 1}}]}`,
		`{"getMore": {"$numberLong": "7"}, "collection": "carts"}`, `{"killCursors": "carts", "cursors": [{"$numberLong": "7"}]}`,
		`{"commitTransaction": 1, "txnNumber": 1}`,
	} {
		f.Add([]byte(filter(f, text)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		name := ""
		if len(raw) > 5 {
			name = commandNameOf(raw)
		}
		for _, kind := range append([]string{name, "killCursors", "abortTransaction"}, commandNames[1:]...) {
			m.Started(t.Context(), &event.CommandStartedEvent{Command: raw, DatabaseName: "guard_shop", CommandName: kind, RequestID: 1})
			done := event.CommandFinishedEvent{CommandName: kind, RequestID: 1}
			m.Succeeded(t.Context(), &event.CommandSucceededEvent{CommandFinishedEvent: done, Reply: raw})
		}
		if n := len(g.Report().Shapes); n > 6 {
			t.Fatalf("%d shapes, want 5 and the rest at most", n)
		}
	})
}

// BenchmarkMonitor is what the monitor adds to a command.
func BenchmarkMonitor(b *testing.B) {
	for name, text := range map[string]string{
		"find at home": `{"find": "carts", "filter": {"dataCenter": "NYC", "cartId": "01J0000000000000000000000A"}, "limit": 1, "lsid": {"id": 1}, "$db": "guard_shop"}`,
		"find no key":  `{"find": "carts", "filter": {"userId": 7, "state": {"$in": ["open", "paid"]}}, "$db": "guard_shop"}`,
		"update":       `{"update": "carts", "updates": [{"q": {"dataCenter": "NYC", "cartId": "01J"}, "u": {"$set": {"a": 1}}}], "$db": "guard_shop"}`,
		"outside":      `{"find": "things", "filter": {"a": 1}, "$db": "guard_shop"}`,
	} {
		b.Run(name, func(b *testing.B) {
			g := guardIn(b, "NYC")
			m := g.Monitor(nil)
			cmd := filter(b, text)
			started := &event.CommandStartedEvent{Command: cmd, DatabaseName: "guard_shop", CommandName: commandNameOf(cmd)}
			succeeded := &event.CommandSucceededEvent{CommandFinishedEvent: event.CommandFinishedEvent{CommandName: started.CommandName}, Reply: document(bson.D{{Key: "ok", Value: 1}})}
			b.ReportAllocs()
			for b.Loop() {
				m.Started(context.Background(), started)
				m.Succeeded(context.Background(), succeeded)
			}
		})
	}
}

// BenchmarkJudge is the decision alone.
func BenchmarkJudge(b *testing.B) {
	g := guardIn(b, "NYC")
	query := filter(b, `{"dataCenter": "NYC", "cartId": "01J0000000000000000000000A"}`)
	b.ReportAllocs()
	for b.Loop() {
		if g.Judge("guard_shop.carts", query).Cross {
			b.Fatal("crosses")
		}
	}
}
