package plan_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/plan"
	"github.com/geoshard/geoshard/zones/zonestest"
)

// Whatever the world and the cluster: the server accepts the steps in their order, the cluster then has the plan's layout, and a new plan is empty.
func TestPlanLeadsToItsLayoutAndIsEmptyThen(t *testing.T) {
	worlds, steps := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		w := plan.DrawWorld(t)
		state, o := plan.DrawState(t, w), plan.DrawOptions(t)
		made, err := plan.New(w, state, nil, o, noon)
		if err != nil {
			t.Fatal(err)
		}
		after := performed(t, state, made)
		checkLayout(t, after, made.Layout)
		checkZones(t, w, after, made.Layout, o)
		again, err := plan.New(w, after, &made.Layout, o, noon)
		if err != nil {
			t.Fatal(err)
		}
		if !again.Empty() {
			t.Fatalf("a second plan has %v", again.Steps)
		}
		if diff := cmp.Diff(made.Layout, again.Layout); diff != "" {
			t.Fatalf("layouts, first -, second +:\n%s", diff)
		}
		for _, c := range state.Collections { // others' validators, and who is balanced, are as they were
			got, _ := after.Collection(c.Name)
			_, before := zones.SplitValidator(c.Validator)
			_, theirs := zones.SplitValidator(got.Validator)
			if !bytes.Equal(before, theirs) || c.NoBalance != got.NoBalance {
				t.Fatalf("%s: got validator %v, held %t, want %v, %t", c.Name, theirs, got.NoBalance, before, c.NoBalance)
			}
		}
		worlds++
		steps += len(made.Steps)
	})
	t.Logf("%d worlds, %d steps", worlds, steps)
}

// performed is the state after the steps of a plan, which have to be without a mistake.
func performed(t *rapid.T, state *zones.State, made *zones.Plan) *zones.State {
	m := zonestest.New(*state)
	if err := performSteps(t.Context(), m, made.Steps); err != nil {
		t.Fatal(err)
	}
	return m.State()
}

// checkLayout compares what a cluster has with a layout.
func checkLayout(t *rapid.T, state *zones.State, want zones.Layout) {
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
		same := slices.EqualFunc(c.Ranges, p.Ranges, func(a, b zones.Range) bool {
			low, _ := shardkey.ReadBound(p.Key, a.Min)
			high, _ := shardkey.ReadBound(p.Key, a.Max)
			return shardkey.CompareKeys(low.Full, b.Min) == 0 && shardkey.CompareKeys(high.Full, b.Max) == 0 && a.Zone == b.Zone
		})
		if !same {
			t.Fatalf("%s: got %v, want %v", p.Collection, c.Ranges, p.Ranges)
		}
		if ours, _ := zones.SplitValidator(c.Validator); !bytes.Equal(ours, p.Reject) {
			t.Fatalf("%s: got validator %v, want %v", p.Collection, ours, p.Reject)
		}
	}
}

// checkZones asks for each value where the topology wants it, by the words of topology.Namespace, and where it is now.
func checkZones(t *rapid.T, w *topology.Topology, state *zones.State, layout zones.Layout, o plan.Options) {
	for _, p := range layout.Collections {
		ns, _ := w.NamespaceOf(p.Collection)
		for _, v := range plan.SomeValues {
			want, declared := zoneByTheBook(w, ns, v)
			for _, rest := range []bson.RawValue{plan.MinKey, shardkey.ValueOf(topology.IntegerOf(7))} {
				key := plan.KeyOfTwo(p.Key, shardkey.ValueOf(v), rest)
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
		w := plan.DrawWorld(t)
		made, err := plan.New(w, plan.DrawState(t, w), nil, plan.Options{Tighten: true, Prune: true}, noon)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range made.Layout.Collections {
			for _, r := range p.Ranges {
				for _, b := range []bson.Raw{r.Min, r.Max} {
					if read, ok := shardkey.ReadBound(p.Key, b); !ok || shardkey.CompareKeys(b, read.Tight) != 0 {
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
		w := plan.DrawWorld(t)
		o := plan.Options{Shard: true, Prune: true}
		made, err := plan.New(w, plan.DrawState(t, w), nil, o, noon)
		if err != nil {
			t.Fatal(err)
		}
		state := drawnAfter(t, w, made, o)
		spoiled := spoil(t, state, made.Layout)
		repair, err := plan.New(w, state, &made.Layout, o, noon)
		if err != nil {
			t.Fatal(err)
		}
		if spoiled && repair.Empty() {
			t.Fatal("the drift was not found")
		}
		for _, step := range repair.Steps {
			if step.Cause != zones.CauseDrift {
				t.Fatalf("%s: got cause %s (%s), want drift", step.Change, step.Cause, step.Reason)
			}
			drifts++
		}
		after := performed(t, state, repair)
		checkLayout(t, after, repair.Layout)
		checkZones(t, w, after, repair.Layout, o)
	})
	t.Logf("%d steps against drift", drifts)
}

// drawnAfter draws a state and applies a plan of its own to it, whose layout is put into plan.
func drawnAfter(t *rapid.T, w *topology.Topology, made *zones.Plan, o plan.Options) *zones.State {
	state := plan.DrawState(t, w)
	mine, err := plan.New(w, state, nil, o, noon)
	if err != nil {
		t.Fatal(err)
	}
	*made = *mine
	return performed(t, state, made)
}

// spoil takes a declared range away, or gives it to another zone.
func spoil(t *rapid.T, s *zones.State, layout zones.Layout) bool {
	var with []int
	for i, c := range s.Collections {
		if _, placed := layout.Placement(c.Name); placed && len(c.Ranges) > 0 {
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
		w := plan.DrawWorld(t)
		want, err := plan.New(w, plan.DrawState(t, w), nil, plan.DrawOptions(t), noon)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.MarshalIndent(want, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got, err := zones.ReadPlan(bytes.NewReader(text))
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
