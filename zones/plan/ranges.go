package plan

import (
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/placement"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// RangesOf lists the ranges of shard keys that a namespace declares for a collection with a key. There are none for a key that does not begin with the zone
// field.
//
// The errors are those of [Want] about a namespace.
func RangesOf(world *topology.Topology, ns topology.Namespace, key topology.Key) ([]zones.Range, error) {
	if !leads(ns, key) {
		return nil, nil
	}
	declared, problems := declaredRanges(world, ns)
	if key[0].Hashed {
		problems = append(problems, hashedKey(ns.Name, key))
	}
	if len(problems) > 0 {
		return nil, asError(problems)
	}
	return keyRanges(ns, key, declared), nil
}

// leads says whether the zone field leads a key.
func leads(ns topology.Namespace, key topology.Key) bool {
	return len(key) > 0 && key[0].Name == ns.ZoneBy
}

// declaredRanges are those of placement.RangesOf, unless the namespace declares what makes no ranges.
func declaredRanges(world *topology.Topology, ns topology.Namespace) ([]topology.Range, []error) {
	var problems []error
	named := func(zone topology.ZoneID) {
		if _, ok := world.Zone(zone); !ok {
			problems = append(problems, unknownZone(world, ns.Name, zone))
		}
	}
	for i, r := range ns.Ranges {
		if msg := wrongBounds(r); msg != "" {
			problems = append(problems, hint.NewOf(ErrBounds,
				"write values, or from (inclusive) and to (exclusive) of one type with from below to; one of the two may be left out", "%s: ranges[%d]: %s", ns.Name, i, msg))
		}
		named(r.Zone)
	}
	var all []topology.Range
	if len(problems) == 0 {
		all = placement.RangesOf(world, ns)
	}
	for i := 1; i < len(all); i++ {
		_, end := shardkey.Ends(all[i-1])
		if from, _ := shardkey.Ends(all[i]); shardkey.Compare(from, end) < 0 {
			problems = append(problems, hint.NewOf(ErrOverlap,
				"give each value to one zone; the end of a range is not part of it, so two ranges can meet", "%s: %s overlaps with %s", ns.Name, withZone(all[i]), withZone(all[i-1])))
		}
	}
	if ns.Unknown == topology.UnknownToZone {
		named(ns.UnknownZone)
	}
	return all, problems
}

// wrongBounds says what is wrong with a declared range; nothing for most.
func wrongBounds(r topology.Range) string {
	if (r.From == nil && r.To == nil) != (len(r.Values) > 0) {
		return "it has neither values nor bounds, or both"
	}
	untyped := func(v *topology.Value) bool { return v != nil && v.Kind() == topology.KindUnknown }
	if untyped(r.From) || untyped(r.To) || slices.ContainsFunc(r.Values, func(v topology.Value) bool { return untyped(&v) }) {
		return "a value has no type"
	}
	if r.From != nil && r.To != nil && !sameClass(r.From.Kind(), r.To.Kind()) {
		return fmt.Sprintf("its bounds are of two types, %s and %s", r.From.Kind(), r.To.Kind())
	}
	if from, to := shardkey.Ends(r); shardkey.Compare(from, to) >= 0 {
		return inWords(r) + " is empty"
	}
	return ""
}

// sameClass says whether values of two kinds sort among each other.
func sameClass(a, b topology.Kind) bool {
	number := func(k topology.Kind) bool { return k == topology.KindInteger || k == topology.KindFloat }
	return a == b || number(a) && number(b)
}

// withZone is "NYC" (zone NYC).
func withZone(r topology.Range) string { return fmt.Sprintf("%s (zone %s)", inWords(r), r.Zone) }

// inWords is how the topology says a range of one value, or with bounds.
func inWords(r topology.Range) string {
	switch {
	case len(r.Values) > 0:
		return r.Values[0].String()
	case r.From == nil:
		return fmt.Sprintf("everything below %s", r.To)
	case r.To == nil:
		return fmt.Sprintf("everything from %s", r.From)
	default:
		return fmt.Sprintf("%s to %s", r.From, r.To)
	}
}

// keyRanges are declared ranges as ranges of full keys, with the gaps between them where those go to a zone.
func keyRanges(ns topology.Namespace, key topology.Key, declared []topology.Range) []zones.Range {
	ranges := make([]zones.Range, len(declared))
	for i, r := range declared {
		from, to := shardkey.Ends(r)
		ranges[i] = zones.Range{Min: shardkey.StartOf(key, from), Max: shardkey.StartOf(key, to), Zone: r.Zone}
	}
	if ns.Unknown == topology.UnknownToZone {
		return WithGaps(key, ranges, ns.UnknownZone)
	}
	return ranges
}

// WithGaps fills the gaps between sorted ranges of full keys, from the lowest key to the highest, with ranges of a zone.
func WithGaps(key topology.Key, sorted []zones.Range, zone topology.ZoneID) []zones.Range {
	all := make([]zones.Range, 0, 2*len(sorted)+1)
	end := shardkey.StartOf(key, shardkey.MinKey)
	fill := func(to bson.Raw) {
		if shardkey.CompareKeys(end, to) < 0 {
			all = append(all, zones.Range{Min: end, Max: to, Zone: zone})
		}
	}
	for _, r := range sorted {
		fill(r.Min)
		all = append(all, r)
		end = r.Max
	}
	fill(shardkey.StartOf(key, shardkey.MaxKey))
	return all
}
