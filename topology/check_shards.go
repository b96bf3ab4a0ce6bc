package topology

import (
	"slices"
	"strings"
)

// reservedShards are names that mean something else: "router" and "core" belong to a query router
// in member names; the rest are databases of MongoDB.
var reservedShards = []string{"config", "router", "core", "admin", "local"}

// configShard is the name that MongoDB gives to config servers that are a shard as well, from 8.0
// on (manual: core/config-shard). Clusters that are started here have none.
const configShard = "config"

func (c *checker) shards() {
	if len(c.Shards) == 0 && c.sound("shards") {
		c.errorf("shards", "", "there is no shard")
	}
	seen := map[string]string{}
	for _, shard := range c.Shards {
		path := "shards" + step(shard.ID)
		if shard.ID != configShard && slices.Contains(reservedShards, strings.ToLower(string(shard.ID))) {
			c.errorf(path, "", "the name %q is reserved", shard.ID)
		}
		c.id(path, string(shard.ID), seen)
		if c.sound(path) {
			c.members(path+".members", shard)
		}
	}
}

func (c *checker) members(path string, shard Shard) {
	arbiters := 0
	for i, m := range shard.Members {
		path := at(path, i)
		c.knownDatacenter(path+".dc", m.DC)
		if !(m.Priority >= 0 && m.Priority <= 1000) { // the negated form refuses NaN
			c.errorf(path+".priority", "", "priority %v: want 0 to 1000", m.Priority)
		}
		if c.Arbiter(m) {
			arbiters++
			if m.Priority > 0 {
				c.errorf(path+".priority", "leave out priority", "a member in the voter datacenter %s is an arbiter and never becomes primary", m.DC)
			}
		}
	}
	switch {
	case len(shard.Members) == 0:
		c.errorf(path, "", "the shard has no members")
	case len(shard.Members) > maxVotes:
		c.errorf(path, "", "%d members: every member votes, and MongoDB allows %d votes", len(shard.Members), maxVotes)
	case arbiters > 1:
		// Refused by MongoDB since 5.3: two arbiters can make a majority that holds no data.
		c.errorf(path, "keep one of them", "%d members are arbiters: MongoDB allows one", arbiters)
	case !c.sound(path):
	default:
		c.home(path, shard)
	}
}

// home checks that one datacenter has the highest priority: the records of the shard need a home.
func (c *checker) home(path string, shard Shard) {
	highest := shard.highest().Priority
	var tied []string
	for _, m := range shard.Members {
		if m.Priority == highest && !slices.Contains(tied, string(m.DC)) {
			tied = append(tied, string(m.DC))
		}
	}
	switch {
	case highest == 0:
		c.errorf(path, "give one of them a priority above 0", "all priorities are 0: no member may become primary")
	case len(tied) > 1:
		c.errorf(path, "give one of them the highest priority alone", "the shard has no home: %s share the highest priority, %v", strings.Join(tied, " and "), highest)
	}
}
