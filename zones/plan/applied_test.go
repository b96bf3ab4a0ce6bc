package plan_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/plan"
	"github.com/geoshard/geoshard/zones/zonestest"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// applyWithKills applies a plan and is killed, any number of times at any calls, before a run goes through.
// After some kills the plan is the old one and after some a new one.
func applyWithKills(t *rapid.T, s *zonestest.Scene, p *zones.Plan, again func() *zones.Plan) (kills int) {
	for {
		at := -1
		if kills < 4 && rapid.Bool().Draw(t, "kill") {
			// An apply makes three calls for each step and some around them.
			at = rapid.IntRange(0, 3*len(p.Steps)+10).Draw(t, "killed at call")
		}
		if !zonestest.ApplyUntil(t, s, p, at, rapid.Bool().Draw(t, "answered")) {
			return kills
		}
		kills++
		if rapid.Bool().Draw(t, "plan anew") {
			p = again()
		}
	}
}

// drawScene draws a cluster and a plan for it.
func drawScene(t *rapid.T) (s *zonestest.Scene, planned func() *zones.Plan) {
	world, o := plan.DrawWorld(t), plan.DrawOptions(t)
	s = zonestest.NewScene(*plan.DrawState(t, world))
	return s, func() *zones.Plan {
		applied, err := plan.LastApplied(t.Context(), s.Journal)
		if err != nil {
			t.Fatal(err)
		}
		made, err := plan.New(world, s.State(), applied, o, noon)
		if err != nil {
			t.Fatal(err)
		}
		return made
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
		s, planned := drawScene(t)
		before := held(s)
		kills += applyWithKills(t, s, planned(), planned)
		if again := planned(); !again.Empty() {
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
		world, o := plan.DrawWorld(t), plan.DrawOptions(t)
		o.Shard = false // what was sharded stays so, and ranges of another key cannot come back then
		s := zonestest.NewScene(*plan.DrawState(t, world))
		if _, err := plan.Rollback(t.Context(), quiet{s.Model, s.Journal}, world, 0, noon); !errors.Is(err, plan.ErrNothingApplied) {
			t.Fatalf("nothing applied: got %v, want ErrNothingApplied", err)
		}
		before := s.State()
		made, err := plan.New(world, before, nil, o, noon)
		if err != nil {
			t.Fatal(err)
		}
		if made.Empty() {
			return
		}
		all := apply.Options{AutoApprove: true, Force: true}
		if _, err := apply.Apply(t.Context(), made, s.Deps(nil), all); err != nil {
			t.Fatal(err)
		}
		applied := s.State()
		for _, want := range []*zones.State{before, applied, before} {
			made, err := plan.Rollback(t.Context(), quiet{s.Model, s.Journal}, world, 0, noon)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := apply.Apply(t.Context(), made, s.Deps(nil), all); err != nil {
				t.Fatalf("apply the rollback: %v", err)
			}
			if wrong := layoutDifferences(want, s.State()); len(wrong) > 0 {
				t.Fatalf("got differences %q after steps %v", wrong, made.Steps)
			}
		}
		back++
	})
	t.Logf("%d plans rolled back, forth and back", back)
}

// quiet is a source that has a model and its journal, and nothing more to tell.
type quiet struct {
	*zonestest.Model
	*zonestest.Journal
}

func (quiet) UnknownValues(context.Context, zones.Placement) (int64, []string, error) {
	return 0, nil, nil
}
func (quiet) Kept(context.Context, []topology.ShardID) (*zones.Kept, error) {
	return &zones.Kept{}, nil
}
func (quiet) Measure(context.Context, *zones.Forecast) error      { return nil }
func (quiet) Privileges(context.Context) (plan.Privileges, error) { return plan.Privileges{}, nil }
func (quiet) Applying(context.Context, *zones.Plan) time.Duration { return 0 }
func (quiet) Refused(error) bool                                  { return false }

// layoutDifferences says how the zones and ranges of a state differ from those of another.
func layoutDifferences(want, have *zones.State) []zones.Change {
	a, b := want.Layout().Facts(), have.Layout().Facts()
	return slices.Concat(a.Without(b), b.Without(a))
}
