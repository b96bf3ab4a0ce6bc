package apply_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/zonestest"
)

const carts = "shop.carts"

var cartsKey = topology.Key{{Name: "dc"}, {Name: "id"}}

func tight(t testing.TB, value string, zone topology.ZoneID) zones.Range {
	t.Helper()
	return zones.Range{Min: cartKey(t, value), Max: cartKey(t, value+"\x00"), Zone: zone}
}

func cartKey(t testing.TB, dc string) bson.Raw {
	t.Helper()
	raw, err := bson.Marshal(bson.D{{Key: "dc", Value: dc}, {Key: "id", Value: bson.MinKey{}}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// cartsScene: LON lies in A with s0, NYC in B with s1; s2 is in no zone.
func cartsScene(t testing.TB) *zonestest.Scene {
	return zonestest.NewScene(zones.State{
		ClusterID: "c1",
		Shards: []zones.Shard{
			{ID: "s0", Zones: []topology.ZoneID{"A"}}, {ID: "s1", Zones: []topology.ZoneID{"B"}}, {ID: "s2"},
		},
		Collections: []zones.Collection{{
			Name: carts, Exists: true, Sharded: true, Key: cartsKey,
			Ranges: []zones.Range{tight(t, "LON", "A"), tight(t, "NYC", "B")},
		}},
		Balancer: zones.Balancer{Running: true},
	})
}

// cartsPlan gives LON to a new zone C and takes A from the cluster.
func cartsPlan(t testing.TB, s *zonestest.Scene) *zones.Plan {
	state := s.State()
	plan := &zones.Plan{
		ClusterID: state.ClusterID, StateHash: state.Hash(), Namespaces: []string{carts},
		Layout: zones.Layout{
			Zones:       []zones.ZoneShards{{Zone: "B", Shards: []topology.ShardID{"s1"}}, {Zone: "C", Shards: []topology.ShardID{"s2"}}},
			Collections: []zones.Placement{{Collection: carts, Key: cartsKey, Ranges: []zones.Range{tight(t, "LON", "C"), tight(t, "NYC", "B")}}},
		},
	}
	for _, c := range []zones.Change{
		zones.AddShardToZone{Shard: "s2", Zone: "C"},
		zones.HoldBalancing{Collection: carts},
		zones.RemoveRange{Collection: carts, Range: tight(t, "LON", "A")},
		zones.AddRange{Collection: carts, Range: tight(t, "LON", "C")},
		zones.ReleaseBalancing{Collection: carts},
		zones.RemoveShardFromZone{Shard: "s0", Zone: "A"},
	} {
		plan.Steps = append(plan.Steps, zones.Step{Change: c, Cause: zones.CauseIntent, Reason: "test"})
	}
	return plan
}

var approved = apply.Options{AutoApprove: true}

// inEffect checks that a cluster is as cartsPlan wants it.
func inEffect(t testing.TB, s *zonestest.Scene) {
	t.Helper()
	state := s.State()
	c, _ := state.Collection(carts)
	want := []zones.Range{tight(t, "LON", "C"), tight(t, "NYC", "B")}
	if !slices.EqualFunc(c.Ranges, want, func(a, b zones.Range) bool { return reflect.DeepEqual(a, b) }) {
		t.Errorf("got ranges %v, want %v", c.Ranges, want)
	}
	if c.NoBalance {
		t.Error("the balancer still leaves the collection alone")
	}
	for _, shard := range state.Shards {
		if want := map[topology.ShardID][]topology.ZoneID{"s1": {"B"}, "s2": {"C"}}[shard.ID]; !slices.Equal(shard.Zones, want) {
			t.Errorf("%s: got zones %v, want %v", shard.ID, shard.Zones, want)
		}
	}
	open, err := s.Journal.Unfinished(context.Background())
	if err != nil || len(open) > 0 {
		t.Errorf("got unfinished runs %v, %v, want none", open, err)
	}
}

func TestApplyMakesTheStepsInTheirOrderAndWritesTheJournal(t *testing.T) {
	s := cartsScene(t)
	plan := cartsPlan(t, s)
	var performed, told []string
	deps := s.Deps(func(c zonestest.Call) error {
		if c.Change == nil || c.Answered {
			return nil
		}
		performed = append(performed, c.Change.String())
		open, err := s.Journal.Unfinished(t.Context())
		if err != nil || len(open) != 1 {
			t.Fatalf("%s: got %d unfinished runs, %v, want 1", c.Change, len(open), err)
		}
		for i, step := range open[0].Steps {
			want := map[bool]zones.StepStatus{true: zones.StepDone, false: zones.StepWaiting}[i < len(performed)-1]
			if i == len(performed)-1 {
				want = zones.StepStarted
			}
			if step.Status != want {
				t.Errorf("at %s: step %d is %s in the journal, want %s", c.Change, i, step.Status, want)
			}
		}
		return nil
	})
	o := approved
	o.Listen = func(e apply.Event) { told = append(told, strings.TrimPrefix(fmt.Sprintf("%T", e), "apply.")) }
	result, err := apply.Apply(t.Context(), plan, deps, o)
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range plan.Steps {
		if i >= len(performed) || performed[i] != step.Change.String() {
			t.Fatalf("performed %q, want the plan's steps", performed)
		}
	}
	if result.Done != 6 || result.Before != 0 || result.Run == "" {
		t.Errorf("got %+v, want 6 steps done in a run", result)
	}
	if want := 1 + 2*len(plan.Steps); len(told) != want || told[0] != "RunBegun" || told[1] != "StepBegun" || told[2] != "StepDone" {
		t.Errorf("told %v, want the beginning and two events for each step", told)
	}
	inEffect(t, s)
	last, err := s.Journal.LastDone(t.Context())
	if err != nil || !reflect.DeepEqual(last.After, plan.Layout) {
		t.Errorf("last applied: got %v, %v, want the plan's layout", last, err)
	}
}

func TestApplyOfAnAppliedPlanDoesNothing(t *testing.T) {
	s := cartsScene(t)
	plan := cartsPlan(t, s)
	for range 2 {
		if _, err := apply.Apply(t.Context(), plan, s.Deps(nil), approved); err != nil {
			t.Fatal(err)
		}
	}
	inEffect(t, s)
}

func TestApplyRefusesAChangedState(t *testing.T) {
	for name, test := range map[string]struct {
		foreign zones.Change
		want    string
	}{
		"range taken away": {zones.RemoveRange{Collection: carts, Range: tight(t, "NYC", "B")}, `is gone: shop.carts: {dc: "NYC", id: MinKey} to {dc: "NYC\u0000", id: MinKey} in B`},
		"range added":      {zones.AddRange{Collection: carts, Range: tight(t, "SYD", "B")}, `is new: shop.carts: {dc: "SYD", id: MinKey} to {dc: "SYD\u0000", id: MinKey} in B`},
		"shard added":      {zones.AddShardToZone{Shard: "s2", Zone: "B"}, "is new: zone B: shard s2"},
		"balancing off":    {zones.HoldBalancing{Collection: carts}, "balancing turned off"},
	} {
		t.Run(name, func(t *testing.T) {
			s := cartsScene(t)
			plan := cartsPlan(t, s)
			if err := s.Perform(t.Context(), test.foreign); err != nil {
				t.Fatal(err)
			}
			before := s.State()
			_, err := apply.Apply(t.Context(), plan, s.Deps(nil), approved)
			if !errors.Is(err, apply.ErrStateChanged) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want ErrStateChanged with %q", err, test.want)
			}
			if after := s.State(); !reflect.DeepEqual(before, after) {
				t.Errorf("something was changed: got %v, want %v", after, before)
			}
			if _, _, err := s.Locker.Lock(t.Context()); err != nil {
				t.Errorf("the lease was not given back: %v", err)
			}
		})
	}
}

func TestApplyRefusesAnotherCluster(t *testing.T) {
	s := cartsScene(t)
	plan := cartsPlan(t, s)
	plan.ClusterID = "c2"
	if _, err := apply.Apply(t.Context(), plan, s.Deps(nil), approved); !errors.Is(err, apply.ErrStateChanged) || !strings.Contains(err.Error(), "cluster c2") {
		t.Errorf("got %v, want ErrStateChanged that names the cluster", err)
	}
}

func TestApplyAsksBeforeDataMoves(t *testing.T) {
	s := cartsScene(t)
	plan := cartsPlan(t, s)
	if _, err := apply.Apply(t.Context(), plan, s.Deps(nil), apply.Options{}); !errors.Is(err, apply.ErrNotApproved) {
		t.Errorf("nobody to ask: got %v, want ErrNotApproved", err)
	}
	var asked []zones.Step
	answer := false
	o := apply.Options{Approve: func(_ context.Context, steps []zones.Step) (bool, error) { asked = steps; return answer, nil }}
	if _, err := apply.Apply(t.Context(), plan, s.Deps(nil), o); !errors.Is(err, apply.ErrNotApproved) {
		t.Errorf("no: got %v, want ErrNotApproved", err)
	}
	for _, step := range asked {
		if !zones.MovesData(step.Change) && !zones.Drops(step.Change) {
			t.Errorf("asked about %s", step.Change)
		}
	}
	if len(asked) == 0 || len(asked) == len(plan.Steps) {
		t.Errorf("asked about %d of %d steps, want those that move or drop", len(asked), len(plan.Steps))
	}
	answer = true
	if _, err := apply.Apply(t.Context(), plan, s.Deps(nil), o); err != nil {
		t.Errorf("yes: got %v", err)
	}
	inEffect(t, s)
}

// manyRanges replaces n of all ranges.
func manyRanges(t testing.TB, n, all int) *zones.Plan {
	plan := &zones.Plan{Layout: zones.Layout{Collections: []zones.Placement{{Collection: carts, Key: cartsKey}}}}
	for i := range all {
		value, zone := fmt.Sprintf("V%03d", i), topology.ZoneID("A")
		if i < n {
			plan.Steps = append(plan.Steps, zones.Step{Change: zones.RemoveRange{Collection: carts, Range: tight(t, value, "A")}},
				zones.Step{Change: zones.AddRange{Collection: carts, Range: tight(t, value, "B")}})
			zone = "B"
		}
		plan.Layout.Collections[0].Ranges = append(plan.Layout.Collections[0].Ranges, tight(t, value, zone))
	}
	return plan
}

func TestApplyRefusesMassChanges(t *testing.T) {
	for _, test := range []struct {
		dropped, all int
		want         error
	}{
		{9, 9, apply.ErrStateChanged}, {3, 10, apply.ErrStateChanged}, {4, 10, apply.ErrMassChange}, {300, 1000, apply.ErrStateChanged}, {301, 1000, apply.ErrMassChange},
	} {
		s := cartsScene(t)
		plan := manyRanges(t, test.dropped, test.all)
		// A plan of another cluster gets no further than the look at the state.
		if _, err := apply.Apply(t.Context(), plan, s.Deps(nil), approved); !errors.Is(err, test.want) {
			t.Errorf("%d of %d: got %v, want %v", test.dropped, test.all, err, test.want)
		}
		if _, err := apply.Apply(t.Context(), plan, s.Deps(nil), apply.Options{AutoApprove: true, Force: true}); errors.Is(err, apply.ErrMassChange) {
			t.Errorf("%d of %d with force: got %v", test.dropped, test.all, err)
		}
	}
}

func TestOneOfTwoAppliesGetsTheLease(t *testing.T) {
	s := cartsScene(t)
	plan := cartsPlan(t, s)
	var second error
	deps := s.Deps(func(c zonestest.Call) error {
		if c.Name == "Perform" && !c.Answered && second == nil {
			_, second = apply.Apply(t.Context(), plan, s.Deps(nil), approved)
		}
		return nil
	})
	if _, err := apply.Apply(t.Context(), plan, deps, approved); err != nil {
		t.Errorf("first: got %v", err)
	}
	var locked *apply.LockedError
	if !errors.Is(second, apply.ErrLocked) || !errors.As(second, &locked) {
		t.Fatalf("second: got %v, want ErrLocked", second)
	}
	for _, want := range []string{"test on here, process 1", "since 1970-01-01T00:00:01Z"} {
		if !strings.Contains(locked.Error(), want) {
			t.Errorf("got %q, want %q in it", locked, want)
		}
	}
	if !strings.Contains(locked.Hint(), "expires by itself, in 1m0s") {
		t.Errorf("got hint %q, want the time", locked.Hint())
	}
	inEffect(t, s)
}
