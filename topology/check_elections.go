package topology

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// When a primary dies, each other member that may become primary stands for election after the election timeout and a random part of the offset window. In a set of
// three these are two members, and each is the only voter that the other can win: one that stands while the other's request is on its way votes for itself, nobody is elected,
// and both wait for another timeout. In larger sets the other voters may part between the candidates. Measured: docs/results/failover.md.
const (
	// electionTimeout is MongoDB's default of settings.electionTimeoutMillis; quickElectionTimeout is an example of a short one.
	electionTimeout, quickElectionTimeout = 10 * time.Second, 2 * time.Second
	// offsetWindow is the part of it over which candidacies are spread: MongoDB's default of replElectionTimeoutOffsetLimitFraction.
	offsetWindow = 0.15
	// splitWorthATalk is the chance of a split vote, with MongoDB's defaults, from which on it is worth a warning.
	splitWorthATalk = 0.01
)

// elections warns of sets in which more members may become primary than are needed, and whose survivors often split the vote.
func (c *checker) elections() {
	for _, shard := range c.Shards {
		standing, needed := c.candidates(shard), NeededCandidates(len(shard.Members))
		if len(standing) <= needed {
			continue
		}
		rivals := standing[1:] // the first is the primary that is lost
		rtt := c.farthest(shard, rivals)
		chance := splitVote(len(rivals), rtt, electionTimeout)
		if chance < splitWorthATalk {
			continue
		}
		names := each(standing, shard.MemberName)
		c.warnf(at("shards"+step(shard.ID)+".members", standing[len(standing)-1])+".priority",
			fewerCandidates(len(shard.Members), names, needed),
			"when the primary is lost, %s stand for election, %s apart: up to %.0f of 100 votes are split with an election timeout of %s, %.0f with %s, and each split costs that time once more",
			together(names[1:]), rtt, 100*chance, electionTimeout, 100*splitVote(len(rivals), rtt, quickElectionTimeout), quickElectionTimeout)
	}
}

// NeededCandidates is how many voters of a set have to be able to become primary, so that one of them is in every majority. Who stands beyond these only splits votes with the
// others: members that stand within half a round trip elect nobody, and all wait for another election timeout (docs/results/failover.md).
func NeededCandidates(voters int) int { return voters - voters/2 }

// candidates are the members of a set that may become primary, the likeliest first. Of equal priorities the one that is farther from home comes last.
func (c *checker) candidates(shard Shard) (standing []int) {
	for i, m := range shard.Members {
		if m.Priority > 0 {
			standing = append(standing, i)
		}
	}
	home := shard.home()
	slices.SortStableFunc(standing, func(a, b int) int {
		one, other := shard.Members[a], shard.Members[b]
		return cmp.Or(cmp.Compare(other.Priority, one.Priority), cmp.Compare(c.RTT(home, one.DC), c.RTT(home, other.DC)))
	})
	return standing
}

// farthest is the longest round trip between two of some members.
func (c *checker) farthest(shard Shard, members []int) (rtt time.Duration) {
	for i, a := range members {
		for _, b := range members[i+1:] {
			rtt = max(rtt, c.RTT(shard.Members[a].DC, shard.Members[b].DC))
		}
	}
	return rtt
}

// fewerCandidates is the hint: who of those that may become primary need not, and what that costs.
func fewerCandidates(members int, names []string, needed int) string {
	if members == 3 {
		return "priority: 0 keeps its vote and its copy; it costs planned moves to it, and where " + names[1] + " is behind it a failover waits until that one has caught up"
	}
	return fmt.Sprintf("priority: 0 for %s keeps votes and copies; of any majority of the %d one is left that may become primary, and only planned moves to those with 0 are lost",
		strings.Join(names[needed:], " and "), members)
}

// together names two or more members, as the subject of a sentence.
func together(names []string) string {
	last := len(names) - 1
	if last == 1 {
		return "both " + names[0] + " and " + names[1]
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// splitVote is the chance that the first two of some candidates stand so shortly one after the other that none is elected: the second one asks whether it would win (MongoDB's
// dry run) before it hears that the first one has begun a term, which it does half a round trip after the first has stood. With more than two candidates it is an upper
// bound: the other voters may still agree on one of them.
func splitVote(candidates int, rtt, timeout time.Duration) float64 {
	window := offsetWindow * float64(timeout)
	apart := max(0, 1-float64(rtt)/2/window)
	return 1 - math.Pow(apart, float64(candidates))
}
