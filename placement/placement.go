package placement

import (
	"slices"
	"sort"

	"github.com/geoshard/geoshard/topology"
)

// RangesOf lists what a namespace gives to zones, sorted and without overlap: its ranges, each with bounds or with one value, and the names of the zones that
// take the value of their own name. What lies between them is unknown.
func RangesOf(world *topology.Topology, ns topology.Namespace) []topology.Range {
	all := declared(ns)
	for _, zone := range named(world, ns, all) {
		all = append(all, single(zone, topology.StringOf(string(zone))))
	}
	sortRanges(all)
	return all
}

// Named lists the zones that take the value of their own name: those whose name is in none of the namespace's ranges, and none with OnlyRanges.
func Named(world *topology.Topology, ns topology.Namespace) []topology.ZoneID {
	return named(world, ns, declared(ns))
}

// Find returns the index of the range that has a value, or -1. The ranges are those of RangesOf. It allocates nothing for strings.
func Find(ranges []topology.Range, v topology.Value) int {
	after := sort.Search(len(ranges), func(i int) bool {
		from := first(&ranges[i])
		return from != nil && from.Compare(v) > 0
	})
	if after == 0 || !ranges[after-1].Includes(v) {
		return -1
	}
	return after - 1
}

// ZoneOf returns the zone that has a value, be it the one for the rest. It is false for a value that no zone has. The zone names its shards, and
// topology.OwnerOf its owner.
func ZoneOf(world *topology.Topology, ns topology.Namespace, v topology.Value) (topology.Zone, bool) {
	ranges := RangesOf(world, ns)
	if i := Find(ranges, v); i >= 0 {
		return world.Zone(ranges[i].Zone)
	}
	if ns.Unknown != topology.UnknownToZone {
		return topology.Zone{}, false
	}
	return world.Zone(ns.UnknownZone)
}

// declared are the ranges that the file has, each value by itself.
func declared(ns topology.Namespace) (all []topology.Range) {
	for _, r := range ns.Ranges {
		if len(r.Values) == 0 {
			all = append(all, r)
		}
		for _, v := range r.Values {
			all = append(all, single(r.Zone, v))
		}
	}
	sortRanges(all)
	return all
}

func single(zone topology.ZoneID, v topology.Value) topology.Range {
	return topology.Range{Zone: zone, Values: []topology.Value{v}}
}

func named(world *topology.Topology, ns topology.Namespace, declared []topology.Range) (zones []topology.ZoneID) {
	if ns.OnlyRanges {
		return nil
	}
	for _, zone := range world.Zones {
		if Find(declared, topology.StringOf(string(zone.ID))) < 0 {
			zones = append(zones, zone.ID)
		}
	}
	return zones
}

func sortRanges(ranges []topology.Range) {
	slices.SortStableFunc(ranges, func(a, b topology.Range) int {
		from, other := first(&a), first(&b)
		switch {
		case from == nil && other == nil:
			return 0
		case from == nil:
			return -1
		case other == nil:
			return 1
		}
		return from.Compare(*other)
	})
}

// first is the first value of a range of RangesOf; nil for one that is open below.
func first(r *topology.Range) *topology.Value {
	if len(r.Values) > 0 {
		return &r.Values[0]
	}
	return r.From
}
