package topology

import (
	"cmp"
	"slices"
)

// DrainedShards are the shards that are to be empty: at home in a datacenter that is drained, and
// in no zone.
func (t *Topology) DrainedShards() []ShardID {
	return slices.DeleteFunc(t.ShardIDs(), func(id ShardID) bool {
		home, _ := t.Datacenter(t.HomeOf(id))
		return !home.Drained || slices.ContainsFunc(t.Zones, func(z Zone) bool { return slices.Contains(z.Shards, id) })
	})
}

// Nearest is the shard of several that is at home nearest to another one, the first by name of
// equals; empty where there is none.
func (t *Topology) Nearest(to ShardID, among []ShardID) ShardID {
	if len(among) == 0 {
		return ""
	}
	from := t.HomeOf(to)
	return slices.MinFunc(among, func(a, b ShardID) int {
		return cmp.Or(cmp.Compare(t.RTT(from, t.HomeOf(a)), t.RTT(from, t.HomeOf(b))), cmp.Compare(a, b))
	})
}
