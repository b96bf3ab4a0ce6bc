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

// An effect is what a change does to a layout: it makes a fact true, or takes it away.
type effect struct {
	fact
	made Change // makes the fact true
	gone bool
}

// effectOf is nil for changes that are not about layouts.
func effectOf(c Change) *effect {
	switch c := c.(type) {
	case AddShardToZone:
		return &effect{fact{zone: c.Zone, shard: c.Shard}, c, false}
	case AddRange:
		return &effect{fact{collection: c.Collection, zone: c.Range.Zone, min: textOf(c.Range.Min), max: textOf(c.Range.Max)}, c, false}
	case RemoveShardFromZone:
		return effectOf(AddShardToZone(c)).away()
	case RemoveRange:
		return effectOf(AddRange(c)).away()
	default:
		return nil
	}
}

func (e *effect) away() *effect {
	e.gone = true
	return e
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
func (s Facts) Make(c Change) { s.take(effectOf(c), false) }

// Undo takes a change back.
func (s Facts) Undo(c Change) { s.take(effectOf(c), true) }

// take makes an effect, or takes it back.
func (s Facts) take(e *effect, back bool) {
	switch {
	case e == nil:
	case e.gone == back:
		s[e.fact] = e.made
	default:
		delete(s, e.fact)
	}
}

// Has reports whether a change is in effect. One that is not about layouts never is.
func (s Facts) Has(c Change) bool {
	e := effectOf(c)
	return e != nil && (s[e.fact] == nil) == e.gone
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
