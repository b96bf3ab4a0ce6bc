package consistency

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/geoshard/geoshard/internal/enum"
	"github.com/geoshard/geoshard/topology"
)

// Elections are the settings of a replica set that decide how long an election takes.
type Elections struct {
	// Timeout is settings.electionTimeoutMillis. 0 = MongoDB's 10 s.
	Timeout time.Duration
	// Heartbeat is settings.heartbeatIntervalMillis. 0 = MongoDB's 2 s.
	Heartbeat time.Duration
	// Spread is mongod's parameter replElectionTimeoutOffsetLimitFraction: the part of the election
	// timeout over which candidacies are spread at random. 0 = MongoDB's 0.15.
	Spread float64
	// CatchUp is settings.catchUpTimeoutMillis: how long a new primary waits at most until it has
	// what the others have. 0 = MongoDB's: as long as it takes.
	CatchUp time.Duration
}

// MongoDBElections are the settings that a set has where nobody has changed them.
var MongoDBElections = Elections{Timeout: 10 * time.Second, Heartbeat: 2 * time.Second, Spread: 0.15, CatchUp: -1}

func (e Elections) withDefaults() Elections {
	e.Timeout = cmp.Or(e.Timeout, MongoDBElections.Timeout)
	e.Heartbeat = cmp.Or(e.Heartbeat, MongoDBElections.Heartbeat)
	e.Spread = cmp.Or(e.Spread, MongoDBElections.Spread)
	e.CatchUp = cmp.Or(e.CatchUp, MongoDBElections.CatchUp)
	return e
}

// wideSpread is the part of the election timeout over which candidates spread where several are
// left when the primary dies. With MongoDB's 0.15 they have 0.3 s of a timeout of 2 s, too little
// for round trips of up to 200 ms: they split the vote again and again (docs/results/failover.md
// has both). It costs about half a second, so sets with one candidate keep MongoDB's.
const wideSpread = 0.6

// HeartbeatFor is a heartbeat interval that an election timeout has room for: with MongoDB's 2 s
// and a timeout of 2 s a primary that only heartbeats reach, as the one elected after a datacenter
// was cut off, holds the others for dead and steps down again.
func HeartbeatFor(timeout time.Duration) time.Duration {
	return min(timeout/4, MongoDBElections.Heartbeat)
}

// SpreadFor is the spread of candidacies in a set of which so many members may become primary; 0 =
// MongoDB's.
func SpreadFor(candidates int) float64 {
	if candidates > 2 { // the primary, and several that may succeed it
		return wideSpread
	}
	return 0
}

// ClusterElections are the settings of a shard in the clusters that geoshard starts.
func ClusterElections(world *topology.Topology, shard topology.Shard, timeout time.Duration) Elections {
	return Elections{Timeout: timeout, Heartbeat: HeartbeatFor(timeout), Spread: SpreadFor(candidates(world, shard))}
}

// candidates is how many members of a shard may become primary.
func candidates(world *topology.Topology, shard topology.Shard) (n int) {
	for _, m := range shard.Members {
		if m.Priority > 0 && !world.Arbiter(m) {
			n++
		}
	}
	return n
}

// A Failure is what takes a shard's primary away.
type Failure int

// The failures.
const (
	FailureUnknown Failure = iota
	// PrimaryKilled: the primary's process ends, and its machine refuses connections at once.
	PrimaryKilled
	// DatacenterLost: all processes of the home datacenter end, and their machines refuse
	// connections. Where the machines lose power as well, it is as after DatacenterCut.
	DatacenterLost
	// DatacenterCut: nothing from the home datacenter arrives any more, and nothing is refused.
	DatacenterCut
)

// Failures are all of them.
var Failures = []Failure{PrimaryKilled, DatacenterLost, DatacenterCut}

var failureNames = []string{
	PrimaryKilled: "primary killed", DatacenterLost: "datacenter lost", DatacenterCut: "datacenter cut off",
}

// String is "primary killed", "datacenter lost" or "datacenter cut off".
func (f Failure) String() string { return enum.Name(failureNames, f) }

// MarshalText writes the name of a known failure.
func (f Failure) MarshalText() ([]byte, error) { return enum.Marshal("failure", failureNames, f) }

// UnmarshalText reads a name that String wrote.
func (f *Failure) UnmarshalText(text []byte) error {
	return enum.Unmarshal("failure", failureNames, text, f)
}

// A Distribution is how long something takes, drawn many times. nil = it never comes to an end.
type Distribution []time.Duration // in ascending order

// At is the time within which that part of all draws is over: At(0.5) is the median.
func (d Distribution) At(part float64) time.Duration { return d[int(part*float64(len(d)-1))] }

// Above is the part of all draws that take longer.
func (d Distribution) Above(limit time.Duration) float64 {
	i, _ := slices.BinarySearch(d, limit+1)
	return float64(len(d)-i) / float64(len(d))
}

// An Outage is how long nobody can write to a shard after a failure: from the failure until the
// first write of one is acknowledged who tries again and again, beside the new primary. From
// elsewhere the round trip to there comes on top, and what the driver takes to find the new
// primary.
type Outage struct {
	Shard   topology.ShardID
	Home    topology.DatacenterID
	Failure Failure
	// Fast is for writes with w: 1, Lasting for those that a second datacenter has to acknowledge.
	Fast, Lasting Distribution
	// Split is the part of all draws in which the first vote elects nobody.
	Split float64
}

// draws are enough for the 99th percentile to be repeated within a few percent, and few enough for
// geoshard validate.
const draws = 1000

// Outages forecasts how long nobody can write to each shard after each failure, under a steady load
// of writes. Equal arguments give equal results.
func Outages(world *topology.Topology, settings Elections, seed uint64) []Outage {
	var all []Outage
	for _, shard := range world.Shards {
		for _, f := range Failures {
			all = append(all, OutageOf(world, shard, f, settings, seed))
		}
	}
	return all
}

// OutageOf is the forecast for one shard and one failure. The shard need not be of the world: what
// other priorities would make of it is asked this way.
func OutageOf(world *topology.Topology, shard topology.Shard, f Failure, settings Elections, seed uint64) Outage {
	return outageOf(world, shard, f, settings, seed, draws)
}

func outageOf(
	world *topology.Topology, shard topology.Shard, f Failure, settings Elections, seed uint64, n int,
) Outage {
	set, random := setOf(world, shard), rand.New(rand.NewPCG(seed, 0))
	primary := primaryOf(world, shard)
	if primary >= 0 {
		set.home = shard.Members[primary].DC
	}
	o := Outage{Shard: shard.ID, Home: set.home, Failure: f}
	split := 0
	for range n {
		e := election{replicaSet: set, Elections: settings.withDefaults(), failure: f, random: random}
		for i, m := range shard.Members {
			if i != primary && (f == PrimaryKilled || m.DC != set.home) {
				e.left = append(e.left, &voter{Member: m, stands: m.Priority > 0 && !world.Arbiter(m)})
			}
		}
		if len(e.left) < e.majority() || !slices.ContainsFunc(e.left, func(v *voter) bool { return v.stands }) {
			return o
		}
		if !e.run() {
			return o // in this draw, and so it is no promise
		}
		if e.terms > 1 {
			split++
		}
		o.Fast = append(o.Fast, e.writable)
		if e.lasting > 0 {
			o.Lasting = append(o.Lasting, e.lasting)
		}
	}
	slices.Sort(o.Fast)
	slices.Sort(o.Lasting)
	o.Split = float64(split) / float64(n)
	return o
}

// Budget is how long a request has to be held at most while a shard elects a primary: after any of
// the failures 99 of 100 writes are acknowledged in that time, by a second datacenter where there
// is one that can. It is a number of whole seconds, for clusters with that election timeout; 0 =
// MongoDB's. Where nobody would be elected it is twice that timeout.
func Budget(world *topology.Topology, timeout time.Duration) time.Duration {
	timeout = cmp.Or(timeout, MongoDBElections.Timeout)
	var longest time.Duration
	for _, shard := range world.Shards {
		for _, f := range Failures {
			o := outageOf(world, shard, f, ClusterElections(world, shard, timeout), 1, adviceDraws)
			for _, d := range []Distribution{o.Fast, o.Lasting} {
				if d != nil {
					longest = max(longest, d.At(0.99))
				}
			}
		}
	}
	if longest == 0 {
		return 2 * timeout
	}
	return (longest + time.Second - 1).Truncate(time.Second)
}

// primaryOf is the member with the highest priority, the first of several; -1 when nobody may
// become primary.
func primaryOf(world *topology.Topology, shard topology.Shard) int {
	primary := -1
	for i, m := range shard.Members {
		if m.Priority > 0 && !world.Arbiter(m) && (primary < 0 || m.Priority > shard.Members[primary].Priority) {
			primary = i
		}
	}
	return primary
}
