package zones

import (
	"cmp"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

// Facts are a layout as a set: that a shard is in a zone, or that a range of a collection belongs to one. Layouts are compared, and changes
// replayed, as sets of facts; bounds are compared as full keys. Each fact has the change that makes it true.
type Facts map[fact]Change

// A fact is one line of a layout.
type fact struct {
	collection string // empty for a shard
	zone       topology.ZoneID
	shard      topology.ShardID // empty for a range
	min, max   string           // see textOf
}

// factOf returns the fact that a change is about, and whether the change makes it true or takes it away. It is none for changes that are not about layouts.
func factOf(c Change) (f fact, made, is bool) {
	switch c := c.(type) {
	case AddShardToZone:
		return fact{zone: c.Zone, shard: c.Shard}, true, true
	case RemoveShardFromZone:
		return fact{zone: c.Zone, shard: c.Shard}, false, true
	case AddRange:
		return rangeFact(c.Collection, c.Range), true, true
	case RemoveRange:
		return rangeFact(c.Collection, c.Range), false, true
	default:
		return fact{}, false, false
	}
}

func rangeFact(collection string, r Range) fact {
	return fact{collection: collection, zone: r.Zone, min: textOf(r.Min), max: textOf(r.Max)}
}

// textOf is the same for bounds of the same keys. The length of the document is left out: it would sort long bounds behind short ones.
func textOf(bound bson.Raw) string {
	trimmed := shardkey.Trimmed(bound)
	return string(trimmed[min(4, len(trimmed)):])
}

// Facts returns the layout as a set.
func (l Layout) Facts() Facts {
	set := Facts{}
	for _, z := range l.Zones {
		for _, s := range z.Shards {
			set.Make(AddShardToZone{Zone: z.Zone, Shard: s})
		}
	}
	for _, c := range l.Collections {
		for _, r := range c.Ranges {
			set.Make(AddRange{Collection: c.Collection, Range: r})
		}
	}
	return set
}

// Make makes a change. Changes that are not about layouts change nothing.
func (s Facts) Make(c Change) {
	f, made, is := factOf(c)
	switch {
	case made:
		s[f] = c
	case is:
		delete(s, f)
	}
}

// Undo takes a change back.
func (s Facts) Undo(c Change) {
	switch c := c.(type) {
	case RemoveShardFromZone:
		s.Make(AddShardToZone(c))
	case RemoveRange:
		s.Make(AddRange(c))
	default:
		if f, made, _ := factOf(c); made {
			delete(s, f)
		}
	}
}

// Has reports whether a change is in effect. One that is not about layouts never is.
func (s Facts) Has(c Change) bool {
	f, made, is := factOf(c)
	_, there := s[f]
	return is && there == made
}

// Without returns the facts that another set lacks, sorted, as the changes that make them.
func (s Facts) Without(other Facts) []Change {
	var facts []fact
	for f := range s {
		if _, ok := other[f]; !ok {
			facts = append(facts, f)
		}
	}
	slices.SortFunc(facts, func(a, b fact) int {
		return cmp.Or(cmp.Compare(a.collection, b.collection), cmp.Compare(a.zone, b.zone), cmp.Compare(a.shard, b.shard),
			cmp.Compare(a.min, b.min), cmp.Compare(a.max, b.max))
	})
	changes := make([]Change, len(facts))
	for i, f := range facts {
		changes[i] = s[f]
	}
	return changes
}
