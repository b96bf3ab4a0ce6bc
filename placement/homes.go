package placement

import (
	"time"

	"github.com/geoshard/geoshard/topology"
)

// Homes lists the datacenters that records are at home in by their own name: those with a zone of that name, in the order of the topology.
func Homes(world *topology.Topology) (ids []topology.DatacenterID) {
	for _, dc := range world.Datacenters {
		if _, ok := world.Zone(topology.ZoneID(dc.ID)); ok {
			ids = append(ids, dc.ID)
		}
	}
	return ids
}

// Center is the index of the place with the least sum of round trips to all places, the first of several; -1 for none.
func Center(world *topology.Topology, places []topology.DatacenterID) int {
	best, least := -1, time.Duration(0)
	for i, from := range places {
		sum := time.Duration(0)
		for _, to := range places {
			sum += world.RTT(from, to)
		}
		if best < 0 || sum < least {
			best, least = i, sum
		}
	}
	return best
}
