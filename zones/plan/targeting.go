package plan

import (
	"slices"
	"sort"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/placement"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// targeting says for each declared value of each collection of the layout which datacenters a query for that value asks, now and afterwards: those in which
// the shards are at home that may own keys from {zoneBy: value, …MinKey} to {zoneBy: value, …MaxKey}, both included, as a query router has it.
func targeting(world *topology.Topology, state *zones.State, layout zones.Layout) (all []zones.Targeting) {
	shards := shardsAfter(state, layout)
	for _, p := range layout.Collections {
		ns, ok := world.NamespaceOf(p.Collection)
		if !ok || !leads(ns, p.Key) {
			continue
		}
		c, _ := state.Collection(p.Collection)
		tell := func(value topology.Value, zone topology.ZoneID) {
			lowest, highest := shardkey.KeysWith(p.Key, shardkey.ValueOf(value))
			all = append(all, zones.Targeting{
				Collection: p.Collection, Value: value.String(), Zone: zone,
				Before: homes(world, ownersNow(c, lowest, highest, true)),
				After:  homes(world, ownersThen(state, c, p.Ranges, shards, lowest, highest)),
			})
		}
		// The values of the ranges, the first of each range that has one, and the names of zones, where they count.
		for _, r := range ns.Ranges {
			for _, v := range r.Values {
				tell(v, r.Zone)
			}
			if r.From != nil {
				tell(*r.From, r.Zone)
			}
		}
		for _, zone := range placement.Named(world, ns) {
			tell(topology.StringOf(string(zone)), zone)
		}
	}
	return all
}

// ownersNow lists the shards that own keys from lowest to highest; closed includes highest. An unsharded collection is all on its database's primary shard, and one that
// does not exist on none.
func ownersNow(c zones.Collection, lowest, highest bson.Raw, closed bool) (owners []topology.ShardID) {
	if !c.Sharded && c.Exists {
		return []topology.ShardID{c.Primary}
	}
	first := sort.Search(len(c.Chunks), func(i int) bool { return shardkey.CompareKeys(lowest, c.Chunks[i].Max) < 0 })
	for _, chunk := range c.Chunks[first:] {
		if order := shardkey.CompareKeys(chunk.Min, highest); order > 0 || order == 0 && !closed {
			break
		}
		owners = addOnce(owners, chunk.Shard)
	}
	return owners
}

// ownersThen lists the shards that may own keys from lowest to highest, both included, once the ranges are in force: any shard of a range's zone, and between
// the ranges those that own the keys now.
func ownersThen(state *zones.State, c zones.Collection, ranges []zones.Range, shards zones.ShardsByZone, lowest, highest bson.Raw) (owners []topology.ShardID) {
	covered := lowest // everything below is accounted for
	first := sort.Search(len(ranges), func(i int) bool { return shardkey.CompareKeys(lowest, ranges[i].Max) < 0 })
	for _, r := range ranges[first:] {
		if shardkey.CompareKeys(r.Min, highest) > 0 {
			break
		}
		if shardkey.CompareKeys(covered, r.Min) < 0 {
			owners = addOnce(owners, ownersOfGap(c, state, covered, r.Min, false)...)
		}
		owners = addOnce(owners, shards[r.Zone]...)
		covered = r.Max
	}
	if shardkey.CompareKeys(covered, highest) <= 0 {
		owners = addOnce(owners, ownersOfGap(c, state, covered, highest, true)...)
	}
	return owners
}

// ownersOfGap is ownersNow for keys that no range will cover. Where the collection has no chunks yet, its gaps may come to lie on any shard.
func ownersOfGap(c zones.Collection, state *zones.State, lowest, highest bson.Raw, closed bool) []topology.ShardID {
	if c.Sharded {
		return ownersNow(c, lowest, highest, closed)
	}
	return state.ShardIDs()
}

// homes lists the datacenters in which shards are at home, sorted, each once.
func homes(world *topology.Topology, shards []topology.ShardID) (dcs []topology.DatacenterID) {
	for _, shard := range shards {
		dcs = addOnce(dcs, world.HomeOf(shard))
	}
	slices.Sort(dcs)
	return dcs
}

func addOnce[T comparable](list []T, items ...T) []T {
	for _, item := range items {
		if !slices.Contains(list, item) {
			list = append(list, item)
		}
	}
	return list
}
