package topology

import (
	"fmt"
	"slices"
	"strings"

	"github.com/geoshard/geoshard/internal/enum"
)

// A voter is a member of a replica set as survival sees it.
type voter struct {
	name      string
	dc        DatacenterID
	data      bool // holds data: no arbiter
	electable bool // may become primary
}

// A replicaSet is a shard's or the config servers'.
type replicaSet struct {
	path, name, remedy string
	voters             []voter
}

// survival checks the declared goal against every replica set and every loss that the goal names.
func (c *checker) survival() {
	if c.Survive == SurviveUnstated || !c.sound("survive") {
		return
	}
	if enum.Name(survivalNames, c.Survive) == "unknown" {
		c.errorf("survive", "", "survival goal %d is not known", c.Survive)
		return
	}
	for _, set := range append(c.shardSets(), c.configSet()) {
		c.survives(set)
	}
}

// survives reports, for each way of failing, which losses lead to it.
func (c *checker) survives(set replicaSet) {
	var reasons []string
	losses := map[string][]string{}
	lost := map[string]bool{}
	for _, v := range set.voters {
		what, gone := v.name, func(other voter) bool { return other.name == v.name }
		if c.Survive == SurviveDatacenter {
			what, gone = string(v.dc), func(other voter) bool { return other.dc == v.dc }
		}
		if lost[what] {
			continue
		}
		lost[what] = true
		reason := set.without(gone)
		if reason == "" {
			continue
		}
		if losses[reason] == nil {
			reasons = append(reasons, reason)
		}
		losses[reason] = append(losses[reason], what)
	}
	for _, reason := range reasons {
		c.errorf(set.path, set.remedy, "%s would not survive the loss of a %s: without %s, %s",
			set.name, c.Survive, strings.Join(losses[reason], " or "), reason)
	}
}

// without says what the set can no longer do once some voters are gone, or "" when it goes on as before.
//
// A primary needs the votes of a majority of all voters, and a member that may become primary. A write with w: "majority" is
// acknowledged by min(majority of the voters, voters with data) members, so arbiters count for the first and not for the second.
func (s replicaSet) without(gone func(voter) bool) string {
	left := slices.DeleteFunc(slices.Clone(s.voters), gone)
	data, dataLeft := count(s.voters, voter.holdsData), count(left, voter.holdsData)
	majority := len(s.voters)/2 + 1
	writeMajority := min(majority, data)
	switch {
	case len(left) < majority:
		return fmt.Sprintf("no primary can be elected: %d of %d votes are left and %d are needed", len(left), len(s.voters), majority)
	case !slices.ContainsFunc(left, func(v voter) bool { return v.electable }):
		return "no member is left that may become primary"
	case dataLeft < writeMajority:
		return fmt.Sprintf("a primary is elected, but writes with w: majority wait: %d of %d members with data are left and %d are needed", dataLeft, data, writeMajority)
	default:
		return ""
	}
}

func (v voter) holdsData() bool { return v.data }

func count(voters []voter, is func(voter) bool) int {
	n := 0
	for _, v := range voters {
		if is(v) {
			n++
		}
	}
	return n
}

func (c *checker) shardSets() []replicaSet {
	sets := make([]replicaSet, len(c.Shards))
	for i, shard := range c.Shards {
		set := replicaSet{path: "shards" + step(string(shard.ID)) + ".members", name: "shard " + string(shard.ID)}
		set.remedy = "add a member with data in another datacenter"
		if c.Survive == SurviveNode {
			set.remedy = "add a member with data"
		}
		for j, m := range shard.Members {
			data := !c.Arbiter(m)
			set.voters = append(set.voters, voter{name: shard.MemberName(j), dc: m.DC, data: data, electable: data && m.Priority > 0})
		}
		sets[i] = set
	}
	return sets
}

// configSet has one member with data in each datacenter, a voter datacenter included: config servers cannot be arbiters. There it
// never becomes primary.
func (c *checker) configSet() replicaSet {
	set := replicaSet{path: "survive", name: "the config servers (one in each datacenter)", remedy: "add a datacenter; role: voter is enough"}
	for _, dc := range c.Datacenters {
		set.voters = append(set.voters, voter{name: "config/" + string(dc.ID), dc: dc.ID, data: true, electable: dc.Role != RoleVoter})
	}
	return set
}
