package client

import (
	"math"

	"github.com/geoshard/geoshard/topology"
)

// Nearest is the datacenter whose gateway a client at a place is led to, as a name server that knows places would: the nearest on the globe, and one without a
// position last; empty for none. It has a formula of its own, so that it checks the router's.
func Nearest(world *topology.Topology, among []topology.DatacenterID, at topology.Coordinates) (nearest topology.DatacenterID) {
	least := math.Inf(1)
	for _, id := range among {
		dc, _ := world.Datacenter(id)
		far := math.MaxFloat64
		if dc.At != nil {
			far = haversine(at, *dc.At)
		}
		if far < least {
			nearest, least = id, far
		}
	}
	return nearest
}

// haversine is the great circle between two places, in kilometres.
func haversine(a, b topology.Coordinates) float64 {
	const earth, degree = 6371, math.Pi / 180
	half := func(x, y float64) float64 { s := math.Sin((x - y) * degree / 2); return s * s }
	return 2 * earth * math.Asin(math.Min(1, math.Sqrt(half(a.Lat, b.Lat)+math.Cos(a.Lat*degree)*math.Cos(b.Lat*degree)*half(a.Long, b.Long))))
}
