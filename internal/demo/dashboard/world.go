package dashboard

import (
	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/topology"
)

// A World is the running demonstration that the page shows.
type World interface {
	Cluster() cluster.Cluster
	Topology() *topology.Topology
	// Gateway is the base URL of a datacenter's gateway, "" where there is none.
	Gateway(dc topology.DatacenterID) string
}

// served are the datacenters with a gateway, in the order of the topology.
func served(w World) (ids []topology.DatacenterID) {
	for _, dc := range w.Topology().Datacenters {
		if w.Gateway(dc.ID) != "" {
			ids = append(ids, dc.ID)
		}
	}
	return ids
}
