package topology

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// When a primary dies, each other member that may become primary stands for election after the election timeout and a random part of the offset window. In a set of
// three these are two members, and each is the only voter that the other can win: one that stands while the other's request is on its way votes for itself, nobody is elected,
// and both wait for another timeout. Measured: docs/results/failover.md.
const (
	// electionTimeout is MongoDB's default of settings.electionTimeoutMillis; quickElectionTimeout is an example of a short one.
	electionTimeout, quickElectionTimeout = 10 * time.Second, 2 * time.Second
	// offsetWindow is the part of it over which candidacies are spread: MongoDB's default of replElectionTimeoutOffsetLimitFraction.
	offsetWindow = 0.15
	// splitWorthATalk is the chance of a split vote, with MongoDB's defaults, from which on it is worth a warning.
	splitWorthATalk = 0.01
)

// elections warns of sets of three whose survivors often split the vote.
func (c *checker) elections() {
	for _, shard := range c.Shards {
		second, third, ok := c.rivals(shard)
		if !ok {
			continue
		}
		rtt := c.RTT(shard.Members[second].DC, shard.Members[third].DC)
		chance := splitVote(rtt, electionTimeout)
		if chance < splitWorthATalk {
			continue
		}
		c.warnf(fmt.Sprintf("shards%s.members[%d].priority", step(string(shard.ID)), third),
			"priority: 0 keeps its vote and its copy; it costs planned moves to it, and where "+shard.MemberName(second)+" is behind it a failover waits until that one has caught up",
			"when the primary is lost, both %s and %s stand for election, %s apart: up to %.0f of 100 votes are split with an election timeout of %s, %.0f with %s, and each split costs that time once more",
			shard.MemberName(second), shard.MemberName(third), rtt, 100*chance, electionTimeout, 100*splitVote(rtt, quickElectionTimeout), quickElectionTimeout)
	}
}

// rivals are those two of a set of three that are not its home, the likelier primary first, if all three may become primary. Of equal priorities the one that is farther
// from home comes last.
func (c *checker) rivals(shard Shard) (second, third int, ok bool) {
	if len(shard.Members) != 3 || slices.ContainsFunc(shard.Members, func(m Member) bool { return m.Priority == 0 }) {
		return 0, 0, false
	}
	home := shard.home()
	order := []int{0, 1, 2}
	slices.SortStableFunc(order, func(a, b int) int {
		one, other := shard.Members[a], shard.Members[b]
		return cmp.Or(cmp.Compare(other.Priority, one.Priority), cmp.Compare(c.RTT(home, one.DC), c.RTT(home, other.DC)))
	})
	return order[1], order[2], true
}

// splitVote is the chance that two members stand so shortly one after the other that neither is elected: the second one asks whether it would win (MongoDB's dry run)
// before it hears that the first one has begun a term, which it does half a round trip after the first has stood.
func splitVote(rtt, timeout time.Duration) float64 {
	window := offsetWindow * float64(timeout)
	apart := max(0, 1-float64(rtt)/2/window)
	return 1 - apart*apart
}
