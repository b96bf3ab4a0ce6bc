package zones

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/internal/routing"
	"github.com/geoshard/geoshard/topology"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func drawOptions(t *rapid.T) PlanOptions {
	return PlanOptions{Tighten: rapid.Bool().Draw(t, "tighten"), Shard: rapid.Bool().Draw(t, "shard"), Prune: rapid.Bool().Draw(t, "prune")}
}

// Whatever the world and the cluster: the server accepts the steps in their order, the cluster then has the plan's layout, and a new plan is empty.
func TestPlanLeadsToItsLayoutAndIsEmptyThen(t *testing.T) {
	worlds, steps := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		state, o := drawState(t, w), drawOptions(t)
		plan, err := NewPlan(w, state, nil, o, now)
		if err != nil {
			t.Fatal(err)
		}
		m := newModel(state)
		if err := m.performAll(plan.Steps); err != nil {
			t.Fatal(err)
		}
		checkLayout(t, &m.state, plan.Layout)
		checkZones(t, w, &m.state, plan.Layout, o)
		again, err := NewPlan(w, &m.state, &plan.Layout, o, now)
		if err != nil {
			t.Fatal(err)
		}
		if !again.Empty() {
			t.Fatalf("a second plan has %v", again.Steps)
		}
		if diff := cmp.Diff(plan.Layout, again.Layout); diff != "" {
			t.Fatalf("layouts, first -, second +:\n%s", diff)
		}
		for i, c := range state.Collections { // others' validators, and who is balanced, are as they were
			_, before := splitValidator(c.Validator)
			_, after := splitValidator(m.state.Collections[i].Validator)
			if !bytes.Equal(before, after) || c.NoBalance != m.state.Collections[i].NoBalance {
				t.Fatalf("%s: got validator %v, held %t, want %v, %t", c.Name, after, m.state.Collections[i].NoBalance, before, c.NoBalance)
			}
		}
		worlds++
		steps += len(plan.Steps)
	})
	t.Logf("%d worlds, %d steps", worlds, steps)
}

// checkLayout compares what a cluster has with a layout.
func checkLayout(t *rapid.T, state *State, want Layout) {
	for _, z := range want.Zones {
		var got []topology.ShardID
		for _, s := range state.Shards {
			if slices.Contains(s.Zones, z.Zone) {
				got = append(got, s.ID)
			}
		}
		if !slices.Equal(got, z.Shards) {
			t.Fatalf("zone %s: got %v, want %v", z.Zone, got, z.Shards)
		}
	}
	for _, p := range want.Collections {
		c, _ := state.Collection(p.Collection)
		same := slices.EqualFunc(c.Ranges, p.Ranges, func(a, b Range) bool {
			low, _, _ := fullKey(p.Key, a.Min)
			high, _, _ := fullKey(p.Key, a.Max)
			return routing.CompareKeys(low, b.Min) == 0 && routing.CompareKeys(high, b.Max) == 0 && a.Zone == b.Zone
		})
		if !same {
			t.Fatalf("%s: got %v, want %v", p.Collection, c.Ranges, p.Ranges)
		}
		if ours, _ := splitValidator(c.Validator); !bytes.Equal(ours, p.Reject) {
			t.Fatalf("%s: got validator %v, want %v", p.Collection, ours, p.Reject)
		}
	}
}

// checkZones asks for each value where the topology wants it, by the words of topology.Namespace, and where it is now.
func checkZones(t *rapid.T, w *topology.Topology, state *State, layout Layout, o PlanOptions) {
	for _, p := range layout.Collections {
		ns, _ := w.NamespaceOf(p.Collection)
		for _, v := range someValues {
			want, declared := zoneByTheBook(w, ns, v)
			for _, rest := range []bson.RawValue{minKey, ValueOf(topology.IntegerOf(7))} {
				key := keyOfTwo(p.Key, ValueOf(v), rest)
				got, found := p.ZoneOf(key)
				if declared && got != want || o.Prune && found != declared {
					t.Fatalf("%s: got zone %q for %v, want %q", p.Collection, got, key, want)
				}
			}
		}
	}
}

func zoneByTheBook(w *topology.Topology, ns topology.Namespace, v topology.Value) (topology.ZoneID, bool) {
	for _, r := range ns.Ranges {
		if r.Includes(v) {
			return r.Zone, true
		}
	}
	if zone, ok := w.Zone(topology.ZoneID(v.Text())); ok && v.Kind() == topology.KindString && !ns.OnlyRanges {
		return zone.ID, true
	}
	return ns.UnknownZone, ns.UnknownZone != ""
}

// Tightened ranges of single values end right behind them, so that a query for one value asks one zone.
func TestTightenedPlanLeavesTightRangesAlone(t *testing.T) {
	ranges := 0
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		plan, err := NewPlan(w, drawState(t, w), nil, PlanOptions{Tighten: true, Prune: true}, now)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range plan.Layout.Collections {
			for _, r := range p.Ranges {
				for _, b := range []bson.Raw{r.Min, r.Max} {
					if routing.CompareKeys(b, loosely(p.Key, b)) != 0 {
						t.Fatalf("%s: %v is not tight", p.Collection, r)
					}
				}
				ranges++
			}
		}
	})
	t.Logf("%d ranges", ranges)
}

// What somebody else takes away is drift, and comes back.
func TestDriftIsToldFromIntentAndRepaired(t *testing.T) {
	drifts := 0
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		o := PlanOptions{Shard: true, Prune: true}
		plan, err := NewPlan(w, drawState(t, w), nil, o, now)
		if err != nil {
			t.Fatal(err)
		}
		m := newModel(drawnAfter(t, w, plan, o))
		spoiled := spoil(t, &m.state, plan.Layout)
		repair, err := NewPlan(w, &m.state, &plan.Layout, o, now)
		if err != nil {
			t.Fatal(err)
		}
		if spoiled && repair.Empty() {
			t.Fatal("the drift was not found")
		}
		for _, step := range repair.Steps {
			if step.Cause != CauseDrift {
				t.Fatalf("%s: got cause %s (%s), want drift", step.Change, step.Cause, step.Reason)
			}
			drifts++
		}
		if err := m.performAll(repair.Steps); err != nil {
			t.Fatal(err)
		}
		checkLayout(t, &m.state, repair.Layout)
		checkZones(t, w, &m.state, repair.Layout, o)
	})
	t.Logf("%d steps against drift", drifts)
}

// drawnAfter draws a state and applies a plan of its own to it, whose layout is put into plan.
func drawnAfter(t *rapid.T, w *topology.Topology, plan *Plan, o PlanOptions) *State {
	state := drawState(t, w)
	mine, err := NewPlan(w, state, nil, o, now)
	if err != nil {
		t.Fatal(err)
	}
	*plan = *mine
	m := newModel(state)
	if err := m.performAll(plan.Steps); err != nil {
		t.Fatal(err)
	}
	return &m.state
}

// spoil takes a declared range away, or gives it to another zone.
func spoil(t *rapid.T, s *State, layout Layout) bool {
	var with []int
	for i, c := range s.Collections {
		if _, planned := layout.placement(c.Name); planned && len(c.Ranges) > 0 {
			with = append(with, i)
		}
	}
	if len(with) == 0 {
		return false
	}
	c := &s.Collections[rapid.SampledFrom(with).Draw(t, "spoiled")]
	i := rapid.IntRange(0, len(c.Ranges)-1).Draw(t, "range")
	if c.Ranges[i].Zone != "OLD" && rapid.Bool().Draw(t, "reassign") {
		c.Ranges[i].Zone = "OLD"
	} else {
		c.Ranges = slices.Delete(c.Ranges, i, i+1)
	}
	return true
}

// A saved plan is read back as it was, also when it was indented.
func TestPlanIsReadBack(t *testing.T) {
	plans := 0
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		want, err := NewPlan(w, drawState(t, w), nil, drawOptions(t), now)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.MarshalIndent(want, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadPlan(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for i := range want.Forecast.Moves {
			want.Forecast.Moves[i].Spans = nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("want -, got +:\n%s", diff)
		}
		plans++
	})
	t.Logf("%d plans", plans)
}
