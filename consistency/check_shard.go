package consistency

import (
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/tag"

	"github.com/geoshard/geoshard/topology"
)

// dataMembers are a shard's members without its arbiters.
func dataMembers(world *topology.Topology, shard topology.Shard) []topology.Member {
	return slices.DeleteFunc(slices.Clone(shard.Members), world.Arbiter)
}

// secondaries are a shard's members with data while its primary is at home.
func secondaries(world *topology.Topology, shard topology.Shard) []topology.Member {
	members, home := dataMembers(world, shard), world.HomeOf(shard.ID)
	if i := slices.IndexFunc(members, func(m topology.Member) bool { return m.DC == home }); i >= 0 {
		members = slices.Delete(members, i, i+1)
	}
	return members
}

// datacentersOf are the datacenters that hold a copy of the shard, each once.
func datacentersOf(members []topology.Member) []topology.DatacenterID {
	var dcs []topology.DatacenterID
	for _, m := range members {
		if !slices.Contains(dcs, m.DC) {
			dcs = append(dcs, m.DC)
		}
	}
	return dcs
}

// votingMajority is how many votes elect a primary; every member has one.
func votingMajority(shard topology.Shard) int { return len(shard.Members)/2 + 1 }

// shard holds the profile against the members of one shard.
func (c *checker) shard(world *topology.Topology, shard topology.Shard) {
	c.shardWrites(shard, dataMembers(world, shard))
	c.shardTags(world, shard)
}

func (c *checker) shardWrites(shard topology.Shard, members []topology.Member) {
	w, dcs := c.profile.Write, datacentersOf(members)
	impossible := func(rule, suggestion, format string, args ...any) {
		c.add(topology.SeverityError, rule, shard.ID, suggestion, format, args...)
	}
	switch {
	case w.Members > len(members):
		impossible("w-above-members", "wait for fewer, or add members", "w: %d, and %d members hold data: no write is ever acknowledged", w.Members, len(members))
	case w.Mode.Datacenters > 1 && len(dcs) == 1:
		impossible("one-datacenter", "put a member into another datacenter", "w: %s wants %d datacenters, and all members with data are in %s: no write is ever acknowledged",
			w.Mode.Name, w.Mode.Datacenters, dcs[0])
	case w.Mode.Datacenters > len(dcs):
		impossible("mode-above-datacenters", "want fewer, or add members", "w: %s wants %d datacenters, and %d have members with data: no write is ever acknowledged",
			w.Mode.Name, w.Mode.Datacenters, len(dcs))
	default:
		c.rollback(shard)
		c.oneDatacenter(shard, members)
	}
}

// oneDatacenter holds "lossless" against datacenters that have as many members as acknowledge a write: it may be acknowledged before it has left.
func (c *checker) oneDatacenter(shard topology.Shard, members []topology.Member) {
	w := c.profile.Write
	needed := w.Members
	if w.Majority {
		needed = min(votingMajority(shard), len(members))
	}
	if !c.profile.Goals.Lossless || needed < 2 { // w: 1 is told for the profile as a whole
		return
	}
	for _, dc := range datacentersOf(members) {
		n := 0
		for _, m := range members {
			if m.DC == dc {
				n++
			}
		}
		if n >= needed {
			c.add(topology.SeverityError, "lossless-in-one-datacenter", shard.ID, "spread the members, or use multiDatacenter", "lossless with %s: the %d members in %s acknowledge a write that no other datacenter has", w, n, dc)
		}
	}
}

// rollback warns of acknowledgements by several members that are yet fewer than what elects a primary: a majority without any of them can.
func (c *checker) rollback(shard topology.Shard) {
	w, majority := c.profile.Write, votingMajority(shard)
	has := max(w.Members, w.Mode.Datacenters) // each datacenter counts for one member at least
	if w.Majority || has < 2 || has >= majority {
		return
	}
	c.add(topology.SeverityWarning, "rollback", shard.ID, "use majority where that must not be",
		"%s is acknowledged by as few as %d of %d votes, and %d elect a primary: such a write can be rolled back after it was acknowledged", w, has, len(shard.Members), majority)
}

// shardTags looks for members that carry the tags, as seen from each datacenter that has clients.
func (c *checker) shardTags(world *topology.Topology, shard topology.Shard) {
	r := c.profile.Read
	if c.profile.mode() == readpref.PrimaryMode {
		return
	}
	for _, set := range r.Tags {
		if carriers(world, shard, tagSet(set)) == 0 {
			c.add(topology.SeverityError, "unknown-tags", shard.ID, "members carry the tag dc alone, with the name of their datacenter", "no member carries the tags %s", tagText(set))
		}
	}
	c.joinedTags(world, shard)
	if !r.OwnDatacenter {
		return
	}
	var without []string
	for _, dc := range world.Datacenters {
		here := carriers(world, shard, ownTags(dc.ID))
		if c.profile.mode() == readpref.SecondaryMode && dc.ID == world.HomeOf(shard.ID) {
			here-- // the primary does not answer such reads
		}
		if dc.Role != topology.RoleVoter && here < 1 {
			without = append(without, string(dc.ID))
		}
	}
	c.ownDatacenter(shard, without)
}

// ownDatacenter reports datacenters whose clients find no copy of the shard at home.
func (c *checker) ownDatacenter(shard topology.Shard, without []string) {
	r := c.profile.Read
	names := strings.Join(without, ", ")
	switch mode := c.profile.mode(); {
	case len(without) == 0:
	case r.Elsewhere || mode == readpref.SecondaryPreferredMode || mode == readpref.PrimaryPreferredMode:
		c.add(topology.SeverityWarning, "no-own-copy", shard.ID, "put a member there for local reads", "no member in %s: reads from there go to another datacenter", names)
	default:
		c.add(topology.SeverityError, "no-own-copy", shard.ID, "put a member there, or allow reads elsewhere", "no member in %s: reads from there find nobody to answer", names)
	}
}

// carriers counts the members with data that carry every tag of the set.
func carriers(world *topology.Topology, shard topology.Shard, set tag.Set) int {
	n := 0
	for _, m := range dataMembers(world, shard) {
		if carries(m, set) {
			n++
		}
	}
	return n
}

// carries reports whether a member carries every tag of the set. Geoshard gives members the tag dc and no other.
func carries(m topology.Member, set tag.Set) bool {
	return !slices.ContainsFunc(set, func(t tag.Tag) bool { return t.Name != datacenterTag || t.Value != string(m.DC) })
}

func tagText(set map[string]string) string {
	var parts []string
	for name, value := range set {
		parts = append(parts, name+": "+value)
	}
	slices.Sort(parts)
	return "{" + strings.Join(parts, ", ") + "}"
}
