package dashboard

import (
	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/topology"
)

// A World is the running demonstration that the page shows.
type World interface {
	client.World
	Cluster() cluster.Cluster
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
