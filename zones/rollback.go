package zones

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/geoshard/geoshard/topology"
)

// ErrNothingApplied means that the journal has no apply to go back from.
var ErrNothingApplied = errors.New("no apply is in the journal")

// Rollback plans the way back to the layout that the journal has from before its last finished run. It concerns what that run changed and nothing else:
// zones and ranges as they were, with the bounds they had, and geoshard's part of validators. Data that was moved moves back. A collection that
// was sharded stays sharded.
//
// The plan is applied like any other, and is a run of the journal then: the rollback of a rollback restores what it took back.
func Rollback(ctx context.Context, j Journal, world *topology.Topology, state *State, rate topology.ByteRate, now time.Time) (*Plan, error) {
	run, err := j.LastDone(ctx)
	if err != nil {
		return nil, fmt.Errorf("rollback: %w", err)
	}
	if run == nil {
		return nil, fmt.Errorf("rollback: %w", ErrNothingApplied)
	}
	layout, lost := restored(run, state)
	plan := PlanLayout(world, state, layout, nil, PlanOptions{Tighten: true, Prune: true, Rate: rate}, now)
	plan.Findings = append(lost, plan.Findings...)
	for i := range plan.Steps {
		plan.Steps[i].Cause, plan.Steps[i].Reason = CauseIntent, "as it was before the apply of "+run.Started.UTC().Format(time.RFC3339)
	}
	return plan, nil
}

// restored is the layout from before a run, of the zones and collections that it changed. Lost are the ranges that cannot come back.
func restored(run *Run, state *State) (l Layout, lost []Finding) {
	zones, collections := changedBy(run)
	for _, zone := range zones {
		shards, _ := run.Before.shardsOf(zone)
		l.Zones = append(l.Zones, ZoneShards{Zone: zone, Shards: shards})
	}
	for _, name := range collections {
		before, _ := run.Before.placement(name)
		after, _ := run.After.placement(name)
		p := Placement{Collection: name, Key: after.Key, Reject: before.Reject}
		now, _ := state.Collection(name)
		switch {
		case now.Sharded:
			p.Key = now.Key
		case len(before.Ranges) > 0:
			p.Key = keyOfRanges(before.Ranges) // no key binds them yet: they come back as they were
		}
		for _, r := range before.Ranges {
			found := readRange(p.Key, r)
			if !found.ofKey {
				lost = append(lost, Finding{
					Severity: SeverityWarning, Rule: "range-not-restored", Subject: name,
					Message: fmt.Sprintf("the range %s does not come back: the collection is sharded by %s now", r, p.Key),
				})
				continue
			}
			p.Ranges = append(p.Ranges, found.normal())
		}
		l.Collections = append(l.Collections, p)
	}
	return l, lost
}

// keyOfRanges is the key that bounds are of, as far as they tell.
func keyOfRanges(ranges []Range) topology.Key {
	var key topology.Key
	for _, r := range ranges {
		elements, err := r.Min.Elements()
		if err != nil || len(elements) <= len(key) {
			continue
		}
		key = key[:0]
		for _, e := range elements {
			key = append(key, topology.KeyField{Name: e.Key()})
		}
	}
	return key
}

// changedBy lists the zones and the collections that a run changed, sorted. After is about what the topology declares, so Before is looked at for that alone.
func changedBy(run *Run) (zones []topology.ZoneID, collections []string) {
	before, after := factsOf(run.Before), factsOf(run.After)
	note := func(f fact) {
		if _, declared := run.After.shardsOf(f.zone); f.collection == "" && declared {
			zones = append(zones, f.zone)
		}
		if _, declared := run.After.placement(f.collection); declared {
			collections = append(collections, f.collection)
		}
	}
	for _, f := range sortedFacts(before) {
		if _, kept := after[f]; !kept {
			note(f)
		}
	}
	for _, f := range sortedFacts(after) {
		if _, had := before[f]; !had {
			note(f)
		}
	}
	for _, p := range run.After.Collections {
		if had, _ := run.Before.placement(p.Collection); string(had.Reject) != string(p.Reject) {
			collections = append(collections, p.Collection)
		}
	}
	slices.Sort(zones)
	slices.Sort(collections)
	return slices.Compact(zones), slices.Compact(collections)
}

// InterruptedFindings tells of applies that were begun and not ended: what they hold, and how to go on.
func InterruptedFindings(unfinished []Run) []Finding {
	var all []Finding
	for _, run := range unfinished {
		f := Finding{
			Severity: SeverityWarning, Rule: "apply-interrupted", Subject: run.ID,
			Message: fmt.Sprintf("an apply by %s, begun at %s, was interrupted after %d of %d steps, or goes on just now",
				run.Owner, run.Started.UTC().Format(time.RFC3339), run.Done(), len(run.Steps)),
			Hint: "apply this plan, or the same as then, to go on from there",
		}
		if len(run.Holds) > 0 {
			f.Message += "; the balancer leaves " + strings.Join(run.Holds, ", ") + " alone until then"
			f.Hint += "; that lets the balancer work again, even if the plan has no steps"
		}
		all = append(all, f)
	}
	return all
}

// namespacesOf lists what a topology declares, in the way a Reader is asked.
func namespacesOf(world *topology.Topology) []string {
	names := make([]string, len(world.Namespaces))
	for i, ns := range world.Namespaces {
		names[i] = ns.Name
	}
	return names
}
