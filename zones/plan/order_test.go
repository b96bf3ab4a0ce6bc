package plan_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/zonestest"
)

// Whatever order the steps of a group take effect in, a server refuses none of them, and the cluster becomes what the plan says.
func TestStepsOfAGroupStandInAnyOrder(t *testing.T) {
	groups, largest := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s, planned := drawScene(t)
		p := planned()
		want := zonestest.New(*s.State())
		if err := performSteps(t.Context(), want, p.Steps); err != nil {
			t.Fatalf("in the plan's order: %v", err)
		}
		var made []zones.Step
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for _, g := range groupsOf(t, s, p) {
			groups, largest = groups+1, max(largest, len(g))
			random.Shuffle(len(g), func(i, j int) { g[i], g[j] = g[j], g[i] })
			made = append(made, g...)
		}
		if err := performSteps(t.Context(), s.Model, made); err != nil {
			t.Fatalf("in groups, each shuffled: %v", err)
		}
		if len(made) != len(p.Steps) {
			t.Fatalf("%d steps in groups, the plan has %d", len(made), len(p.Steps))
		}
		if got, want := s.State(), want.State(); got.Hash() != want.Hash() {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
	t.Logf("%d groups, the largest of %d steps", groups, largest)
	if largest < 3 {
		t.Errorf("the largest group has %d steps: the test shows little", largest)
	}
}

// groupsOf are the steps that an apply makes together, in its order: all of a group begin before the first is done.
func groupsOf(t *rapid.T, s *zonestest.Scene, p *zones.Plan) (groups [][]zones.Step) {
	begin := true
	listen := func(event apply.Event) {
		switch event := event.(type) {
		case apply.StepBegun:
			if begin {
				groups, begin = append(groups, nil), false
			}
			groups[len(groups)-1] = append(groups[len(groups)-1], event.Step)
		case apply.StepDone:
			begin = true
		}
	}
	o := apply.Options{AutoApprove: true, Force: true, Listen: listen}
	if _, err := apply.Apply(t.Context(), p, zonestest.NewScene(*s.State()).Deps(nil), o); err != nil {
		t.Fatal(err)
	}
	return groups
}

// Some steps of a group fail: those beside them are made, the first failure is told, and the next apply goes on from there.
func TestAFailureInAGroupLeavesTheOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, planned := drawScene(t)
		p := planned()
		if len(p.Steps) == 0 {
			return
		}
		bad := rapid.SliceOfNDistinct(rapid.IntRange(0, len(p.Steps)-1), 1, min(3, len(p.Steps)), rapid.ID[int]).Draw(t, "failing steps")
		failing := make([]string, len(bad))
		for i, n := range bad {
			failing[i] = p.Steps[n].Change.String()
		}
		deps := s.Deps(func(c zonestest.Call) error {
			if c.Change != nil && slices.Contains(failing, c.Change.String()) && !c.Answered {
				return errors.New("not primary")
			}
			return nil
		})
		o := apply.Options{AutoApprove: true, Force: true}
		if _, err := apply.Apply(t.Context(), p, deps, o); err == nil {
			t.Fatal("nothing failed")
		}
		result, err := apply.Apply(t.Context(), p, s.Deps(nil), o)
		if err != nil {
			t.Fatalf("the second run: %v", err)
		}
		if result.Before+result.Done != len(p.Steps) {
			t.Fatalf("got %+v, want %d steps in all", result, len(p.Steps))
		}
		if again := planned(); !again.Empty() {
			t.Fatalf("afterwards %d steps are left, the first is %s", len(again.Steps), again.Steps[0].Change)
		}
	})
}
