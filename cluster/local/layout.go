package local

import "github.com/geoshard/geoshard/cluster/internal/layout"

// A node is embedded in a process under this name.
type node = layout.Node

// MultiDatacenter is the write-concern mode that every shard has: acknowledged by members of two distinct datacenters.
const MultiDatacenter = layout.MultiDatacenter
