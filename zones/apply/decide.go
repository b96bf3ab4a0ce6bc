package apply

import (
	"context"
	"fmt"
	"slices"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/zones"
)

// A plan that replaces more than massShare of massRanges or more ranges looks like a mistake in the topology, and is refused without force.
const (
	massShare  = 0.3
	massRanges = 10
)

// permit refuses a plan that is not approved, before anything is locked: a person may take long to answer.
func permit(ctx context.Context, plan *zones.Plan, o Options) error {
	dropped := 0
	var grave []zones.Step
	for _, step := range plan.Steps {
		if _, ok := step.Change.(zones.RemoveRange); ok {
			dropped++
		}
		if zones.MovesData(step.Change) || zones.Drops(step.Change) {
			grave = append(grave, step)
		}
	}
	all := 0
	for _, ranges := range rangesBefore(plan) {
		all += ranges
	}
	if !o.Force && all >= massRanges && float64(dropped) > massShare*float64(all) {
		return hint.New(fmt.Errorf("apply: %w: %d of %d are dropped or replaced", ErrMassChange, dropped, all),
			"look whether the topology is the right one for this cluster; if it is meant, apply it with --force")
	}
	if len(grave) == 0 || o.AutoApprove {
		return nil
	}
	if o.Approve == nil {
		return hint.New(fmt.Errorf("apply: %w: %d steps move data or drop a range, and nobody can be asked", ErrNotApproved, len(grave)),
			"look at the plan, then apply it at a terminal or with --auto-approve")
	}
	yes, err := o.Approve(ctx, grave)
	if err != nil {
		return fmt.Errorf("apply: ask for approval: %w", err)
	}
	if !yes {
		return fmt.Errorf("apply: %w: nothing was changed", ErrNotApproved)
	}
	return nil
}

// factsBefore is the layout that a plan was made for: the one that it makes, with its steps taken back.
func factsBefore(plan *zones.Plan) zones.Facts {
	facts := plan.Layout.Facts()
	for _, step := range slices.Backward(plan.Steps) {
		facts.Undo(step.Change)
	}
	return facts
}

// factsAfter is what the steps of a plan make of a layout.
func factsAfter(before zones.Layout, plan *zones.Plan) zones.Facts {
	facts := before.Facts()
	for _, step := range plan.Steps {
		facts.Make(step.Change)
	}
	return facts
}

// rangesBefore counts the ranges that the plan's collections had when it was made.
func rangesBefore(plan *zones.Plan) map[string]int {
	ranges := map[string]int{}
	for _, collection := range plan.Layout.Collections {
		ranges[collection.Collection] = len(collection.Ranges)
	}
	for _, step := range plan.Steps {
		collection, more := growth(step.Change)
		ranges[collection] -= more
	}
	return ranges
}

// A choice is how an apply begins.
type choice struct {
	run     zones.Run
	resumed bool
	// replaces are unfinished runs of other plans; their holds are in run.
	replaces []string
	// nothing: the plan is in effect, and no interrupted run has left anything.
	nothing bool
}

// choose decides whether a plan, whose steps are made in that order, may be applied to the state that was found, and where to begin.
func choose(plan *zones.Plan, order []orderedStep, f scene) (c choice, _ error) {
	if plan.ClusterID != f.state.ClusterID {
		return c, stateChanged("since the plan was made",
			[]string{fmt.Sprintf("the plan is for cluster %s, this is cluster %s", plan.ClusterID, f.state.ClusterID)})
	}
	id := planID(plan)
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
	before := f.state.Layout()
	now := before.Facts()
	switch {
	case c.resumed:
		if err := resumable(order, &c.run, now); err != nil {
			return c, err
		}
		c.run.Status, c.run.Error = zones.RunGoing, ""
	case plan.StateHash == f.state.Hash():
		c.run = newRun(plan, order, before)
		c.nothing = len(plan.Steps) == 0 && len(f.unfinished) == 0
	case f.last != nil && f.last.Plan == id && len(f.unfinished) == 0 && len(differences(factsAfter(f.last.Before, plan), now, nil)) == 0:
		c.nothing = true // it was done to the end, and whoever did it did not live to say so
	default:
		return c, stateChanged("since the plan was made", changedSince(plan, now))
	}
	c.run.Holds = holds
	return c, nil
}

// resumable checks that the cluster is as the run left it: with the steps that are done, and perhaps some of those that were started.
func resumable(order []orderedStep, run *zones.Run, now zones.Facts) error {
	left, done := run.Before.Facts(), run.Done()
	for i, step := range order[:run.Begun()] {
		if i < done || now.Has(step.Change) {
			left.Make(step.Change)
		}
	}
	if differences := differences(left, now, nil); len(differences) > 0 {
		return stateChanged("since the apply of this plan was interrupted", differences)
	}
	return nil
}

// changedSince says what differs from the layout that the plan was made for. It is empty when the change is not one of zones and ranges.
func changedSince(plan *zones.Plan, now zones.Facts) []string {
	about := map[zones.Subject]bool{}
	for _, z := range plan.Layout.Zones {
		about[zones.Subject{Zone: z.Zone}] = true
	}
	for _, c := range plan.Layout.Collections {
		about[zones.Subject{Collection: c.Collection}] = true
	}
	return differences(factsBefore(plan), now, about)
}

// differences says how a layout differs from the wanted one, in lines for people. A nil about is about everything.
func differences(want, have zones.Facts, about map[zones.Subject]bool) (lines []string) {
	say := func(what string, changes []zones.Change) {
		for _, c := range changes {
			if about == nil || about[zones.SubjectOf(c)] {
				lines = append(lines, what+c.String()[len("+ "):])
			}
		}
	}
	say("is gone: ", want.Without(have))
	say("is new: ", have.Without(want))
	return lines
}

// halfReplaced reports whether ranges of a collection were taken away, or may have been, and those that replace them are not all there yet.
func halfReplaced(order []orderedStep, run *zones.Run, collection string) bool {
	// The hold of an interrupted run stands for what that run took away.
	removed := !slices.ContainsFunc(order, func(s orderedStep) bool { return s.Change == zones.HoldBalancing{Collection: collection} })
	for i, step := range order {
		status := run.Steps[i].Status
		if zones.SubjectOf(step.Change).Collection != collection {
			continue
		}
		switch step.Change.(type) {
		case zones.RemoveRange:
			removed = removed || status != zones.StepWaiting
		case zones.AddRange:
			if removed && status != zones.StepDone {
				return true
			}
		}
	}
	return false
}
