package consistency

import (
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/tag"

	"github.com/geoshard/geoshard/topology"
)

// latencyWindow is how much farther than the nearest a member may be that a query router reads from as well: localThresholdMs of mongos.
const latencyWindow = 15 * time.Millisecond

// joinedTags warns where a query router reads from other members than those that carry the first tag set. A driver that is connected to a replica set takes the sets in their
// order; a query router keeps each member that carries any of them (filterTags in server_selector.cpp), and of these the nearest ones.
func (c *checker) joinedTags(world *topology.Topology, shard topology.Shard) {
	if c.profile.mode() == readpref.PrimaryPreferredMode { // the primary, while there is one
		return
	}
	var also []string
	for _, dc := range world.Datacenters {
		if dc.Role == topology.RoleVoter {
			continue
		}
		if others := c.readAlso(world, shard, dc.ID); len(others) > 0 {
			also = append(also, "from "+string(dc.ID)+" to "+strings.Join(others, ", "))
		}
	}
	if len(also) > 0 {
		c.add(topology.SeverityWarning, "joined-tags", shard.ID, "leave one tag set, and choose another one in the application when nobody carries it",
			"behind a query router reads go %s too: it joins the tag sets, whatever their order, and takes any member up to %s farther than the nearest", strings.Join(also, "; "), latencyWindow)
	}
}

// readAlso are the datacenters in which a query router of another one reads, although no member there carries the first of the tag sets that somebody carries.
func (c *checker) readAlso(world *topology.Topology, shard topology.Shard, from topology.DatacenterID) (also []string) {
	var first, all []topology.DatacenterID
	for _, set := range c.profile.tagSets(from) {
		dcs := slices.DeleteFunc(datacentersOf(dataMembers(world, shard)), func(dc topology.DatacenterID) bool {
			alone := c.profile.mode() != readpref.NearestMode && dc == world.HomeOf(shard.ID) && carriers(world, shard, map[string]string{datacenterTag: string(dc)}) == 1
			return alone || slices.ContainsFunc(set, func(t tag.Tag) bool { return t.Name != datacenterTag || t.Value != string(dc) })
		})
		if len(first) == 0 {
			first = dcs
		}
		all = append(all, dcs...)
	}
	if len(all) == 0 {
		return nil
	}
	nearest := world.RTT(from, slices.MinFunc(all, func(a, b topology.DatacenterID) int { return int(world.RTT(from, a) - world.RTT(from, b)) }))
	for _, dc := range all {
		if world.RTT(from, dc) <= nearest+latencyWindow && !slices.Contains(first, dc) && !slices.Contains(also, string(dc)) {
			also = append(also, string(dc))
		}
	}
	return also
}
