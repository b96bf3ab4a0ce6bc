package zones

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

// A fact is one line of a layout: that a shard is in a zone, or that a range of a collection belongs to one. Two layouts are compared,
// and changes replayed, as sets of facts; bounds are compared as full keys.
type fact struct {
	zone       topology.ZoneID
	shard      topology.ShardID // empty for a range
	collection string           // empty for a shard
	min, max   string           // see textOf
}

func shardFact(zone topology.ZoneID, shard topology.ShardID) fact {
	return fact{zone: zone, shard: shard}
}

func rangeFact(collection string, r Range) fact {
	return fact{zone: r.Zone, collection: collection, min: textOf(r.Min), max: textOf(r.Max)}
}

// textOf is the same for bounds of the same keys. The length of the document is left out: it would sort long bounds behind short ones.
func textOf(bound bson.Raw) string {
	trimmed := shardkey.Trimmed(bound)
	return string(trimmed[min(4, len(trimmed)):])
}

// factSet holds for each fact the change that makes it true, which says it to people.
type factSet map[fact]Change

func factsOf(l Layout) factSet {
	set := factSet{}
	for _, z := range l.Zones {
		for _, s := range z.Shards {
			set.replay(AddShardToZone{Zone: z.Zone, Shard: s})
		}
	}
	for _, c := range l.Collections {
		for _, r := range c.Ranges {
			set.replay(AddRange{Collection: c.Collection, Range: r})
		}
	}
	return set
}

// replay makes a change. Changes that are not about layouts change nothing.
func (s factSet) replay(c Change) {
	switch c := c.(type) {
	case AddShardToZone:
		s[shardFact(c.Zone, c.Shard)] = c
	case RemoveShardFromZone:
		delete(s, shardFact(c.Zone, c.Shard))
	case AddRange:
		s[rangeFact(c.Collection, c.Range)] = c
	case RemoveRange:
		delete(s, rangeFact(c.Collection, c.Range))
	}
}

// has reports whether a change is in effect. One that is not about layouts never is.
func (s factSet) has(c Change) bool {
	there := func(f fact) bool { _, ok := s[f]; return ok }
	switch c := c.(type) {
	case AddShardToZone:
		return there(shardFact(c.Zone, c.Shard))
	case RemoveShardFromZone:
		return !there(shardFact(c.Zone, c.Shard))
	case AddRange:
		return there(rangeFact(c.Collection, c.Range))
	case RemoveRange:
		return !there(rangeFact(c.Collection, c.Range))
	default:
		return false
	}
}

// undo takes a change back.
func (s factSet) undo(c Change) {
	switch c := c.(type) {
	case AddShardToZone:
		s.replay(RemoveShardFromZone(c))
	case RemoveShardFromZone:
		s.replay(AddShardToZone(c))
	case AddRange:
		s.replay(RemoveRange(c))
	case RemoveRange:
		s.replay(AddRange(c))
	}
}

// factsBefore is the layout that a plan was made for: the one that it makes, with its steps taken back.
func factsBefore(plan *Plan) factSet {
	set := factsOf(plan.Layout)
	for _, step := range slices.Backward(plan.Steps) {
		set.undo(step.Change)
	}
	return set
}

func changesOf(steps []Step) []Change {
	changes := make([]Change, len(steps))
	for i, s := range steps {
		changes[i] = s.Change
	}
	return changes
}

// replay is what changes make of a layout.
func replay(l Layout, changes []Change) factSet {
	set := factsOf(l)
	for _, c := range changes {
		set.replay(c)
	}
	return set
}

// touched are the facts about the zones' shards and the collections that changes are about.
func touched(set factSet, changes []Change) factSet {
	zones, collections := map[topology.ZoneID]bool{}, map[string]bool{}
	for _, c := range changes {
		switch c := c.(type) {
		case AddShardToZone:
			zones[c.Zone] = true
		case RemoveShardFromZone:
			zones[c.Zone] = true
		case AddRange:
			collections[c.Collection] = true
		case RemoveRange:
			collections[c.Collection] = true
		}
	}
	out := maps.Clone(set)
	maps.DeleteFunc(out, func(f fact, _ Change) bool {
		return f.collection == "" && !zones[f.zone] || f.collection != "" && !collections[f.collection]
	})
	return out
}

// differences says how a layout differs from the wanted one, in lines for people.
func differences(want, have factSet) []string {
	return compareFacts(want, have, func(fact) bool { return true })
}

func compareFacts(want, have factSet, about func(fact) bool) []string {
	var lines []string
	for _, f := range sortedFacts(want) {
		if _, ok := have[f]; !ok && about(f) {
			lines = append(lines, "is gone: "+sentence(want[f]))
		}
	}
	for _, f := range sortedFacts(have) {
		if _, ok := want[f]; !ok && about(f) {
			lines = append(lines, "is new: "+sentence(have[f]))
		}
	}
	return lines
}

// sentence is a change's line without its sign.
func sentence(c Change) string {
	line := fmt.Sprint(c)
	if len(line) > 2 && line[1] == ' ' {
		return line[2:]
	}
	return line
}

func sortedFacts(set factSet) []fact {
	return slices.SortedFunc(maps.Keys(set), func(a, b fact) int {
		return cmp.Or(cmp.Compare(a.collection, b.collection), cmp.Compare(a.zone, b.zone), cmp.Compare(a.shard, b.shard),
			cmp.Compare(a.min, b.min), cmp.Compare(a.max, b.max))
	})
}

// stateLayout is the layout that a state has, with bounds as the catalogue has them.
func stateLayout(s *State) Layout {
	var l Layout
	shards := map[topology.ZoneID][]topology.ShardID{}
	for _, shard := range s.Shards {
		for _, zone := range shard.Zones {
			shards[zone] = append(shards[zone], shard.ID)
		}
	}
	for _, zone := range slices.Sorted(maps.Keys(shards)) {
		l.Zones = append(l.Zones, ZoneShards{Zone: zone, Shards: shards[zone]})
	}
	for _, c := range s.Collections {
		reject, _ := splitValidator(c.Validator)
		l.Collections = append(l.Collections, Placement{Collection: c.Name, Key: c.Key, Ranges: c.Ranges, Reject: reject})
	}
	return l
}
