package consistency

import (
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/topology"
)

// latencyWindow is how much farther than the nearest a member may be that a query router reads from as well: localThresholdMs of mongos.
const latencyWindow = 15 * time.Millisecond

// joinedTags warns where a query router reads from other members than those that carry the first tag set. A driver that is connected to a replica set takes the sets in their
// order; a query router keeps each member that carries any of them (filterTags in server_selector.cpp), and of these the nearest ones.
func (c *checker) joinedTags() {
	if c.profile.mode() == readpref.PrimaryPreferredMode { // the primary, while there is one
		return
	}
	var also []string
	for _, dc := range c.set.world.Datacenters {
		if dc.Role == topology.RoleVoter {
			continue
		}
		if others := c.readAlso(dc.ID); len(others) > 0 {
			also = append(also, "from "+string(dc.ID)+" to "+spelling.List(others))
		}
	}
	if len(also) > 0 {
		c.warnf("joined-tags", "leave one tag set, and choose another one in the application when nobody carries it",
			"behind a query router reads go %s too: it joins the tag sets, whatever their order, and takes any member up to %s farther than the nearest", strings.Join(also, "; "), latencyWindow)
	}
}

// readAlso are the datacenters in which a query router of another one reads, although no member there carries the first of the tag sets that somebody carries.
func (c *checker) readAlso(from topology.DatacenterID) []topology.DatacenterID {
	var first, all []topology.Member
	for _, set := range c.profile.tagSets(from) {
		carriers := carriers(c.set.readers(c.profile.mode()), set)
		if len(first) == 0 {
			first = carriers
		}
		all = append(all, carriers...)
	}
	if len(all) == 0 {
		return nil
	}
	most := c.set.world.RTT(from, c.set.nearest(from, all)) + latencyWindow
	return slices.DeleteFunc(datacentersOf(all), func(dc topology.DatacenterID) bool {
		return c.set.world.RTT(from, dc) > most || slices.ContainsFunc(first, func(m topology.Member) bool { return m.DC == dc })
	})
}
