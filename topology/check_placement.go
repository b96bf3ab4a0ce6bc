package topology

import (
	"fmt"
	"slices"
)

// placement checks the three rules of an active-active cluster for the active datacenters: at least as many shards as
// datacenters; a shard at home in each datacenter; a copy of each shard in each datacenter. Passive and voter datacenters are no homes.
func (c *checker) placement() {
	homes := map[DatacenterID]bool{}
	for _, shard := range c.Shards {
		home := shard.home()
		homes[home] = true
		if role := c.role(home); role != RoleActive {
			c.errorf("shards"+step(shard.ID), "give a member in an active datacenter the highest priority",
				"the shard is at home in %s, whose role is %s", home, role)
		}
	}
	active := 0
	for _, dc := range c.Datacenters {
		path := "datacenters" + step(dc.ID)
		switch {
		case dc.Role == RoleActive:
			active++
			if !homes[dc.ID] {
				c.errorf(path, "give a shard its highest priority there, or declare role: passive", "no shard is at home in the active datacenter %s, so no write is local there", dc.ID)
			}
			c.copies(dc.ID)
		case !slices.ContainsFunc(c.Shards, func(s Shard) bool { return s.in(dc.ID) }):
			c.warnf(path, "", "no shard has a member in the %s datacenter %s", dc.Role, dc.ID)
		}
	}
	if len(c.Shards) < active {
		c.errorf("shards", "add a shard for each active datacenter", "%d shards for %d active datacenters: at least one for each is needed", len(c.Shards), active)
	}
}

// copies checks that a datacenter can read everything locally. A shard whose zone keeps documents out of the datacenter is
// excused: declared residency wins over local reads.
func (c *checker) copies(dc DatacenterID) {
	for _, shard := range c.Shards {
		if !shard.in(dc) && !c.keptOut(shard.ID, dc) {
			priority := 1
			if len(shard.Members) == 2 {
				priority = 0 // see elections
			}
			c.errorf("shards"+step(shard.ID)+".members",
				fmt.Sprintf("add {dc: %s, priority: %d}, or declare role: passive, or keep the zone out by allowedDatacenters", dc, priority),
				"no member in the active datacenter %s, so it cannot read this shard locally", dc)
		}
	}
}

// in says whether a member of the shard lives in the datacenter.
func (s Shard) in(dc DatacenterID) bool {
	return slices.ContainsFunc(s.Members, func(m Member) bool { return m.DC == dc })
}

// keptOut says whether a zone of the shard forbids the datacenter to hold its documents.
func (c *checker) keptOut(shard ShardID, dc DatacenterID) bool {
	return slices.ContainsFunc(c.Zones, func(z Zone) bool {
		return slices.Contains(z.Shards, shard) && len(z.AllowedDatacenters) > 0 && !slices.Contains(z.AllowedDatacenters, dc)
	})
}
