package consistency

import (
	"cmp"
	"slices"

	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/tag"

	"github.com/geoshard/geoshard/topology"
)

// A replicaSet is a shard whose primary is at home.
type replicaSet struct {
	topology.Shard
	world *topology.Topology
	home  topology.DatacenterID
	// data are the members without arbiters.
	data []topology.Member
}

func setOf(world *topology.Topology, shard topology.Shard) replicaSet {
	return replicaSet{shard, world, world.HomeOf(shard.ID), slices.DeleteFunc(slices.Clone(shard.Members), world.Arbiter)}
}

// majority is how many votes elect a primary; every member has one.
func (s replicaSet) majority() int { return len(s.Members)/2 + 1 }

// writeMajority is how many members acknowledge a write with w: majority.
func (s replicaSet) writeMajority() int { return min(s.majority(), len(s.data)) }

// secondaries are the members with data but the primary.
func (s replicaSet) secondaries() []topology.Member {
	members := slices.Clone(s.data)
	if i := slices.IndexFunc(members, func(m topology.Member) bool { return m.DC == s.home }); i >= 0 {
		members = slices.Delete(members, i, i+1)
	}
	return members
}

// readers are the members that a read with the mode chooses from, as long as there are any.
func (s replicaSet) readers(mode readpref.Mode) []topology.Member {
	if mode == readpref.NearestMode {
		return s.data
	}
	return s.secondaries()
}

// nearest is the first of the members that are nearest to a datacenter. There is at least one.
func (s replicaSet) nearest(from topology.DatacenterID, members []topology.Member) topology.DatacenterID {
	return slices.MinFunc(members, func(a, b topology.Member) int { return cmp.Compare(s.world.RTT(from, a.DC), s.world.RTT(from, b.DC)) }).DC
}

// carriers are those of the members that carry every tag of the set. Geoshard gives members the tag dc and no other.
func carriers(members []topology.Member, set tag.Set) []topology.Member {
	return slices.DeleteFunc(slices.Clone(members), func(m topology.Member) bool {
		return slices.ContainsFunc(set, func(t tag.Tag) bool { return t.Name != datacenterTag || t.Value != string(m.DC) })
	})
}

// datacentersOf are the datacenters of some members, each once.
func datacentersOf(members []topology.Member) []topology.DatacenterID {
	var dcs []topology.DatacenterID
	for _, m := range members {
		if !slices.Contains(dcs, m.DC) {
			dcs = append(dcs, m.DC)
		}
	}
	return dcs
}
