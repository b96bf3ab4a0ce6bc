package apply_test

import (
	"errors"
	"testing"

	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/zonestest"
)

// A collection that the server refuses to shard is told at the end; everything else is made, also what comes behind it. The same plan goes on with it alone.
func TestARefusedShardingStopsNothingElse(t *testing.T) {
	s := cartsScene(t)
	plan := cartsPlan(t, s)
	refused := zones.ShardCollection{Collection: "shop.refused", Key: cartsKey}
	plan.Layout.Collections = append(plan.Layout.Collections, zones.Placement{Collection: refused.Collection, Key: cartsKey})
	sharding := zones.Step{Change: refused, Cause: zones.CauseIntent, Reason: "test"}
	plan.Steps = append(plan.Steps[:1:1], append([]zones.Step{sharding}, plan.Steps[1:]...)...)
	reason := errors.New("couldn't find valid index for shard key")
	deps := s.Deps(func(c zonestest.Call) error {
		if c.Change != nil && c.Change.String() == refused.String() {
			return reason
		}
		return nil
	})
	_, err := apply.Apply(t.Context(), plan, deps, approved)
	var failed *apply.StepError
	if !errors.As(err, &failed) || !errors.Is(err, reason) || failed.Step != refused.String() || failed.Made != len(plan.Steps)-1 {
		t.Fatalf("got %+v, want the refusal, with all other steps made", err)
	}
	if c, _ := s.State().Collection(carts); c.NoBalance {
		t.Error("the other collection is still held")
	}
	result, err := apply.Apply(t.Context(), plan, s.Deps(nil), approved)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("second run: %+v", *result)
	inEffect(t, s)
}

// A collection that an interrupted apply held, and that is gone, keeps nobody from applying a new plan.
func TestWhatWasDroppedSinceIsNotReleased(t *testing.T) {
	s := cartsScene(t)
	if !zonestest.ApplyUntil(t, s, cartsPlan(t, s), 14, true) {
		t.Fatal("the apply was not interrupted")
	}
	held, _ := s.State().Collection(carts)
	if !held.NoBalance {
		t.Fatal("the apply was interrupted before it held the collection")
	}
	state := s.State()
	plan := &zones.Plan{ClusterID: state.ClusterID, StateHash: state.Hash(), Namespaces: []string{carts}, Layout: state.Layout()}
	deps := s.Deps(func(c zonestest.Call) error {
		if _, release := c.Change.(zones.ReleaseBalancing); release && !c.Answered {
			return apply.ErrNotSharded
		}
		return nil
	})
	if _, err := apply.Apply(t.Context(), plan, deps, approved); err != nil {
		t.Errorf("got %v", err)
	}
	if open, err := s.Journal.Unfinished(t.Context()); err != nil || len(open) > 0 {
		t.Errorf("got unfinished runs %v, %v, want none", open, err)
	}
}
