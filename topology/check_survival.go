package topology

import (
	"fmt"
	"slices"
	"strings"
)

// A voter is a member of a replica set as survival sees it.
type voter struct {
	unit      string // what is lost together with it: itself or its datacenter, by the goal
	data      bool   // holds data: no arbiter
	electable bool   // may become primary
}

// A replicaSet is a shard's or the config servers'.
type replicaSet struct {
	path, name, remedy string
	voters             []voter
}

// survival checks the declared goal against every replica set and every loss that the goal names.
func (c *checker) survival() {
	if c.Survive == SurviveUnstated || !c.sound("survive") || !c.named("survive", "survival goal", c.Survive) {
		return
	}
	for _, shard := range c.Shards {
		c.survives(c.shardSet(shard))
	}
	c.survives(c.configSet())
}

// survives reports, for each way of failing, which losses lead to it.
func (c *checker) survives(set replicaSet) {
	var reasons []string
	losses := map[string][]string{}
	lost := map[string]bool{}
	for _, v := range set.voters {
		if lost[v.unit] {
			continue
		}
		lost[v.unit] = true
		reason := set.without(v.unit)
		if reason == "" {
			continue
		}
		if losses[reason] == nil {
			reasons = append(reasons, reason)
		}
		losses[reason] = append(losses[reason], v.unit)
	}
	for _, reason := range reasons {
		c.errorf(set.path, set.remedy, "%s would not survive the loss of a %s: without %s, %s",
			set.name, c.Survive, strings.Join(losses[reason], " or "), reason)
	}
}

// unit is what the goal says is lost at once.
func (c *checker) unit(member string, dc DatacenterID) string {
	if c.Survive == SurviveDatacenter {
		return string(dc)
	}
	return member
}

// without says what the set can no longer do once a unit is gone, or "" when it goes on as before.
//
// A primary needs the votes of a majority of all voters, and a member that may become primary. A write with w: "majority" is
// acknowledged by min(majority of the voters, voters with data) members, so arbiters count for the first and not for the second.
func (s replicaSet) without(unit string) string {
	left := slices.DeleteFunc(slices.Clone(s.voters), func(v voter) bool { return v.unit == unit })
	data, dataLeft := holders(s.voters), holders(left)
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

// holders counts the voters that hold data.
func holders(voters []voter) (n int) {
	for _, v := range voters {
		if v.data {
			n++
		}
	}
	return n
}

func (c *checker) shardSet(shard Shard) replicaSet {
	set := replicaSet{path: "shards" + step(shard.ID) + ".members", name: "shard " + string(shard.ID), remedy: "add a member with data in another datacenter"}
	if c.Survive == SurviveNode {
		set.remedy = "add a member with data"
	}
	for i, m := range shard.Members {
		data := !c.Arbiter(m)
		set.voters = append(set.voters, voter{unit: c.unit(shard.MemberName(i), m.DC), data: data, electable: data && m.Priority > 0})
	}
	return set
}

// configSet has one member with data in each datacenter, a voter datacenter included: config servers cannot be arbiters. There it
// never becomes primary.
func (c *checker) configSet() replicaSet {
	set := replicaSet{path: "survive", name: "the config servers (one in each datacenter)", remedy: "add a datacenter; role: voter is enough"}
	for _, dc := range c.Datacenters {
		set.voters = append(set.voters, voter{unit: c.unit("config/"+string(dc.ID), dc.ID), data: true, electable: dc.Role != RoleVoter})
	}
	return set
}
