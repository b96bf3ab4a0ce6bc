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
	was.Placement, was.known = applied.Placement(want.Collection)
	was.found = findRanges(was.Ranges, want.Key)
	return was
}

// had says whether the last apply left a range of the same documents behind, for the same zone.
func (a appliedPlacement) had(r zones.Range) bool { return sameRange(a.found, a.key, r) >= 0 }

func (a appliedPlacement) addition(c zones.Collection, r addedRange) zones.Step {
	change := zones.AddRange{Collection: c.Name, Range: r.Range}
	switch r.rewritten {
	case toTighten:
		return zones.Step{Change: change, Cause: zones.CauseTighten, Reason: "the same documents; a query for one value will ask one shard"}
	case toComplete:
		return intended(change, "the same documents; the bounds become full keys, without which the collection cannot be sharded", false, "")
	default:
		return intended(change, belongs(a.key, r.Range), a.had(r.Range), "; the range was changed or removed since the last apply")
	}
}

func (a appliedPlacement) removal(c zones.Collection, f foundRange) zones.Step {
	change, reason := zones.RemoveRange{Collection: c.Name, Range: f.Range}, "it is not declared"
	switch {
	case f.rewritten == toTighten:
		return zones.Step{Change: change, Cause: zones.CauseTighten, Reason: "it gives way to tight bounds for the same documents"}
	case f.rewritten == toComplete:
		return intended(change, "its bounds are no full keys; it gives way to a range for the same documents", false, "")
	case !f.ofKey:
		return intended(change, "its bounds are not of the collection's key", false, "")
	case f.inTheWay:
		reason = "what is declared takes its place"
	}
	return intended(change, reason, a.known && !a.had(f.normal()), "; it was made since the last apply")
}

// intended is a step that the topology asks for. It is of drift, for a reason that ends in since, where it takes back what somebody else did since the last apply.
func intended(change zones.Change, reason string, drifted bool, since string) zones.Step {
	if drifted {
		return zones.Step{Change: change, Cause: zones.CauseDrift, Reason: reason + since}
	}
	return zones.Step{Change: change, Cause: zones.CauseIntent, Reason: reason}
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
