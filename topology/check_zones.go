package topology

import (
	"slices"
	"strings"
)

func (c *checker) zones() {
	zoned := map[ShardID]bool{}
	seen := map[ZoneID]bool{}
	for _, zone := range c.Zones {
		path := "zones" + step(zone.ID)
		for _, s := range zone.Shards {
			zoned[s] = true
		}
		if !c.sound(path) {
			continue
		}
		if zone.ID == "" || !printable(string(zone.ID)) || strings.TrimSpace(string(zone.ID)) != string(zone.ID) {
			c.errorf(path, "", "zone name %q: want printable characters, with no space at either end", zone.ID)
		}
		if seen[zone.ID] {
			c.errorf(path, "keep one of them", "the zone %q comes twice", zone.ID)
		}
		seen[zone.ID] = true
		c.zone(path, zone)
	}
	for _, shard := range c.Shards {
		if len(c.Zones) > 0 && c.sound("zones") && !zoned[shard.ID] {
			c.warnf("shards"+step(shard.ID), "name it in a zone", "the shard is in no zone: it gets only documents that belong to none")
		}
	}
}

func (c *checker) zone(path string, zone Zone) {
	if len(zone.Shards) == 0 {
		c.errorf(path+".shards", "", "the zone has no shards")
	}
	for i, id := range zone.Shards {
		path := at(path+".shards", i)
		if known(c, path, "shard", id, c.ShardIDs()) && slices.Contains(zone.Shards[:i], id) {
			c.errorf(path, "keep one of them", "shard %s comes twice", id)
		}
	}
	for i, id := range zone.AllowedDatacenters {
		path := at(path+".allowedDatacenters", i)
		if c.knownDatacenter(path, id) && slices.Contains(zone.AllowedDatacenters[:i], id) {
			c.errorf(path, "keep one of them", "datacenter %s comes twice", id)
		}
	}
}

// residency checks zones against the members of their shards: documents are wherever a member with data is.
func (c *checker) residency() {
	for _, zone := range c.Zones {
		path := "zones" + step(zone.ID)
		if !c.sound(path) {
			continue
		}
		if outside := c.outside(zone); len(outside) > 0 {
			c.errorf(path+".allowedDatacenters", "allow these datacenters, or take the members away",
				"documents of the zone would also be held outside the allowed datacenters, by %s", strings.Join(outside, ", "))
		}
		dc, isDatacenter := c.Datacenter(DatacenterID(zone.ID))
		if isDatacenter && !slices.Contains(each(zone.Shards, c.HomeOf), dc.ID) {
			c.warnf(path+".shards", "", "no shard of zone %s is at home in datacenter %s: its writes go elsewhere", zone.ID, zone.ID)
		}
	}
}

// outside names the members with data that a zone does not allow.
func (c *checker) outside(zone Zone) []string {
	var names []string
	if len(zone.AllowedDatacenters) == 0 {
		return nil
	}
	for _, id := range zone.Shards {
		shard, _ := c.Shard(id)
		for i, m := range shard.Members {
			if !slices.Contains(zone.AllowedDatacenters, m.DC) && !c.Arbiter(m) {
				names = append(names, shard.MemberName(i))
			}
		}
	}
	return names
}
