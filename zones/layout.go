package zones

import (
	"cmp"
	"maps"
	"slices"
	"sort"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

// A Layout is which shards belong to which zones, and which ranges of which collections belong to the zones.
type Layout struct {
	// Zones are sorted by zone.
	Zones []ZoneShards `json:"zones"`
	// Collections are sorted by name.
	Collections []Placement `json:"collections"`
}

// ZoneShards are the shards of one zone, sorted.
type ZoneShards struct {
	Zone   topology.ZoneID    `json:"zone"`
	Shards []topology.ShardID `json:"shards"`
}

// ShardsByZone are the shards of each zone.
type ShardsByZone map[topology.ZoneID][]topology.ShardID

// A Placement is where the documents of one collection belong.
type Placement struct {
	Collection string       `json:"collection"`
	Key        topology.Key `json:"key"`
	// Ranges are sorted by their minimum and do not overlap. Their bounds are full keys.
	Ranges []Range `json:"ranges"`
	// Reject is the condition that keeps undeclared values out, as geoshard's part of the collection's validator; nil for none.
	Reject bson.Raw `json:"reject,omitempty" bson:"reject,omitempty"`
}

// Layout is the layout that a state has, with bounds as the catalogue has them.
func (s *State) Layout() (l Layout) {
	shards := s.ShardsByZone()
	for _, zone := range slices.Sorted(maps.Keys(shards)) {
		l.Zones = append(l.Zones, ZoneShards{Zone: zone, Shards: shards[zone]})
	}
	for _, c := range s.Collections {
		reject, _ := SplitValidator(c.Validator)
		l.Collections = append(l.Collections, Placement{Collection: c.Name, Key: c.Key, Ranges: c.Ranges, Reject: reject})
	}
	return l
}

// ShardsByZone maps each zone to its shards.
func (l Layout) ShardsByZone() ShardsByZone {
	shards := make(ShardsByZone, len(l.Zones))
	for _, z := range l.Zones {
		shards[z.Zone] = z.Shards
	}
	return shards
}

// ZoneOf returns the zone of a full shard key, hashed fields hashed. It is false for a key in no range.
func (p Placement) ZoneOf(key bson.Raw) (topology.ZoneID, bool) {
	after := sort.Search(len(p.Ranges), func(i int) bool { return shardkey.CompareKeys(p.Ranges[i].Min, key) > 0 })
	if after == 0 || shardkey.CompareKeys(key, p.Ranges[after-1].Max) >= 0 {
		return "", false
	}
	return p.Ranges[after-1].Zone, true
}

// SortRanges sorts ranges by their minimum.
func SortRanges(ranges []Range) {
	slices.SortFunc(ranges, func(a, b Range) int { return shardkey.CompareKeys(a.Min, b.Min) })
}

// Placement returns the placement of a collection.
func (l *Layout) Placement(collection string) (Placement, bool) {
	at, found := slices.BinarySearchFunc(l.Collections, collection, func(p Placement, name string) int { return cmp.Compare(p.Collection, name) })
	if !found {
		return Placement{}, false
	}
	return l.Collections[at], true
}

// ShardsOf returns the shards of a zone.
func (l *Layout) ShardsOf(zone topology.ZoneID) ([]topology.ShardID, bool) {
	for _, z := range l.Zones {
		if z.Zone == zone {
			return z.Shards, true
		}
	}
	return nil, false
}

// Declared lists the namespaces that a topology declares, names and patterns, in the way a state is read of them.
func Declared(world *topology.Topology) []string {
	names := make([]string, len(world.Namespaces))
	for i, ns := range world.Namespaces {
		names[i] = ns.Name
	}
	return names
}
