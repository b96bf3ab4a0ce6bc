package local

import (
	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/topology"
)

// The words of the layout, which this package shares with that of containers.
type (
	kind = layout.Kind
	node = layout.Node
)

const (
	kindData    = layout.Data
	kindArbiter = layout.Arbiter
	kindConfig  = layout.Config
	kindRouter  = layout.Router
	kindCore    = layout.Core
)

// MultiDatacenter is the write-concern mode that every shard has: acknowledged by members of two distinct datacenters.
const MultiDatacenter = layout.MultiDatacenter

func memberName(set string, dc topology.DatacenterID) string { return layout.MemberName(set, dc) }
