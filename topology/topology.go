package topology

import "time"

// DatacenterID names a datacenter, for example "NYC". It is also the value of the member tag `dc` and, by
// default, of the zone key in documents, so it is case-sensitive.
type DatacenterID string

// ShardID names a shard, for example "nyc". It is also the name of the shard's replica set.
type ShardID string

// ZoneID names a zone of MongoDB's zone sharding, for example "NYC".
type ZoneID string

// A Topology is one declared world, as geoshard.yaml states it. Slices keep the order of the file; empty ones are nil.
// Values that Parse returned are valid; the zero value is not.
type Topology struct {
	// Version is the version of the format: CurrentVersion.
	Version     int
	Datacenters []Datacenter
	Links       []Link
	Shards      []Shard
	Zones       []Zone
	Namespaces  []Namespace
	// Survive is the declared survival goal; SurviveUnstated means that none was declared and none is checked.
	Survive Survival
	// Router is nil when the file has no router section.
	Router *Router
}

// CurrentVersion is the only version of geoshard.yaml so far.
const CurrentVersion = 1

// A Datacenter is a place where members and clients run.
type Datacenter struct {
	ID   DatacenterID
	Name string
	// At is nil when the file gives no position.
	At *Coordinates
	// Countries are ISO 3166-1 alpha-2 codes whose users this datacenter serves first.
	Countries []string
	// Endpoint is the base URL of the datacenter's gateway; empty when there is none.
	Endpoint string
	// Role is RoleActive where the file states none.
	Role Role
}

// Coordinates are degrees: latitude north, longitude east.
type Coordinates struct{ Lat, Long float64 }

// A Link is the network path between two datacenters, the same in both directions.
type Link struct {
	Between [2]DatacenterID
	// RTT is the round-trip time; half of it is spent in each direction.
	RTT time.Duration
	// Jitter is the largest random deviation of the one-way delay, up and down; 0 means none.
	Jitter time.Duration
	// Bandwidth is in bytes per second for each direction; 0 means unlimited.
	Bandwidth ByteRate
}

// A Shard is a replica set that owns a part of every sharded namespace.
type Shard struct {
	ID      ShardID
	Members []Member
}

// A Member is one mongod of a shard. Every member votes.
type Member struct {
	DC DatacenterID
	// Priority is the replica-set priority, 0 to 1000; members with 0 never become primary. Where the file states none it is 1.
	// A member in a datacenter with RoleVoter is an arbiter: it votes, holds no data and has priority 0.
	Priority float64
}

// A Zone is a set of shards that hold the ranges assigned to it.
type Zone struct {
	ID     ZoneID
	Shards []ShardID
	// AllowedDatacenters are the only datacenters whose members may physically hold the zone's documents;
	// empty means all.
	AllowedDatacenters []DatacenterID
}
