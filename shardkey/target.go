package shardkey

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/topology"
)

// maxRanges bounds the ranges into which the lists of several fields multiply; beyond it a field's list counts as the range that
// spans it. It limits work, never correctness.
const maxRanges = 256

// Target says which shards an operation has to reach.
type Target struct {
	Key    bson.Raw           // the one shard key that the filter can match; nil if it is not a single one
	Shards []topology.ShardID // sorted by name, never empty; one shard if Key is set
}

// Range is a range of shard keys, both ends included.
type Range struct {
	Lowest, Highest bson.Raw
}

// PointOf extracts the shard key from a filter that fixes every field of the pattern by equality: {a: 1}, {a: {$eq: 1}},
// {a: {$in: [1]}}, {$and: [...]} of such, or the equality of a parent object. ok is false for every other filter, as in mongos.
// The filter must be compared with the simple collation; see Table.Target for the other case.
func (p Pattern) PointOf(filter bson.Raw) (key bson.Raw, ok bool) {
	return p.point(constraintsOf(filter, true))
}

func (p Pattern) point(c constraints) (bson.Raw, bool) {
	index, dst := bsoncore.AppendDocumentStart(nil)
	for _, f := range p.fields {
		value, ok := c.equality(f.name)
		// mongos takes neither for a point: an array is no key, and a regular expression may be meant as a pattern.
		if !ok || value.Type == bson.TypeArray || value.Type == bson.TypeRegex {
			return nil, false
		}
		dst = f.append(dst, value)
	}
	return endDocument(dst, index), true
}

// Ranges returns ranges of keys that together hold every document matching filter (under the simple collation). A filter that
// says nothing about the pattern's first field has the range of all keys; one that contradicts itself may have none.
func (p Pattern) Ranges(filter bson.Raw) []Range {
	return p.ranges(constraintsOf(filter, true))
}

// ranges multiplies the intervals of the leading fields, up to and including the first one that is not a list of points.
func (p Pattern) ranges(c constraints) []Range {
	var lists [][]interval
	count := 1
	for _, f := range p.fields {
		list := c.intervals(f)
		if len(list) == 0 {
			return nil
		}
		if count*len(list) > maxRanges {
			list = []interval{{list[0].low, list[len(list)-1].high}}
		}
		count *= len(list)
		lists = append(lists, list)
		if slices.ContainsFunc(list, func(i interval) bool { return Compare(i.low, i.high) != 0 }) {
			break
		}
	}
	ranges := make([]Range, 0, count)
	for n := range count {
		ranges = append(ranges, p.rangeNumber(n, lists))
	}
	return ranges
}

// rangeNumber is the n-th combination of one interval per list; the fields beyond the lists are unbounded.
func (p Pattern) rangeNumber(n int, lists [][]interval) Range {
	lowIndex, low := bsoncore.AppendDocumentStart(nil)
	highIndex, high := bsoncore.AppendDocumentStart(nil)
	for i, f := range p.fields {
		chosen := unbounded
		if i < len(lists) {
			chosen = lists[i][n%len(lists[i])]
			n /= len(lists[i])
		}
		low, high = appendValue(low, f.name, chosen.low), appendValue(high, f.name, chosen.high)
	}
	return Range{endDocument(low, lowIndex), endDocument(high, highIndex)}
}

// Cover returns ranges of keys that together hold every document that matches a filter under a collation. As in mongos, a filter that fixes the key has one
// range, from the key to itself, and with a collation other than the simple one strings, objects and arrays fix nothing. There are no ranges where nothing can
// match.
func (p Pattern) Cover(filter, collation bson.Raw) []Range {
	c := constraintsOf(filter, simpleCollation(collation))
	if key, ok := p.point(c); ok {
		return []Range{{key, key}}
	}
	return p.ranges(c)
}

// Target finds the shards that can hold documents matching filter under the operation's collation (nil: the collection's
// default). It is as careful as mongos: with a collation other than the simple one, strings, objects and arrays fix nothing.
func (t *Table) Target(filter, collation bson.Raw) Target {
	if len(collation) == 0 {
		collation = t.collection.DefaultCollation
	}
	c := constraintsOf(filter, simpleCollation(collation))
	if key, ok := t.pattern.point(c); ok {
		if shard := t.ShardFor(key); shard != "" {
			return Target{Key: key, Shards: []topology.ShardID{shard}}
		}
	}
	var shards []topology.ShardID
	for _, r := range t.pattern.ranges(c) {
		shards = append(shards, t.ShardsFor(r.Lowest, r.Highest)...)
	}
	if len(shards) == 0 {
		// Nothing can match, but somebody has to say so, and to find errors in the filter.
		return Target{Shards: t.shards[:1]}
	}
	slices.Sort(shards)
	return Target{Shards: slices.Compact(shards)}
}

// simpleCollation reports whether strings compare byte by byte: no collation, {} or {locale: "simple"}.
func simpleCollation(collation bson.Raw) bool {
	locale, ok := Field(collation, "locale")
	name, _ := locale.StringValueOK()
	return !ok || name == "simple"
}
