package consistency

import (
	"cmp"
	"slices"
	"time"

	"github.com/geoshard/geoshard/topology"
)

// A Risk is what settings have to bear without a false election, one that begins though the primary
// lives.
type Risk struct {
	// Stall is a silence that is no failure: a machine that is paused, a route that changes.
	Stall time.Duration
	// Chance is how likely such a silence may begin an election.
	Chance float64
}

// DefaultRisk is a silence of a second that begins an election once in a hundred times.
var DefaultRisk = Risk{Stall: time.Second, Chance: 0.01}

// FalseElection is the chance that a member stands for election though the primary lives, when
// nothing of it arrives for the time of a stall that begins at any moment. In a set without writes
// a member hears of its primary every half election timeout (calculateAwaitDataTimeout in
// oplog_fetcher.cpp) and with every heartbeat; the stall adds to that pause.
func FalseElection(settings Elections, rtt, stall time.Duration) float64 {
	s := settings.withDefaults()
	pause := float64(min(s.Timeout/2, s.Heartbeat+rtt))
	left, window := float64(s.Timeout-stall), s.Spread*float64(s.Timeout)
	// Two uniform moments: how much of the pause is over, and where in its window the member
	// stands.
	area := func(x float64) float64 { return max(x, 0) * max(x, 0) / 2 }
	return (area(pause-left) - area(-left) - area(pause-left-window) + area(-left-window)) / (pause * window)
}

// Advice is how the longest outages of a shard become shortest.
type Advice struct {
	Shard topology.ShardID
	// Now and Then are the longest of the failures' 99th percentiles for writes with w: 1; 0 =
	// nobody is elected.
	Now, Then time.Duration
	// Members are the shard's, with the priorities that are best; those whose priority is another
	// now are Changed.
	Members []topology.Member
	Changed []int
	// Settings are the best ones for these.
	Settings Elections
	// Risk is the chance of a false election with them, of the member for which it is largest.
	Risk float64
}

// spreads are the offset limits that are tried, MongoDB's first.
var spreads = []float64{0.15, 0.3, 0.6, 1}

const (
	// adviceDraws are fewer, for many settings are tried.
	adviceDraws = 400
	// worthIt is what a change has to save at least: less is chance.
	worthIt = 0.9
	// leastTimeout and stepTimeout are the election timeouts that are tried.
	leastTimeout, stepTimeout, mostTimeout = time.Second, 100 * time.Millisecond, 30 * time.Second
)

// Advise finds the priorities, and then the settings, that make the longest outages of a shard
// shortest, among those that bear the risk. Priorities come first because they cost nothing: of
// every majority one member may become primary in the end, and who stands beyond these only splits
// votes.
func Advise(world *topology.Topology, shard topology.Shard, now Elections, risk Risk, seed uint64) Advice {
	now = now.withDefaults()
	best := Advice{Shard: shard.ID, Members: shard.Members, Settings: now, Now: tail(world, shard, now, seed)}
	least := best.Now
	better := func(members []topology.Member, settings Elections) {
		got := tail(world, topology.Shard{ID: shard.ID, Members: members}, settings, seed)
		if got > 0 && (least == 0 || float64(got) < worthIt*float64(least)) {
			least, best.Members, best.Settings = got, members, settings
		}
	}
	quick := bearing(world, shard, now.Spread, now.CatchUp, risk)
	if tail(world, shard, quick, seed) > 0 {
		best.Settings, least = quick, tail(world, shard, quick, seed)
	}
	for _, members := range electorates(world, shard) {
		better(members, best.Settings)
	}
	for _, spread := range spreads {
		if candidates(world, topology.Shard{Members: best.Members}) <= 2 {
			break // nobody to keep apart from
		}
		better(best.Members, bearing(world, shard, spread, now.CatchUp, risk))
	}
	best.Then, best.Risk = least, riskOf(world, shard, best.Settings, risk.Stall)
	for i, m := range best.Members {
		if m.Priority != shard.Members[i].Priority {
			best.Changed = append(best.Changed, i)
		}
	}
	return best
}

// tail is the longest of the failures' 99th percentiles; 0 when nobody is elected after the
// primary's death. A failure that no priorities and settings help is left out.
func tail(world *topology.Topology, shard topology.Shard, settings Elections, seed uint64) (longest time.Duration) {
	for _, f := range Failures {
		o := outageOf(world, shard, f, settings, seed, adviceDraws)
		switch {
		case o.Fast != nil:
			longest = max(longest, o.Fast.At(0.99))
		case f == PrimaryKilled:
			return 0
		}
	}
	return longest
}

// bearing are the quickest settings that bear the risk: the shortest election timeout, and
// heartbeats of a quarter of it, so that several are heard within one.
func bearing(
	world *topology.Topology, shard topology.Shard, spread float64, catchUp time.Duration, risk Risk,
) Elections {
	s := Elections{Timeout: leastTimeout, Spread: spread, CatchUp: catchUp}
	for ; s.Timeout < mostTimeout; s.Timeout += stepTimeout {
		s.Heartbeat = HeartbeatFor(s.Timeout)
		if riskOf(world, shard, s, risk.Stall) <= risk.Chance {
			break
		}
	}
	return s
}

// riskOf is the chance of a false election for the member that is farthest from the primary.
func riskOf(world *topology.Topology, shard topology.Shard, s Elections, stall time.Duration) (most float64) {
	primary := primaryOf(world, shard)
	for i, m := range shard.Members {
		if i != primary && primary >= 0 && !world.Arbiter(m) {
			most = max(most, FalseElection(s, world.RTT(shard.Members[primary].DC, m.DC), stall))
		}
	}
	return most
}

// electorates are the ways to leave as few candidates as needed, the nearest to the primary first.
// The primary stays what it is, arbiters too, and so do candidates in its own datacenter: who loses
// one process alone does not want the primary abroad.
func electorates(world *topology.Topology, shard topology.Shard) (all [][]topology.Member) {
	primary := primaryOf(world, shard)
	if primary < 0 {
		return nil
	}
	home := shard.Members[primary].DC
	var stay, others []int
	var priorities []float64 // those that successors have now, the highest first
	for i, m := range shard.Members {
		switch {
		case i == primary || world.Arbiter(m):
			continue
		case m.DC == home && m.Priority > 0:
			stay = append(stay, i)
		default:
			others = append(others, i)
		}
		priorities = append(priorities, max(m.Priority, 1))
	}
	slices.SortFunc(priorities, func(a, b float64) int { return cmp.Compare(b, a) })
	slices.SortStableFunc(others, func(a, b int) int {
		return cmp.Compare(world.RTT(home, shard.Members[a].DC), world.RTT(home, shard.Members[b].DC))
	})
	more := topology.NeededCandidates(len(shard.Members)) - 1 - len(stay)
	for _, chosen := range choose(others, min(max(more, 0), len(others))) {
		members := slices.Clone(shard.Members)
		for _, i := range others {
			members[i].Priority = 0
		}
		for n, i := range slices.Concat(stay, chosen) {
			members[i].Priority = priorities[n]
		}
		all = append(all, members)
	}
	return all
}

// choose are the ways to choose n of all, in their order.
func choose(all []int, n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var ways [][]int
	for i := 0; i+n <= len(all); i++ {
		for _, rest := range choose(all[i+1:], n-1) {
			ways = append(ways, append([]int{all[i]}, rest...))
		}
	}
	return ways
}
