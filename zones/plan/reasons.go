package plan

import (
	"fmt"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// An appliedPlacement is what the last apply left behind for a collection. It tells drift from intent.
type appliedPlacement struct {
	zones.Placement
	// known is false if no apply has been about the collection.
	known bool
	// key is the collection's key now.
	key topology.Key
	// found are its ranges, in the form that compares with others.
	found []foundRange
}

func appliedTo(applied *zones.Layout, want zones.Placement) appliedPlacement {
	was := appliedPlacement{key: want.Key}
	if applied != nil {
		was.Placement, was.known = applied.Placement(want.Collection)
		was.found = findRanges(zones.Collection{Ranges: was.Ranges}, want.Key)
	}
	return was
}

// had says whether the last apply left a range of the same documents behind, for the same zone.
func (a appliedPlacement) had(r zones.Range) bool { return sameRange(a.found, a.key, r) >= 0 }

func (a appliedPlacement) addition(c zones.Collection, r zones.Range, rewritten rewriting) zones.Step {
	step := zones.Step{Change: zones.AddRange{Collection: c.Name, Range: r}, Cause: zones.CauseIntent, Reason: belongs(a.key, r)}
	switch {
	case rewritten == toTighten:
		step.Cause, step.Reason = zones.CauseTighten, "the same documents; a query for one value will ask one shard"
	case rewritten == toComplete:
		step.Reason = "the same documents; the bounds become full keys, without which the collection cannot be sharded"
	case a.had(r):
		step.Cause, step.Reason = zones.CauseDrift, step.Reason+"; the range was changed or removed since the last apply"
	}
	return step
}

func (a appliedPlacement) removal(c zones.Collection, f foundRange) zones.Step {
	step := zones.Step{Change: zones.RemoveRange{Collection: c.Name, Range: f.Range}, Cause: zones.CauseIntent, Reason: "it is not declared"}
	if f.inTheWay {
		step.Reason = "what is declared takes its place"
	}
	switch {
	case f.rewritten == toTighten:
		step.Cause, step.Reason = zones.CauseTighten, "it gives way to tight bounds for the same documents"
	case f.rewritten == toComplete:
		step.Reason = "its bounds are no full keys; it gives way to a range for the same documents"
	case !f.ofKey:
		step.Reason = "its bounds are not of the collection's key"
	case a.known && !a.had(f.normal()):
		step.Cause, step.Reason = zones.CauseDrift, step.Reason+"; it was made since the last apply"
	}
	return step
}

// belongs says in words what a range does.
func belongs(key topology.Key, r zones.Range) string {
	if v, ok := shardkey.SingleValue(key, r.Min, r.Max); ok {
		return fmt.Sprintf("documents with %s %s belong to zone %s", key[0].Name, shardkey.FormatValue(v), r.Zone)
	}
	from, _ := shardkey.FirstTwo(r.Min)
	to, _ := shardkey.FirstTwo(r.Max)
	return fmt.Sprintf("documents with %s from %s to %s belong to zone %s", key[0].Name, shardkey.FormatValue(from), shardkey.FormatValue(to), r.Zone)
}
