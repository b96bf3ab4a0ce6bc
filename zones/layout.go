package zones

import (
	"cmp"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

// Want is the layout that a topology wants of a cluster: its zones, and the ranges of all declared collections whose key allows it.
//
// All bounds are full shard keys. Each declared value has a range of its own, from the value to the next one in MongoDB's order: a string to itself with a zero byte behind
// it, an integer or a double to the nearest number above of either type, a date to the next millisecond, a UUID or an ObjectID to the next of its kind. A
// declared range is one range; an open one reaches to the end of all values, beyond the type of its bound. With unknown: zone the gaps between them,
// from MinKey to MaxKey, go to that zone.
//
// Left out are sharded collections whose key does not begin with the zone field: they need to be resharded by hand. A collection that is sharded by another key than
// declared, but begins with the zone field, has ranges of the key that it has.
//
// The error holds all problems at once: *UnknownShardError, *UnknownZoneError, *RangeOverlapError, *BoundsError, *HashedKeyError and *NamespaceTypeError,
// in a *WorldError if there are several.
func Want(world *topology.Topology, state *State, o PlanOptions) (Layout, error) {
	w := wanting{world: world, options: o, declared: map[string][]topology.Range{}}
	layout := Layout{Zones: w.zones(state)}
	for _, c := range w.collections(state) {
		if p, ok := w.placement(c); ok {
			layout.Collections = append(layout.Collections, p)
		}
	}
	return layout, asError(w.problems)
}

// A wanting works a layout out.
type wanting struct {
	world   *topology.Topology
	options PlanOptions
	// declared are the ranges of the namespaces met so far, by their names.
	declared map[string][]topology.Range
	problems []error
}

func (w *wanting) zones(state *State) []ZoneShards {
	var all []ZoneShards
	known := make([]topology.ShardID, len(state.Shards))
	for i, shard := range state.Shards {
		known[i] = shard.ID
	}
	for _, zone := range w.world.Zones {
		for _, shard := range zone.Shards {
			if !slices.Contains(known, shard) {
				w.problems = append(w.problems, &UnknownShardError{Zone: zone.ID, Shard: shard, Known: known, Meant: spelling.Nearest(string(shard), known)})
			}
		}
		shards := slices.Clone(zone.Shards)
		slices.Sort(shards)
		all = append(all, ZoneShards{Zone: zone.ID, Shards: slices.Compact(shards)})
	}
	slices.SortFunc(all, func(a, b ZoneShards) int { return cmp.Compare(a.Zone, b.Zone) })
	return all
}

// A subject is a collection and the namespace that decides on it.
type subject struct {
	Collection
	ns topology.Namespace
}

// collections lists, by name, the declared collections, whether the state knows them or not, and those that a pattern is about.
func (w *wanting) collections(state *State) []subject {
	var all []subject
	seen := map[string]bool{}
	for _, c := range state.Collections {
		ns, ok := w.world.NamespaceOf(c.Name)
		if ok && (!ns.IsPattern() || w.follows(c, ns)) {
			all = append(all, subject{c, ns})
		}
		seen[c.Name] = true
	}
	for _, ns := range w.world.Namespaces {
		if !ns.IsPattern() && !seen[ns.Name] {
			all = append(all, subject{Collection{Name: ns.Name}, ns})
		}
	}
	slices.SortFunc(all, func(a, b subject) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// follows says whether a pattern is about a collection: it has the pattern's key, or is to be sharded by it.
func (w *wanting) follows(c Collection, pattern topology.Namespace) bool {
	if c.Sharded {
		return slices.Equal(c.Key, pattern.Key)
	}
	return w.options.Shard && c.shardable()
}

// shardable says whether a collection can be sharded without moving a document: it is empty for certain, or does not exist.
func (c Collection) shardable() bool {
	if c.Sharded || c.View || c.TimeSeries || c.Exists && c.Sizes == nil {
		return false
	}
	for _, size := range c.Sizes {
		if size.Documents > 0 {
			return false
		}
	}
	return true
}

func (w *wanting) placement(c subject) (Placement, bool) {
	if _, known := w.declared[c.ns.Name]; !known {
		declared, wrong := declaredRanges(w.world, c.ns)
		w.declared[c.ns.Name] = declared
		w.problems = append(w.problems, wrong...)
	}
	key := c.ns.Key
	if c.Sharded {
		key = c.Key
	}
	switch {
	case c.View || c.TimeSeries:
		w.problems = append(w.problems, &NamespaceTypeError{Collection: c.Name, TimeSeries: c.TimeSeries})
		return Placement{}, false
	case !leads(c.ns, key):
		return Placement{}, false
	case key[0].Hashed:
		w.problems = append(w.problems, &HashedKeyError{Collection: c.Name, Key: key})
		return Placement{}, false
	}
	p := Placement{Collection: c.Name, Key: key, Ranges: keyRanges(c.ns, key, w.declared[c.ns.Name])}
	if c.ns.Unknown == topology.UnknownReject {
		p.Reject = rejection(c.ns.ZoneBy, w.declared[c.ns.Name])
	}
	return p, true
}

// ZoneOf returns the zone of a full shard key, hashed fields hashed. It is false for a key in no range.
func (p Placement) ZoneOf(key bson.Raw) (topology.ZoneID, bool) {
	after, _ := slices.BinarySearchFunc(p.Ranges, key, func(r Range, key bson.Raw) int {
		if shardkey.CompareKeys(r.Min, key) <= 0 {
			return -1
		}
		return 1
	})
	if after == 0 || shardkey.CompareKeys(key, p.Ranges[after-1].Max) >= 0 {
		return "", false
	}
	return p.Ranges[after-1].Zone, true
}

// placement returns the placement of a collection.
func (l *Layout) placement(collection string) (Placement, bool) {
	at, found := slices.BinarySearchFunc(l.Collections, collection, func(p Placement, name string) int { return cmp.Compare(p.Collection, name) })
	if !found {
		return Placement{}, false
	}
	return l.Collections[at], true
}

// shardsOf returns the shards of a zone.
func (l *Layout) shardsOf(zone topology.ZoneID) ([]topology.ShardID, bool) {
	for _, z := range l.Zones {
		if z.Zone == zone {
			return z.Shards, true
		}
	}
	return nil, false
}
