package zones

import (
	"context"
	"fmt"
	"slices"
)

// A plan that replaces more than massShare of massRanges or more ranges looks like a mistake in the topology, and is refused without force.
const (
	massShare  = 0.3
	massRanges = 10
)

// permit refuses a plan that is not approved, before anything is locked: a person may take long to answer.
func permit(ctx context.Context, plan *Plan, o ApplyOptions) error {
	dropped := 0
	var grave []Step
	for _, step := range plan.Steps {
		if _, ok := step.Change.(RemoveRange); ok {
			dropped++
		}
		if MovesData(step.Change) || Drops(step.Change) {
			grave = append(grave, step)
		}
	}
	if all := len(rangesBefore(plan)); !o.Force && all >= massRanges && float64(dropped) > massShare*float64(all) {
		return &MassChangeError{Dropped: dropped, All: all}
	}
	if len(grave) == 0 || o.AutoApprove {
		return nil
	}
	if o.Approve == nil {
		return &NotApprovedError{Steps: len(grave)}
	}
	yes, err := o.Approve(ctx, grave)
	if err != nil {
		return fmt.Errorf("apply: ask for approval: %w", err)
	}
	if !yes {
		return &NotApprovedError{Steps: len(grave), Refused: true}
	}
	return nil
}

// rangesBefore are the ranges that the plan's collections had when it was made.
func rangesBefore(plan *Plan) []fact {
	var ranges []fact
	for f := range factsBefore(plan) {
		if f.collection != "" {
			ranges = append(ranges, f)
		}
	}
	return ranges
}

// A choice is how an apply begins.
type choice struct {
	run     Run
	resumed bool
	// replaces are unfinished runs of other plans; their holds are in run.
	replaces []string
	// nothing: the plan is in effect, and no interrupted run has left anything.
	nothing bool
}

// choose decides whether a plan, whose steps are made in that order, may be applied to the state that was found, and where to begin.
func choose(plan *Plan, order []orderedStep, f findings) (choice, error) {
	if plan.ClusterID != f.state.ClusterID {
		return choice{}, &StateChangedError{When: "since the plan was made",
			Differences: []string{fmt.Sprintf("the plan is for cluster %s, this is cluster %s", plan.ClusterID, f.state.ClusterID)}}
	}
	id := planID(plan)
	c := choice{}
	var holds []string
	for _, run := range f.unfinished {
		holds = append(holds, run.Holds...)
		if run.Plan == id && !c.resumed {
			c.run, c.resumed = run, true
			continue
		}
		c.replaces = append(c.replaces, run.ID)
	}
	slices.Sort(holds)
	holds = slices.Compact(holds)
	before := stateLayout(f.state)
	now := factsOf(before)
	switch {
	case c.resumed:
		if err := resumable(order, &c.run, now); err != nil {
			return choice{}, err
		}
		c.run.Status, c.run.Error = RunGoing, ""
	case plan.StateHash == f.state.Hash():
		c.run = newRun(plan, order, before)
		c.nothing = len(plan.Steps) == 0 && len(f.unfinished) == 0
	case f.last != nil && f.last.Plan == id && len(f.unfinished) == 0 && len(differences(replay(f.last.Before, changesOf(plan.Steps)), now)) == 0:
		c.nothing = true // it was done to the end, and whoever did it did not live to say so
	default:
		return choice{}, &StateChangedError{When: "since the plan was made", Differences: changedSince(plan, now)}
	}
	c.run.Holds = holds
	return c, nil
}

// resumable checks that the cluster is as the run left it: with the steps that are done, and perhaps some of those that were started.
func resumable(order []orderedStep, run *Run, now factSet) error {
	left, done := factsOf(run.Before), run.Done()
	for i, step := range order[:run.Begun()] {
		if i < done || now.has(step.Change) {
			left.replay(step.Change)
		}
	}
	if differences := differences(left, now); len(differences) > 0 {
		return &StateChangedError{When: "since the apply of this plan was interrupted", Differences: differences}
	}
	return nil
}

// changedSince says what differs from the layout that the plan was made for. It is empty when the change is not one of zones and ranges.
func changedSince(plan *Plan, now factSet) []string {
	known := map[string]bool{}
	for _, c := range plan.Layout.Collections {
		known[c.Collection] = true
	}
	return compareFacts(factsBefore(plan), now, func(f fact) bool {
		if f.collection != "" {
			return known[f.collection]
		}
		return slices.ContainsFunc(plan.Layout.Zones, func(z ZoneShards) bool { return z.Zone == f.zone })
	})
}

// halfReplaced reports whether ranges of a collection were taken away, or may have been, and those that replace them are not all there yet.
func halfReplaced(order []orderedStep, run *Run, collection string) bool {
	// The hold of an interrupted run stands for what that run took away.
	own := slices.ContainsFunc(order, func(s orderedStep) bool { return s.Change == Change(HoldBalancing{Collection: collection}) })
	removed := !own
	for i, step := range order {
		status := run.Steps[i].Status
		switch c := step.Change.(type) {
		case RemoveRange:
			removed = removed || c.Collection == collection && status != StepWaiting
		case AddRange:
			if removed && c.Collection == collection && status != StepIsDone {
				return true
			}
		}
	}
	return false
}
