package cluster

import (
	"context"
	"time"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/wan"
)

// A Watched cluster says how it is.
type Watched interface {
	// Status asks every member once, in parallel; members that do not answer are reported as unreachable, not as an error.
	Status(ctx context.Context) (Status, error)
}

// A View is a running cluster that can be looked at, but not be broken.
type View interface {
	Watched
	// Name is the name the cluster was started or registered with.
	Name() string
	// Topology is the declared world that the cluster was built from.
	Topology() *topology.Topology
	// URI is the connection string of the query router of a datacenter, for that datacenter's clients.
	// It returns topology.ErrUnknownDatacenter for a datacenter without one.
	URI(dc topology.DatacenterID) (string, error)
}

// A Stopper stops members and lets them go on.
type Stopper interface {
	// Kill ends a member's process with SIGKILL and returns when it is gone.
	Kill(ctx context.Context, member string) error
	// Pause stops a member's process with SIGSTOP: its sockets stay open and nobody answers.
	Pause(ctx context.Context, member string) error
	// Start starts a killed member or lets a paused one go on. It is idempotent, and returns when the member answers.
	Start(ctx context.Context, member string) error
}

// A Breaker breaks the links between datacenters. [Isolate] and [Cut] are the faults that are wanted most.
type Breaker interface {
	// Apply puts a fault into force; one of the same kind and place is replaced. A wan.Lag is what SetLag does. It returns
	// ErrBadFault, topology.ErrUnknownDatacenter or topology.ErrUnknownMember for what cannot be.
	Apply(ctx context.Context, fault wan.Fault) error
	// Remove ends one fault that is in force.
	Remove(ctx context.Context, fault wan.Fault) error
	// Heal removes every fault of the links and every lag. Killed and paused members stay as they are.
	Heal(ctx context.Context) error
}

// A Lagger holds members behind.
type Lagger interface {
	// SetLag holds a member of a shard that far behind its sync source; 0 ends it. Votes and heartbeats are not touched.
	SetLag(ctx context.Context, member string, lag time.Duration) error
}

// A Grower grows while it works.
type Grower interface {
	// Grow adds the datacenters, shards and members that the cluster was started to grow by (the provider's option says which), while it works on, and returns when
	// they do their work. Zones and ranges stay as they are. It may be repeated; a cluster that was not started to grow returns ErrUnsupported.
	Grow(ctx context.Context) error
}

// A Cluster is a running cluster whose members and links can be made to fail. Who needs less of it asks for less.
//
// A member is named SHARD/DC ("nyc/LON"; a second one in the same datacenter is "nyc/LON.2"), a config server
// config/DC, a query router router/DC. Unknown names return topology.ErrUnknownMember.
type Cluster interface {
	View
	Stopper
	Breaker
	Lagger
	Grower
	// Close stops what the provider started and removes what it left on disk. It is idempotent.
	Close(ctx context.Context) error
}

// Isolate cuts every link of a datacenter, in both directions.
func Isolate(ctx context.Context, b Breaker, dc topology.DatacenterID) error {
	return b.Apply(ctx, wan.Isolate{DC: dc})
}

// Cut cuts the link between two datacenters, in both directions.
func Cut(ctx context.Context, b Breaker, from, to topology.DatacenterID) error {
	return b.Apply(ctx, wan.Cut{From: from, To: to})
}
