package plan

import (
	"slices"
	"sort"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// A rangeDiff is what becomes of the ranges of one collection.
type rangeDiff struct {
	remove []foundRange
	add    []addedRange
	// result are the ranges that the collection will have, sorted.
	result []zones.Range
	// undeclared are those of the result that nobody declared, and that are in nobody's way.
	undeclared []zones.Range
	// reassigned is true if a key is without a zone between the removal of a range and the addition of another.
	reassigned bool
}

// A foundRange is a range as the catalogue has it.
type foundRange struct {
	zones.Range
	// low and high are its bounds, normalised. They are nothing where ofKey is false: for a range of another key.
	low, high shardkey.Bound
	ofKey     bool
	// inTheWay is true if a wanted range needs its room.
	inTheWay bool
	// rewritten says why the range gives way to one of the same documents.
	rewritten rewriting
}

// An addedRange is a range that the collection gets.
type addedRange struct {
	zones.Range
	// rewritten says why it covers the same documents as one that is removed, for the same zone.
	rewritten rewriting
}

// A rewriting is the reason to write other bounds for the same documents.
type rewriting int

const (
	_ rewriting = iota // not rewritten
	// toTighten lets a query for one value ask one shard.
	toTighten
	// toComplete makes full keys of prefixes: sharding a collection whose ranges have other bounds fails (SERVER-103833).
	toComplete
)

// readRange normalises the bounds of a range.
func readRange(key topology.Key, r zones.Range) foundRange {
	low, lowOK := shardkey.ReadBound(key, r.Min)
	high, highOK := shardkey.ReadBound(key, r.Max)
	return foundRange{Range: r, low: low, high: high, ofKey: lowOK && highOK}
}

// normal is the range with full keys.
func (f foundRange) normal() zones.Range {
	return zones.Range{Min: f.low.Full, Max: f.high.Full, Zone: f.Zone}
}

// complete is true if the catalogue has full keys already.
func (f foundRange) complete() bool { return f.low.Complete && f.high.Complete }

// diffRanges compares the ranges that a collection has with the sorted ones that it should have.
//
// A found range that covers the documents of a wanted one, for the same zone, is kept as it is, unless o.Tighten. Of the others those go that a wanted range needs
// the room of, that are of another key, or that o.Prune is about.
func diffRanges(c zones.Collection, want zones.Placement, o Options) (d rangeDiff) {
	key := want.Key
	found := findRanges(c.Ranges, key)
	kept := make([]bool, len(found))
	for _, w := range want.Ranges {
		add := addedRange{Range: w}
		if i := sameRange(found, key, w); i >= 0 {
			switch f := &found[i]; {
			case o.Tighten && !f.exactly(w):
				f.rewritten = toTighten
			case !f.complete() && !c.Sharded:
				f.rewritten = toComplete
			default:
				kept[i] = true
				d.result = append(d.result, f.normal())
				continue
			}
			add.rewritten = found[i].rewritten
		}
		d.add = append(d.add, add)
	}
	d.makeWay()
	var completed []addedRange
	for i, f := range found {
		if kept[i] {
			continue
		}
		overlaps := !f.ofKey || d.needsRoomOf(f)
		if overlaps || o.Prune {
			f.inTheWay = overlaps
			d.remove = append(d.remove, f)
			d.reassigned = d.reassigned || overlaps && len(d.add) > 0
			continue
		}
		r := f.normal()
		d.undeclared = append(d.undeclared, r)
		if f.complete() || c.Sharded {
			d.result = append(d.result, r)
			continue
		}
		f.rewritten = toComplete
		d.remove, completed = append(d.remove, f), append(completed, addedRange{r, toComplete})
	}
	d.add = append(d.add, completed...)
	for _, a := range d.add {
		d.result = append(d.result, a.Range)
	}
	zones.SortRanges(d.result)
	return d
}

// findRanges normalises ranges: those of the key come first, sorted.
func findRanges(ranges []zones.Range, key topology.Key) []foundRange {
	found := make([]foundRange, 0, len(ranges))
	var others []foundRange
	for _, r := range ranges {
		if f := readRange(key, r); f.ofKey {
			found = append(found, f)
		} else {
			others = append(others, f)
		}
	}
	slices.SortStableFunc(found, func(a, b foundRange) int { return shardkey.CompareKeys(a.low.Full, b.low.Full) })
	return append(found, others...)
}

// sameRange is the index of the found range that covers the same documents for the same zone, or -1. Ranges that do not overlap are sorted by the tight
// form of their bounds as well.
func sameRange(found []foundRange, key topology.Key, w zones.Range) int {
	wanted := readRange(key, w)
	i := sort.Search(len(found), func(i int) bool {
		return !found[i].ofKey || shardkey.CompareKeys(found[i].low.Tight, wanted.low.Tight) >= 0
	})
	for ; i < len(found) && found[i].ofKey && shardkey.CompareKeys(found[i].low.Tight, wanted.low.Tight) == 0; i++ {
		if found[i].Zone == w.Zone && shardkey.CompareKeys(found[i].high.Tight, wanted.high.Tight) == 0 {
			return i
		}
	}
	return -1
}

func (f foundRange) exactly(w zones.Range) bool {
	return shardkey.CompareKeys(f.low.Full, w.Min) == 0 && shardkey.CompareKeys(f.high.Full, w.Max) == 0
}

// makeWay cuts the added ranges where kept ones, whose bounds are not tight, reach beyond theirs. The two cover the same documents either way.
func (d *rangeDiff) makeWay() {
	kept := d.result
	for i, a := range d.add {
		next := sort.Search(len(kept), func(i int) bool { return shardkey.CompareKeys(kept[i].Min, a.Min) > 0 })
		if next > 0 && shardkey.CompareKeys(kept[next-1].Max, a.Min) > 0 {
			d.add[i].Min = kept[next-1].Max
		}
		if next < len(kept) && shardkey.CompareKeys(kept[next].Min, a.Max) < 0 {
			d.add[i].Max = kept[next].Min
		}
	}
}

// needsRoomOf says whether a range to add overlaps with a found one.
func (d *rangeDiff) needsRoomOf(f foundRange) bool {
	i := sort.Search(len(d.add), func(i int) bool { return shardkey.CompareKeys(d.add[i].Max, f.low.Full) > 0 })
	return i < len(d.add) && shardkey.CompareKeys(d.add[i].Min, f.high.Full) < 0
}
