package zones_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/zonestest"
)

// Whatever order the steps of a group take effect in, a server refuses none of them, and the cluster becomes what the plan says.
func TestStepsOfAGroupStandInAnyOrder(t *testing.T) {
	groups, largest := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s, plan := drawScene(t)
		p := plan()
		want := zonestest.New(*s.State())
		if err := want.PerformSteps(t.Context(), p.Steps); err != nil {
			t.Fatalf("in the plan's order: %v", err)
		}
		var made []zones.Step
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for _, g := range zones.Groups(p) {
			groups, largest = groups+1, max(largest, len(g))
			random.Shuffle(len(g), func(i, j int) { g[i], g[j] = g[j], g[i] })
			made = append(made, g...)
		}
		if err := s.PerformSteps(t.Context(), made); err != nil {
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

// Some steps of a group fail: those beside them are made, the first failure is told, and the next apply goes on from there.
func TestAFailureInAGroupLeavesTheOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, plan := drawScene(t)
		p := plan()
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
				return errBroken
			}
			return nil
		})
		o := zones.ApplyOptions{AutoApprove: true, Force: true}
		if _, err := zones.Apply(t.Context(), p, deps, o); err == nil {
			t.Fatal("nothing failed")
		}
		result, err := zones.Apply(t.Context(), p, s.Deps(nil), o)
		if err != nil {
			t.Fatalf("the second run: %v", err)
		}
		if result.Before+result.Done != len(p.Steps) {
			t.Fatalf("got %+v, want %d steps in all", result, len(p.Steps))
		}
		if again := plan(); !again.Empty() {
			t.Fatalf("afterwards %d steps are left, the first is %s", len(again.Steps), again.Steps[0].Change)
		}
	})
}
