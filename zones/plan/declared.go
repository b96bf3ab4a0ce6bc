package plan

import (
	"github.com/geoshard/geoshard/placement"
	"github.com/geoshard/geoshard/topology"
)

// A declaredValue is a value of the zone field that the topology gives to a zone.
type declaredValue struct {
	value topology.Value
	zone  topology.ZoneID
}

// declaredValues lists the single values of a namespace: those of its ranges, the first of each range that has one, and the names of zones, where they count.
func declaredValues(world *topology.Topology, ns topology.Namespace) []declaredValue {
	var all []declaredValue
	for _, r := range ns.Ranges {
		for _, v := range r.Values {
			all = append(all, declaredValue{v, r.Zone})
		}
		if r.From != nil {
			all = append(all, declaredValue{*r.From, r.Zone})
		}
	}
	for _, zone := range placement.Named(world, ns) {
		all = append(all, declaredValue{topology.StringOf(string(zone)), zone})
	}
	return all
}
