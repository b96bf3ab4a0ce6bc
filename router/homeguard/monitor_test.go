package homeguard

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
)

// A wire plays commands to a monitor as the driver does.
type wire struct {
	t       testing.TB
	monitor *event.CommandMonitor
	request int64
}

// run plays a command and its answer; an empty one is a failure.
func (w *wire) run(ctx context.Context, command, reply string) {
	w.t.Helper()
	w.request++
	cmd := filter(w.t, command)
	name := commandNameOf(cmd)
	w.monitor.Started(ctx, &event.CommandStartedEvent{Command: cmd, DatabaseName: "guard_shop", CommandName: name, RequestID: w.request})
	done := event.CommandFinishedEvent{CommandName: name, RequestID: w.request}
	if reply == "" {
		w.monitor.Failed(ctx, &event.CommandFailedEvent{CommandFinishedEvent: done})
		return
	}
	w.monitor.Succeeded(ctx, &event.CommandSucceededEvent{CommandFinishedEvent: done, Reply: filter(w.t, reply)})
}

// shapeNamed is what a report says of a shape.
func shapeNamed(t testing.TB, r Report, name string) ShapeReport {
	t.Helper()
	for _, s := range r.Shapes {
		if s.Shape == name {
			return s
		}
	}
	t.Fatalf("no shape %q in\n%s", name, r.Text())
	return ShapeReport{}
}

func TestFurtherBatchesAreCountedWithTheirCursor(t *testing.T) {
	g := guardIn(t, "NYC")
	w := &wire{t: t, monitor: g.Monitor(nil)}
	w.run(t.Context(), `{"find": "carts", "filter": {"dataCenter": "LON"}}`, `{"cursor": {"id": {"$numberLong": "7"}}}`)
	w.run(t.Context(), `{"find": "carts", "filter": {"dataCenter": "NYC"}}`, `{"cursor": {"id": {"$numberLong": "8"}}}`)
	w.run(t.Context(), `{"getMore": {"$numberLong": "7"}, "collection": "carts"}`, `{"cursor": {"id": {"$numberLong": "7"}}}`)
	w.run(t.Context(), `{"getMore": {"$numberLong": "7"}, "collection": "carts"}`, "") // a failure leaves the cursor
	w.run(t.Context(), `{"getMore": {"$numberLong": "7"}, "collection": "carts"}`, `{"cursor": {"id": {"$numberLong": "0"}}}`)
	w.run(t.Context(), `{"getMore": {"$numberLong": "7"}, "collection": "carts"}`, "") // at its end
	w.run(t.Context(), `{"killCursors": "carts", "cursors": [{"$numberLong": "8"}]}`, `{"ok": 1}`)
	w.run(t.Context(), `{"getMore": {"$numberLong": "8"}, "collection": "carts"}`, "")
	r := g.Report()
	got := shapeNamed(t, r, "find guard_shop.carts {dataCenter}")
	if got.Remote != 4 || got.Home != 1 || got.Cross != 4 || r.Outside != 2 || r.Judged != 5 {
		t.Errorf("got %+v in\n%s, want 4 remote, 1 at home, and 2 batches of nobody's cursor", got, r.Text())
	}
}

func TestACommitIsCountedByWhatItsTransactionTouched(t *testing.T) {
	for name, c := range map[string]struct {
		filters   []string
		cross     uint64
		wantHome  uint64
		afterward string
	}{
		"at home":   {filters: []string{`{"dataCenter": "NYC"}`, `{"dataCenter": "NYC"}`}, wantHome: 1},
		"elsewhere": {filters: []string{`{"dataCenter": "NYC"}`, `{"dataCenter": "LON"}`, `{"dataCenter": "NYC"}`}, cross: 1},
	} {
		g := guardIn(t, "NYC")
		w := &wire{t: t, monitor: g.Monitor(nil)}
		const session = `"lsid": {"id": {"$binary": {"base64": "AAECAwQFBgcICQoLDA0ODw==", "subType": "04"}}}, "autocommit": false`
		for number := range 2 { // the session's next transaction begins anew
			filters := c.filters
			if number == 0 {
				filters = []string{`{"dataCenter": "SYD"}`}
			}
			for _, f := range filters {
				w.run(t.Context(), fmt.Sprintf(`{"update": "carts", "updates": [{"q": %s}], %s, "txnNumber": {"$numberLong": "%d"}}`, f, session, number), `{"ok": 1}`)
			}
		}
		before := g.Report()
		w.run(t.Context(), `{"commitTransaction": 1, `+session+`, "txnNumber": {"$numberLong": "1"}}`, `{"ok": 1}`)
		got := shapeNamed(t, g.Report(), "commitTransaction")
		if got.Cross != c.cross || got.Home != c.wantHome || g.Report().Judged != before.Judged+1 {
			t.Errorf("%s: got %+v, want %d cross, %d at home", name, got, c.cross, c.wantHome)
		}
	}
}

func TestWarningsAreRareAndHoldNoValues(t *testing.T) {
	var log bytes.Buffer
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	g := guardIn(t, "NYC", func(o *Options) {
		o.Mode, o.Log, o.Every, o.Now = ModeWarn, slog.New(slog.NewTextHandler(&log, nil)), time.Minute, func() time.Time { return now }
	})
	w := &wire{t: t, monitor: g.Monitor(nil)}
	const remote, open = `{"find": "carts", "filter": {"dataCenter": "LON", "cartId": "secret"}}`, `{"find": "carts", "filter": {"cartId": "secret"}}`
	for range 10 {
		w.run(t.Context(), remote, `{"ok": 1}`)
		w.run(t.Context(), open, `{"ok": 1}`)
		w.run(t.Context(), `{"find": "carts", "filter": {"dataCenter": "NYC"}}`, `{"ok": 1}`)
		w.run(Allow(t.Context(), "a global report"), `{"count": "carts"}`, `{"ok": 1}`)
	}
	if got := strings.Count(log.String(), "level=WARN"); got != 2 {
		t.Errorf("got %d warnings in the first minute, want one for each of 2 shapes:\n%s", got, log.String())
	}
	now = now.Add(time.Minute)
	w.run(t.Context(), remote, `{"ok": 1}`)
	text := log.String()
	if strings.Count(text, "level=WARN") != 3 || !strings.Contains(text, "since_last=10") || !strings.Contains(text, "verdict=no-key") || !strings.Contains(text, "datacenters=LON") {
		t.Errorf("after a minute:\n%s", text)
	}
	if strings.Contains(text, "secret") {
		t.Errorf("a value is in the log:\n%s", text)
	}
	if r := g.Report(); r.Allowed != 10 || r.Cross != 31 || r.Judged != 41 {
		t.Errorf("got %d allowed, %d of %d cross, want 10, 31 of 41", r.Allowed, r.Cross, r.Judged)
	}
}

func TestShapesAreBoundedAndTheRestIsCounted(t *testing.T) {
	g := guardIn(t, "NYC", func(o *Options) { o.Shapes = 3 })
	w := &wire{t: t, monitor: g.Monitor(nil)}
	for i := range 100 {
		w.run(t.Context(), fmt.Sprintf(`{"find": "carts", "filter": {"dataCenter": "NYC", "field%d": 1}}`, i), `{"ok": 1}`)
	}
	r := g.Report()
	if got := shapeNamed(t, r, otherShapes); len(r.Shapes) != 4 || got.Sent != 97 || r.Dropped != 97 || r.Judged != 100 {
		t.Errorf("got %d shapes, %d others, %d dropped, %d judged", len(r.Shapes), got.Sent, r.Dropped, r.Judged)
	}
}

func TestMetricsSayTheShare(t *testing.T) {
	g := guardIn(t, "NYC")
	w := &wire{t: t, monitor: g.Monitor(&event.CommandMonitor{})}
	for range 3 {
		w.run(t.Context(), `{"find": "carts", "filter": {"dataCenter": "NYC"}}`, `{"ok": 1}`)
	}
	w.run(t.Context(), `{"delete": "carts", "deletes": [{"q": {"dataCenter": "LON"}}]}`, `{"ok": 1}`)
	w.run(t.Context(), `{"find": "elsewhere", "filter": {}}`, `{"ok": 1}`)
	w.run(t.Context(), `{"ping": 1}`, `{"ok": 1}`)
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(g); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetName() + "=" + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	want := map[string]float64{
		"geoshard_homeguard_cross_share": 0.25, "geoshard_homeguard_shapes": 3,
		"geoshard_homeguard_statements_total command=delete cross=true verdict=remote": 1,
		"geoshard_homeguard_statements_total command=find cross=false verdict=home":    3,
		"geoshard_homeguard_statements_total command=find cross=false verdict=outside": 1,
		"geoshard_homeguard_refused_total":                                             0, "geoshard_homeguard_allowed_total": 0, "geoshard_homeguard_dropped_total": 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if r := g.Report(); r.Share != 0.25 || r.Outside != 1 {
		t.Errorf("got share %v, %d outside, want 0.25, 1", r.Share, r.Outside)
	}
}

func TestAProgramThatLeavesCursorsAndTransactionsDoesNotFillTheMemory(t *testing.T) {
	g := guardIn(t, "NYC")
	w := &watch{guard: g, pending: map[int64]request{}, cursors: map[int64]cursorCount{}, transactions: map[sessionID]*transaction{}}
	find := filter(t, `{"find": "carts", "filter": {"dataCenter": "NYC"}}`)
	for i := range int64(maxRemembered + 500) {
		w.started(t.Context(), &event.CommandStartedEvent{Command: find, DatabaseName: "guard_shop", CommandName: "find", RequestID: i})
		reply := document(bson.D{{Key: "cursor", Value: bson.D{{Key: "id", Value: i + 1}}}})
		w.succeeded(&event.CommandSucceededEvent{CommandFinishedEvent: event.CommandFinishedEvent{CommandName: "find", RequestID: i}, Reply: reply})
		w.started(t.Context(), &event.CommandStartedEvent{Command: find, DatabaseName: "guard_shop", CommandName: "find", RequestID: -i - 1}) // never answered
		session := make([]byte, 16)
		session[0], session[1] = byte(i), byte(i>>8)
		update := document(bson.D{{Key: "update", Value: "carts"}, {Key: "autocommit", Value: false}, {Key: "txnNumber", Value: i},
			{Key: "lsid", Value: bson.D{{Key: "id", Value: bson.Binary{Subtype: 4, Data: session}}}}})
		w.started(t.Context(), &event.CommandStartedEvent{Command: update, DatabaseName: "guard_shop", CommandName: "update", RequestID: i})
	}
	if len(w.cursors) != maxRemembered || len(w.pending) > maxRemembered || len(w.transactions) != maxRemembered {
		t.Errorf("%d cursors, %d requests, %d transactions are remembered, want %d each", len(w.cursors), len(w.pending), len(w.transactions), maxRemembered)
	}
}
