package zones

import (
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

// A stretch gives the values of a zone field from one (inclusive) to another (exclusive) to a zone. MinKey and MaxKey are the ends of all values.
type stretch struct {
	from, to bson.RawValue
	zone     topology.ZoneID
	// declared is how the topology says it, for messages.
	declared string
	// value is set for a single value.
	value bool
}

// stretchesOf lists what a namespace declares, sorted and without overlap: its single values, each by itself even where several of one zone are neighbours,
// its ranges, and the names of the zones where no range says otherwise. The gaps are left out.
func stretchesOf(world *topology.Topology, ns topology.Namespace) ([]stretch, []error) {
	var all []stretch
	var problems []error
	for i, r := range ns.Ranges {
		found, wrong := stretchesOfRange(ns, i, r)
		if _, ok := world.Zone(r.Zone); !ok {
			wrong = append(wrong, unknownZone(world, ns.Name, r.Zone))
		}
		all, problems = append(all, found...), append(problems, wrong...)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	sortStretches(all)
	for i := 1; i < len(all); i++ {
		if shardkey.Compare(all[i].from, all[i-1].to) < 0 {
			problems = append(problems, &RangeOverlapError{Collection: ns.Name, First: all[i-1].String(), Second: all[i].String()})
		}
	}
	if !ns.OnlyRanges {
		all = append(all, named(world, all)...)
		sortStretches(all)
	}
	return all, problems
}

func sortStretches(all []stretch) {
	slices.SortStableFunc(all, func(a, b stretch) int { return shardkey.Compare(a.from, b.from) })
}

// named lists the zones that take the value of their own name: those whose name is in none of the sorted stretches.
func named(world *topology.Topology, declared []stretch) []stretch {
	var names []stretch
	for _, zone := range world.Zones {
		v := topology.StringOf(string(zone.ID))
		if at := stretchAt(declared, shardkey.ValueOf(v)); at < 0 {
			names = append(names, pointOf(v, zone.ID))
		}
	}
	return names
}

// stretchAt is the index of the stretch that contains a value, or -1.
func stretchAt(sorted []stretch, v bson.RawValue) int {
	after, _ := slices.BinarySearchFunc(sorted, v, func(s stretch, v bson.RawValue) int {
		if shardkey.Compare(s.from, v) <= 0 {
			return -1
		}
		return 1
	})
	if after == 0 || shardkey.Compare(v, sorted[after-1].to) >= 0 {
		return -1
	}
	return after - 1
}

// pointOf is the stretch of a single value. All kinds of declared values have a successor.
func pointOf(v topology.Value, zone topology.ZoneID) stretch {
	from := shardkey.ValueOf(v)
	to, _ := shardkey.Successor(from)
	return stretch{from: from, to: to, zone: zone, declared: v.String(), value: true}
}

func stretchesOfRange(ns topology.Namespace, i int, r topology.Range) ([]stretch, []error) {
	wrong := func(format string, args ...any) []error {
		return []error{&BoundsError{Collection: ns.Name, Range: i, Msg: fmt.Sprintf(format, args...)}}
	}
	if (r.From == nil && r.To == nil) != (len(r.Values) > 0) {
		return nil, wrong("it has neither values nor bounds, or both")
	}
	for _, v := range slices.Concat(r.Values, present(r.From), present(r.To)) {
		if v.Kind() == topology.KindUnknown {
			return nil, wrong("a value has no type")
		}
	}
	if len(r.Values) > 0 {
		points := make([]stretch, len(r.Values))
		for i, v := range r.Values {
			points[i] = pointOf(v, r.Zone)
		}
		return points, nil
	}
	s := stretch{from: shardkey.MinKey, to: shardkey.MaxKey, zone: r.Zone, declared: "all"}
	switch {
	case r.From == nil:
		s.to, s.declared = shardkey.ValueOf(*r.To), fmt.Sprintf("everything below %s", r.To)
	case r.To == nil:
		s.from, s.declared = shardkey.ValueOf(*r.From), fmt.Sprintf("everything from %s", r.From)
	default:
		s.from, s.to, s.declared = shardkey.ValueOf(*r.From), shardkey.ValueOf(*r.To), fmt.Sprintf("%s to %s", r.From, r.To)
		if !sameClass(r.From.Kind(), r.To.Kind()) {
			return nil, wrong("its bounds are of two types, %s and %s", r.From.Kind(), r.To.Kind())
		}
	}
	if shardkey.Compare(s.from, s.to) >= 0 {
		return nil, wrong("%s is empty", s.declared)
	}
	return []stretch{s}, nil
}

func present(v *topology.Value) []topology.Value {
	if v == nil {
		return nil
	}
	return []topology.Value{*v}
}

// sameClass says whether values of two kinds sort among each other.
func sameClass(a, b topology.Kind) bool {
	number := func(k topology.Kind) bool { return k == topology.KindInteger || k == topology.KindFloat }
	return a == b || number(a) && number(b)
}

// String is "NYC" (zone NYC).
func (s stretch) String() string { return fmt.Sprintf("%s (zone %s)", s.declared, s.zone) }

// withGaps fills the gaps between sorted stretches, from MinKey to MaxKey, with stretches to a zone.
func withGaps(sorted []stretch, zone topology.ZoneID) []stretch {
	all := make([]stretch, 0, 2*len(sorted)+1)
	end := shardkey.MinKey
	fill := func(to bson.RawValue) {
		if shardkey.Compare(end, to) < 0 {
			all = append(all, stretch{from: end, to: to, zone: zone, declared: "what is not declared"})
		}
	}
	for _, s := range sorted {
		fill(s.from)
		all = append(all, s)
		end = s.to
	}
	fill(shardkey.MaxKey)
	return all
}

// rangesOf turns stretches into ranges of full keys.
func rangesOf(key topology.Key, stretches []stretch) []Range {
	ranges := make([]Range, len(stretches))
	for i, s := range stretches {
		ranges[i] = Range{Min: shardkey.StartOf(key, s.from), Max: shardkey.StartOf(key, s.to), Zone: s.zone}
	}
	return ranges
}
