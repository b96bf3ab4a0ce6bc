package zones

import (
	"time"

	"github.com/geoshard/geoshard/topology"
)

// A Cause says why a step is needed.
type Cause int

// The causes.
const (
	CauseUnknown Cause = iota
	// CauseIntent: the topology wants something that was not applied yet.
	CauseIntent
	// CauseDrift: it was applied, and somebody else changed it since.
	CauseDrift
	// CauseTighten: the same documents, with bounds that let a query for one value ask one shard.
	CauseTighten
)

// A Step is one change of a plan.
type Step struct {
	Change Change
	Cause  Cause
	// Reason is one sentence for the user.
	Reason string
}

// A Plan is what has to be done to give a cluster the layout that a topology declares.
//
// Steps alone drive an apply; everything else is for people.
type Plan struct {
	// Made is when the plan was made.
	Made time.Time `json:"made"`
	// ClusterID and StateHash bind the plan to the state that it was made from: apply refuses another.
	ClusterID string `json:"clusterId"`
	StateHash string `json:"stateHash"`
	// Namespaces are what was read of the cluster, as names and patterns: apply reads the same again. Empty means all that is sharded.
	Namespaces []string `json:"namespaces"`
	Steps      []Step   `json:"steps"`
	// Manual is what geoshard does not do by itself, with the commands to do it.
	Manual   []Manual  `json:"manual"`
	Findings []Finding `json:"findings"`
	Forecast Forecast  `json:"forecast"`
	// Applying is how long applying the steps will take about; 0 = it is not known. What the forecast moves, moves afterwards.
	Applying time.Duration `json:"applying,omitempty"`
	// Layout is what the cluster will have when the plan is applied; it goes into the journal.
	Layout Layout `json:"layout"`
}

// Empty reports whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.Steps) == 0 }

// A Manual is work that an operator has to do by hand, before the plan can cover a collection.
type Manual struct {
	Collection string `json:"collection"`
	// Why says what keeps geoshard from it.
	Why string `json:"why"`
	// Commands are for mongosh, in their order.
	Commands []string `json:"commands"`
	// Needs says what it will take: free space, and time at the rate of the forecast.
	Needs string `json:"needs,omitempty"`
}

// A Severity ranks findings.
type Severity = topology.Severity

// The severities of findings.
const (
	SeverityNote    = topology.SeverityNote
	SeverityWarning = topology.SeverityWarning
	SeverityError   = topology.SeverityError
)

// A Finding is something that the plan's reader should know about the cluster.
type Finding struct {
	Severity Severity `json:"severity"`
	// Rule names the check, for example "unique-index-per-shard".
	Rule string `json:"rule"`
	// Subject is a namespace, a shard, a zone or a member.
	Subject string `json:"subject"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// A Forecast is what a plan will move.
type Forecast struct {
	Moves []Move `json:"moves"`
	// Migrations is the number of chunk migrations that each shard takes part in.
	Migrations map[topology.ShardID]int `json:"migrations"`
	// Documents, Bytes and Chunks are the sums over the moves.
	Documents int64 `json:"documents"`
	Bytes     int64 `json:"bytes"`
	Chunks    int   `json:"chunks"`
	// Rate is the assumed rate in bytes per second for each migration, Duration the time at that rate, with one migration per shard at a time.
	Rate     topology.ByteRate `json:"rate"`
	Duration time.Duration     `json:"duration"`
	// ChunkSize is the most that one migration moves, in bytes; 0 means that it is not known.
	ChunkSize int64 `json:"chunkSize,omitempty"`
	// Measured is true when documents and bytes were counted by the servers for the very ranges that move; else they are shares of the shards' sizes.
	Measured bool `json:"measured"`
	// Targeting says, for each declared collection, how a query for one value of the zone field is answered before and after.
	Targeting []Targeting `json:"targeting,omitempty"`
}

// A Move is data that goes from one shard to another.
type Move struct {
	Collection string                `json:"collection"`
	Zone       topology.ZoneID       `json:"zone"`
	From       topology.ShardID      `json:"from"`
	To         topology.ShardID      `json:"to"`
	FromDC     topology.DatacenterID `json:"fromDatacenter,omitempty"`
	ToDC       topology.DatacenterID `json:"toDatacenter,omitempty"`
	Chunks     int                   `json:"chunks"`
	Documents  int64                 `json:"documents"`
	Bytes      int64                 `json:"bytes"`
	// Spans are the runs of shard keys that move, for the adapter to count; they are not printed.
	Spans []Span `json:"-"`
}

// A Span is a run of shard keys, Min inclusive, Max exclusive, of chunks that lie on one shard.
type Span struct{ Min, Max []byte }

// A Targeting is how many shards a query for one value of the zone field asks, and in which datacenters, before and after a plan.
type Targeting struct {
	Collection string                  `json:"collection"`
	Value      string                  `json:"value"`
	Zone       topology.ZoneID         `json:"zone"`
	Before     []topology.DatacenterID `json:"before"`
	After      []topology.DatacenterID `json:"after"`
}
