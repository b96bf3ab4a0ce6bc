package zones_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/zonestest"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// applyWithKills applies a plan and is killed, any number of times at any calls, before a run goes through.
// After some kills the plan is the old one and after some a new one.
func applyWithKills(t *rapid.T, s *zonestest.Scene, plan *zones.Plan, again func() *zones.Plan) (kills int) {
	for {
		at := -1
		if kills < 4 && rapid.Bool().Draw(t, "kill") {
			// An apply makes three calls for each step and some around them.
			at = rapid.IntRange(0, 3*len(plan.Steps)+10).Draw(t, "killed at call")
		}
		if !applyUntil(t, s, plan, at, rapid.Bool().Draw(t, "answered")) {
			return kills
		}
		kills++
		if rapid.Bool().Draw(t, "plan anew") {
			plan = again()
		}
	}
}

// drawScene draws a cluster and a plan for it.
func drawScene(t *rapid.T) (s *zonestest.Scene, plan func() *zones.Plan) {
	world, o := zones.DrawWorld(t), zones.DrawOptions(t)
	s = zonestest.NewScene(*zones.DrawState(t, world))
	return s, func() *zones.Plan {
		applied, err := zones.LastApplied(t.Context(), s.Journal)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := zones.NewPlan(world, s.State(), applied, o, noon)
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
}

func held(s *zonestest.Scene) (names []string) {
	for _, c := range s.State().Collections {
		if c.NoBalance {
			names = append(names, c.Name)
		}
	}
	return names
}

// Whatever the world and the cluster, and wherever applies are killed: in the end a new plan is empty, the balancer has what it had, and the journal is closed.
func TestAppliesConvergeWhereverTheyAreKilled(t *testing.T) {
	plans, kills := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s, plan := drawScene(t)
		before := held(s)
		kills += applyWithKills(t, s, plan(), plan)
		if again := plan(); !again.Empty() {
			t.Fatalf("planned again: got %v, want nothing to do", again.Steps)
		}
		if after := held(s); !slices.Equal(before, after) {
			t.Fatalf("held are %v, and before %v", after, before)
		}
		if open, err := s.Journal.Unfinished(t.Context()); err != nil || len(open) > 0 {
			t.Fatalf("got unfinished runs %v, %v, want none", open, err)
		}
		plans++
	})
	t.Logf("%d plans, %d kills", plans, kills)
}

// The rollback of an apply leads back to the ranges and zones from before it, and its own rollback forth again.
func TestRollbackLeadsBack(t *testing.T) {
	back := 0
	rapid.Check(t, func(t *rapid.T) {
		world, o := zones.DrawWorld(t), zones.DrawOptions(t)
		o.Shard = false // what was sharded stays so, and ranges of another key cannot come back then
		s := zonestest.NewScene(*zones.DrawState(t, world))
		if _, err := zones.Rollback(t.Context(), s.Journal, world, s.State(), 0, noon); !errors.Is(err, zones.ErrNothingApplied) {
			t.Fatalf("nothing applied: got %v, want ErrNothingApplied", err)
		}
		before := s.State()
		plan, err := zones.NewPlan(world, before, nil, o, noon)
		if err != nil {
			t.Fatal(err)
		}
		if plan.Empty() {
			return
		}
		all := zones.ApplyOptions{AutoApprove: true, Force: true}
		if _, err := zones.Apply(t.Context(), plan, s.Deps(nil), all); err != nil {
			t.Fatal(err)
		}
		applied := s.State()
		for _, want := range []*zones.State{before, applied, before} {
			plan, err := zones.Rollback(t.Context(), s.Journal, world, s.State(), 0, noon)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := zones.Apply(t.Context(), plan, s.Deps(nil), all); err != nil {
				t.Fatalf("apply the rollback: %v", err)
			}
			if wrong := zones.LayoutDifferences(want, s.State()); len(wrong) > 0 {
				t.Fatalf("got differences %q after steps %v", wrong, plan.Steps)
			}
		}
		back++
	})
	t.Logf("%d plans rolled back, forth and back", back)
}
