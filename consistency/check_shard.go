package consistency

import (
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/topology"
)

// writes holds the write concern against the members of one shard.
func (c *checker) writes() {
	w, members, dcs := c.profile.Write, len(c.set.data), datacentersOf(c.set.data)
	switch {
	case w.Members > members:
		c.errorf("w-above-members", "wait for fewer, or add members", "w: %d, and %d members hold data: no write is ever acknowledged", w.Members, members)
	case w.Mode.Datacenters > 1 && len(dcs) == 1:
		c.errorf("one-datacenter", "put a member into another datacenter", "w: %s wants %d datacenters, and all members with data are in %s: no write is ever acknowledged",
			w.Mode.Name, w.Mode.Datacenters, dcs[0])
	case w.Mode.Datacenters > len(dcs):
		c.errorf("mode-above-datacenters", "want fewer, or add members", "w: %s wants %d datacenters, and %d have members with data: no write is ever acknowledged",
			w.Mode.Name, w.Mode.Datacenters, len(dcs))
	default:
		c.rollback()
		c.oneDatacenter()
	}
}

// oneDatacenter holds "lossless" against datacenters that have as many members as acknowledge a write: it may be acknowledged before it has left.
func (c *checker) oneDatacenter() {
	w := c.profile.Write
	needed := w.Members
	if w.Majority {
		needed = c.set.writeMajority()
	}
	if !c.profile.Goals.Lossless || needed < 2 { // w: 1 is told for the profile as a whole
		return
	}
	for _, dc := range datacentersOf(c.set.data) {
		if n := len(carriers(c.set.data, ownTags(dc))); n >= needed {
			c.errorf("lossless-in-one-datacenter", "spread the members, or use multiDatacenter", "lossless with %s: the %d members in %s acknowledge a write that no other datacenter has", w, n, dc)
		}
	}
}

// rollback warns of acknowledgements by several members that are yet fewer than what elects a primary: a majority without any of them can.
func (c *checker) rollback() {
	w, majority := c.profile.Write, c.set.majority()
	has := max(w.Members, w.Mode.Datacenters) // each datacenter counts for one member at least
	if w.Majority || has < 2 || has >= majority {
		return
	}
	c.warnf("rollback", "use majority where that must not be",
		"%s is acknowledged by as few as %d of %d votes, and %d elect a primary: such a write can be rolled back after it was acknowledged", w, has, len(c.set.Members), majority)
}

// tags looks for members that carry the tags, as seen from each datacenter that has clients.
func (c *checker) tags() {
	r, mode := c.profile.Read, c.profile.mode()
	if mode == readpref.PrimaryMode {
		return
	}
	for _, set := range r.Tags {
		if len(carriers(c.set.data, tagSet(set))) == 0 {
			c.errorf("unknown-tags", "members carry the tag dc alone, with the name of their datacenter", "no member carries the tags %s", tagText(set))
		}
	}
	c.joinedTags()
	if !r.OwnDatacenter {
		return
	}
	members := c.set.data
	if mode == readpref.SecondaryMode { // the primary does not answer such reads
		members = c.set.secondaries()
	}
	var without []topology.DatacenterID
	for _, dc := range c.set.world.Datacenters {
		if dc.Role != topology.RoleVoter && len(carriers(members, ownTags(dc.ID))) == 0 {
			without = append(without, dc.ID)
		}
	}
	// Clients in these find no copy of the shard at home.
	switch names := spelling.List(without); {
	case len(without) == 0:
	case r.Elsewhere || mode == readpref.SecondaryPreferredMode || mode == readpref.PrimaryPreferredMode:
		c.warnf("no-own-copy", "put a member there for local reads", "no member in %s: reads from there go to another datacenter", names)
	default:
		c.errorf("no-own-copy", "put a member there, or allow reads elsewhere", "no member in %s: reads from there find nobody to answer", names)
	}
}

func tagText(set map[string]string) string {
	var parts []string
	for name, value := range set {
		parts = append(parts, name+": "+value)
	}
	slices.Sort(parts)
	return "{" + strings.Join(parts, ", ") + "}"
}
