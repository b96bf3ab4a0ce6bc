package apply_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/zonestest"
)

// Killed at either end of any call, an apply of the same plan goes on and ends as if nothing had been.
func TestApplyConvergesAfterAKillAtAnyCall(t *testing.T) {
	points := 0
	for _, answered := range []bool{false, true} {
		for number := 0; ; number++ {
			s := cartsScene(t)
			plan := cartsPlan(t, s)
			if !zonestest.ApplyUntil(t, s, plan, number, answered) {
				break
			}
			points++
			if _, err := apply.Apply(t.Context(), plan, s.Deps(nil), approved); err != nil {
				t.Errorf("killed at call %d, answered %t: second run: %v", number, answered, err)
			}
			inEffect(t, s)
			if t.Failed() {
				t.Fatalf("killed at call %d, answered %t", number, answered)
			}
		}
	}
	t.Logf("%d kill points", points)
	if points < 40 {
		t.Errorf("got %d kill points, want more than two for each of 6 steps", points)
	}
}

// Killed twice, with the second kill anywhere in the resumed run.
func TestApplyConvergesAfterTwoKills(t *testing.T) {
	points := 0
	for first := 0; ; first++ {
		again := true
		for second := 0; again; second++ {
			s := cartsScene(t)
			plan := cartsPlan(t, s)
			if !zonestest.ApplyUntil(t, s, plan, first, first%2 == 0) {
				t.Logf("%d pairs of kill points", points)
				return
			}
			again = zonestest.ApplyUntil(t, s, plan, second, second%2 == 0)
			points++
			if _, err := apply.Apply(t.Context(), plan, s.Deps(nil), approved); err != nil {
				t.Fatalf("killed at %d and %d: third run: %v", first, second, err)
			}
			inEffect(t, s)
			if t.Failed() {
				t.Fatalf("killed at %d and %d", first, second)
			}
		}
	}
}

// A step that fails is told with its number, and a second run goes on behind the steps that are done.
func TestAFailedStepCanBeResumed(t *testing.T) {
	broken := errors.New("not primary")
	for failing := range 6 {
		for _, answered := range []bool{false, true} {
			t.Run(fmt.Sprintf("step %d, in effect %t", failing+1, answered), func(t *testing.T) {
				s := cartsScene(t)
				plan := cartsPlan(t, s)
				deps := s.Deps(func(c zonestest.Call) error {
					if c.Change != nil && c.Answered == answered && c.Change.String() == plan.Steps[failing].Change.String() {
						return broken
					}
					return nil
				})
				_, err := apply.Apply(t.Context(), plan, deps, approved)
				var failed *apply.StepError
				if !errors.As(err, &failed) || !errors.Is(err, broken) || failed.Done != failing || failed.Total != 6 {
					t.Fatalf("got %v, want a StepError after %d of 6", err, failing)
				}
				if want := fmt.Sprintf("apply: step %d of 6 (%s): not primary", failing+1, plan.Steps[failing].Change); !strings.HasPrefix(failed.Error(), want) {
					t.Errorf("got %q, want %q", failed, want)
				}
				held := heldAfter(t, s, failed)
				// Between the removal of a range and the new one the balancer must not have the collection: it would spread its documents.
				if want := failing == 2 || failing == 3; held != want && failing != 4 {
					t.Errorf("held after the failure: got %t, want %t", held, want)
				}
				result, err := apply.Apply(t.Context(), plan, s.Deps(nil), approved)
				if err != nil {
					t.Fatal(err)
				}
				if result.Before != failing || result.Before+result.Done != 6 {
					t.Errorf("got %+v, want %d steps before and all at last", result, failing)
				}
				inEffect(t, s)
			})
		}
	}
}

func heldAfter(t *testing.T, s *zonestest.Scene, failed *apply.StepError) bool {
	t.Helper()
	c, _ := s.State().Collection(carts)
	if told := slices.Contains(failed.Held, carts); told != c.NoBalance && failed.Done != 4 {
		t.Errorf("held is %t, and the error tells of %v", c.NoBalance, failed.Held)
	}
	if len(failed.Held) > 0 && !strings.Contains(failed.Hint(), carts) {
		t.Errorf("got hint %q, want the held collection in it", failed.Hint())
	}
	return c.NoBalance
}

// A new plan takes the place of an interrupted one, and releases what that one held.
func TestAnotherPlanReleasesWhatAnInterruptedOneHeld(t *testing.T) {
	s := cartsScene(t)
	plan := cartsPlan(t, s)
	hold := 0
	deps := s.Deps(func(c zonestest.Call) error {
		if _, ok := c.Change.(zones.HoldBalancing); ok && !c.Answered {
			hold = c.Number
		}
		return nil
	})
	if _, err := apply.Apply(t.Context(), plan, deps, approved); err != nil {
		t.Fatal(err)
	}

	s = cartsScene(t)
	if !zonestest.ApplyUntil(t, s, cartsPlan(t, s), hold, true) {
		t.Fatal("it was not killed")
	}
	state := s.State()
	if c, _ := state.Collection(carts); !c.NoBalance {
		t.Fatal("the killed apply held nothing: this test shows nothing")
	}
	empty := &zones.Plan{ClusterID: state.ClusterID, StateHash: state.Hash()}
	result, err := apply.Apply(t.Context(), empty, s.Deps(nil), apply.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c, _ := s.State().Collection(carts); c.NoBalance || !slices.Equal(result.Released, []string{carts}) {
		t.Errorf("got noBalance %t and %+v, want it released", c.NoBalance, result)
	}
	if open, err := s.Journal.Unfinished(t.Context()); err != nil || len(open) > 0 {
		t.Errorf("got unfinished runs %v, %v, want none", open, err)
	}
}

// A collection that an operator had held stays so.
func TestApplyLeavesAnOperatorsHold(t *testing.T) {
	s := cartsScene(t)
	if err := s.Perform(t.Context(), zones.HoldBalancing{Collection: carts}); err != nil {
		t.Fatal(err)
	}
	plan := cartsPlan(t, s)
	// The planner leaves the release out for a collection that was not balanced before.
	plan.Steps = slices.DeleteFunc(plan.Steps, func(step zones.Step) bool { _, ok := step.Change.(zones.ReleaseBalancing); return ok })
	if _, err := apply.Apply(t.Context(), plan, s.Deps(nil), approved); err != nil {
		t.Fatal(err)
	}
	if c, _ := s.State().Collection(carts); !c.NoBalance {
		t.Error("the operator's hold is gone")
	}
}

// A foreign change between the kill and the second run is found, although the journal has the run.
func TestResumeRefusesAChangedState(t *testing.T) {
	s := cartsScene(t)
	plan := cartsPlan(t, s)
	if !zonestest.ApplyUntil(t, s, plan, 12, false) {
		t.Fatal("it was not killed")
	}
	if err := s.Perform(t.Context(), zones.RemoveRange{Collection: carts, Range: tight(t, "NYC", "B")}); err != nil {
		t.Fatal(err)
	}
	_, err := apply.Apply(t.Context(), plan, s.Deps(nil), approved)
	if !errors.Is(err, apply.ErrStateChanged) || !strings.Contains(err.Error(), "since the apply of this plan was interrupted") || !strings.Contains(err.Error(), `is gone: shop.carts: {dc: "NYC"`) {
		t.Errorf("got %v, want ErrStateChanged with the range", err)
	}
}

// Whoever has lost the lease changes nothing more, and leaves the holds to the one who has it.
func TestApplyStopsWhenTheLeaseIsLost(t *testing.T) {
	for number := 4; ; number++ {
		s := cartsScene(t)
		plan := cartsPlan(t, s)
		lost, after := false, 0
		deps := s.Deps(func(c zonestest.Call) error {
			if c.Number == number && !c.Answered {
				s.Locker.Expire()
				lost = true
			}
			if lost && c.Name == "Perform" && c.Answered && c.Number != number {
				after++
			}
			return nil
		})
		_, err := apply.Apply(t.Context(), plan, deps, approved)
		if !lost {
			return
		}
		if after > 0 {
			t.Errorf("lost at call %d: %d changes were made after it", number, after)
		}
		if err != nil && !errors.Is(err, apply.ErrLeaseLost) {
			t.Errorf("lost at call %d: got %v, want ErrLeaseLost", number, err)
		}
		if _, err := apply.Apply(t.Context(), plan, s.Deps(nil), approved); err != nil {
			t.Errorf("lost at call %d: the next: %v", number, err)
		}
		inEffect(t, s)
	}
}

// Ctrl-C ends an apply between two steps; what was held without need is released, and the next run goes on.
func TestACancelledApplyCanBeResumed(t *testing.T) {
	for number := 0; ; number++ {
		s := cartsScene(t)
		plan := cartsPlan(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		cancelled := false
		deps := s.Deps(func(c zonestest.Call) error {
			if c.Number == number {
				cancel()
				cancelled = true
			}
			return nil
		})
		_, err := apply.Apply(ctx, plan, deps, approved)
		cancel()
		if !cancelled {
			t.Logf("%d points", number)
			return
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled at call %d: got %v, want context.Canceled", number, err)
		}
		if _, err := apply.Apply(t.Context(), plan, s.Deps(nil), approved); err != nil {
			t.Errorf("cancelled at call %d: the next: %v", number, err)
		}
		inEffect(t, s)
		if t.Failed() {
			t.FailNow()
		}
	}
}
