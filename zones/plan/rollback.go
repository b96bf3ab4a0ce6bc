package plan

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// Undo plans the way back to the layout from before a run of the journal. It concerns what that run changed and nothing else: zones and ranges as they
// were, with the bounds they had, and geoshard's part of validators. Data that was moved moves back. A collection that was sharded stays sharded.
//
// The plan is applied like any other, and is a run of the journal then: the rollback of a rollback restores what it took back.
func Undo(run *zones.Run, world *topology.Topology, state *zones.State, rate topology.ByteRate, now time.Time) *zones.Plan {
	layout, lost := restored(run, state)
	plan := leadTo(layout, world, state, nil, Options{Tighten: true, Prune: true, Rate: rate}, now)
	plan.Findings = append(lost, plan.Findings...)
	for i := range plan.Steps {
		plan.Steps[i].Cause, plan.Steps[i].Reason = zones.CauseIntent, "as it was before the apply of "+run.Started.UTC().Format(time.RFC3339)
	}
	return plan
}

// restored is the layout from before a run, of the zones and collections that it changed. After is about what the topology declares, so Before is looked at for
// that alone. Lost are the ranges that cannot come back.
func restored(run *zones.Run, state *zones.State) (l zones.Layout, lost report) {
	changed := map[zones.Subject]bool{}
	before, after := run.Before.Facts(), run.After.Facts()
	for _, c := range slices.Concat(before.Without(after), after.Without(before)) {
		changed[zones.SubjectOf(c)] = true
	}
	for _, z := range run.After.Zones {
		if changed[zones.Subject{Zone: z.Zone}] {
			shards, _ := run.Before.ShardsOf(z.Zone)
			l.Zones = append(l.Zones, zones.ZoneShards{Zone: z.Zone, Shards: shards})
		}
	}
	for _, after := range run.After.Collections {
		before, _ := run.Before.Placement(after.Collection)
		if !changed[zones.Subject{Collection: after.Collection}] && bytes.Equal(before.Reject, after.Reject) {
			continue
		}
		now, _ := state.Collection(after.Collection)
		p := zones.Placement{Collection: after.Collection, Key: after.Key, Reject: before.Reject}
		switch {
		case now.Sharded:
			p.Key = now.Key
		case len(before.Ranges) > 0:
			p.Key = keyOfRanges(before.Ranges) // no key binds them yet: they come back as they were
		}
		for _, r := range before.Ranges {
			found := readRange(p.Key, r)
			if !found.ofKey {
				lost.warn("range-not-restored", p.Collection, "", "the range %s does not come back: the collection is sharded by %s now", r, p.Key)
				continue
			}
			p.Ranges = append(p.Ranges, found.normal())
		}
		l.Collections = append(l.Collections, p)
	}
	return l, lost
}

// keyOfRanges is the key that bounds are of, as far as they tell.
func keyOfRanges(ranges []zones.Range) (key topology.Key) {
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

// interrupted tells of an apply that was begun and not ended: what it holds, and how to go on.
func (r *report) interrupted(run zones.Run) {
	hint, held := "apply this plan, or the same as then, to go on from there", ""
	if len(run.Holds) > 0 {
		held = "; the balancer leaves " + strings.Join(run.Holds, ", ") + " alone until then"
		hint += "; that lets the balancer work again, even if the plan has no steps"
	}
	r.warn("apply-interrupted", run.ID, hint, "an apply by %s, begun at %s, was interrupted after %d of %d steps, or goes on just now%s",
		run.Owner, run.Started.UTC().Format(time.RFC3339), run.Done(), len(run.Steps), held)
}
