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
//
// The tags of this type and of its parts are the format of the file, for reading and for writing: shape.go says what they mean.
type Topology struct {
	// Version is the version of the format: CurrentVersion.
	Version     int          `file:"version,required" want:"the number 1"`
	Datacenters []Datacenter `file:"datacenters,required,lines" want:"a mapping of datacenters"`
	Links       []Link       `file:"links,lines" want:"links"`
	Shards      []Shard      `file:"shards,required,lines" want:"a mapping of shards"`
	Zones       []Zone       `file:"zones,lines" want:"a mapping of zones"`
	Namespaces  []Namespace  `file:"namespaces,lines" want:"a mapping of namespaces"`
	// Survive is the declared survival goal; SurviveUnstated means that none was declared and none is checked.
	Survive Survival `file:"survive"`
	// Router is nil when the file has no router section.
	Router *Router `file:"router,lines"`
}

// CurrentVersion is the only version of geoshard.yaml so far.
const CurrentVersion = 1

// A Datacenter is a place where members and clients run.
type Datacenter struct {
	ID   DatacenterID `file:",key"`
	Name string       `file:"name" want:"a name"`
	// At is nil when the file gives no position.
	At *Coordinates `file:"at"`
	// Countries are ISO 3166-1 alpha-2 codes whose users this datacenter serves first.
	Countries []string `file:"countries" want:"country codes" item:"a country code such as GB"`
	// Endpoint is the base URL of the datacenter's gateway; empty when there is none.
	Endpoint string `file:"endpoint" want:"a URL such as http://127.0.0.1:8081"`
	// Role is RoleActive where the file states none.
	Role Role `file:"role"`
	// Drained means that the shards at home here that are in no zone are to be empty.
	Drained bool `file:"drained"`
}

// Coordinates are degrees: latitude north, longitude east.
type Coordinates struct{ Lat, Long float64 }

// A Link is the network path between two datacenters, the same in both directions.
type Link struct {
	Between [2]DatacenterID `file:"between,required"`
	// RTT is the round-trip time; half of it is spent in each direction.
	RTT time.Duration `file:"rtt,required"`
	// Jitter is the largest random deviation of the one-way delay, up and down; 0 means none.
	Jitter time.Duration `file:"jitter"`
	// Bandwidth is in bytes per second for each direction; 0 means unlimited.
	Bandwidth ByteRate `file:"bandwidth"`
}

// A Shard is a replica set that owns a part of every sharded namespace.
type Shard struct {
	ID      ShardID  `file:",key"`
	Members []Member `file:"members,required" want:"members"`
}

// A Member is one mongod of a shard. Every member votes.
type Member struct {
	DC DatacenterID `file:"dc,required" want:"a datacenter"`
	// Priority is the replica-set priority, 0 to 1000; members with 0 never become primary. Where the file states none it is 1.
	// A member in a datacenter with RoleVoter is an arbiter: it votes, holds no data and has priority 0.
	Priority float64 `file:"priority,natural" want:"a priority from 0 to 1000" hint:"0 to 1000; 0 never becomes primary"`
}

// A Zone is a set of shards that hold the ranges assigned to it.
type Zone struct {
	ID     ZoneID    `file:",key"`
	Shards []ShardID `file:"shards,required" want:"shards" item:"a shard"`
	// AllowedDatacenters are the only datacenters whose members may physically hold the zone's documents;
	// empty means all.
	AllowedDatacenters []DatacenterID `file:"allowedDatacenters" want:"datacenters" item:"a datacenter"`
}
