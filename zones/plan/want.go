package plan

import (
	"cmp"
	"slices"
	"strings"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
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
// Left out are also collections that cannot have ranges of values: views, time series, those whose zone field is hashed, and those of a database whose name
// differs from another one's in case alone. A plan has a finding for each.
//
// The error holds all problems of the topology at once: ErrUnknownShard, ErrUnknownZone, ErrOverlap and ErrBounds, in a *WorldError if there are several.
func Want(world *topology.Topology, state *zones.State, o Options) (zones.Layout, error) {
	w := wanting{world: world, options: o, declared: map[string][]topology.Range{}}
	layout := zones.Layout{Zones: w.zones(state)}
	for _, c := range w.collections(state) {
		if p, ok := w.placement(state, c); ok {
			layout.Collections = append(layout.Collections, p)
		}
	}
	return layout, asError(w.problems)
}

// A wanting works a layout out.
type wanting struct {
	world   *topology.Topology
	options Options
	// declared are the ranges of the namespaces met so far, by their names.
	declared map[string][]topology.Range
	problems []error
}

func (w *wanting) zones(state *zones.State) (all []zones.ZoneShards) {
	known := state.ShardIDs()
	for _, zone := range w.world.Zones {
		for _, shard := range zone.Shards {
			if !slices.Contains(known, shard) {
				w.problems = append(w.problems, UnknownShard(zone.ID, shard, known))
			}
		}
		shards := slices.Clone(zone.Shards)
		slices.Sort(shards)
		all = append(all, zones.ZoneShards{Zone: zone.ID, Shards: slices.Compact(shards)})
	}
	slices.SortFunc(all, func(a, b zones.ZoneShards) int { return cmp.Compare(a.Zone, b.Zone) })
	return all
}

// A subject is a collection and the namespace that decides on it.
type subject struct {
	zones.Collection
	ns topology.Namespace
}

// collections lists, by name, the declared collections, whether the state knows them or not, and those that a pattern is about.
func (w *wanting) collections(state *zones.State) (all []subject) {
	for _, c := range state.Collections {
		ns, ok := w.world.NamespaceOf(c.Name)
		if ok && (!ns.IsPattern() || follows(c, ns, w.options)) {
			all = append(all, subject{c, ns})
		}
	}
	for _, ns := range w.world.Namespaces {
		if _, known := state.Collection(ns.Name); !known && !ns.IsPattern() {
			all = append(all, subject{zones.Collection{Name: ns.Name}, ns})
		}
	}
	slices.SortFunc(all, func(a, b subject) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// follows says whether a pattern is about a collection: it has the pattern's key, perhaps with more fields behind it since it was refined, or is to be sharded by it.
// What geoshard.yaml cannot name, no pattern is about.
func follows(c zones.Collection, pattern topology.Namespace, o Options) bool {
	if topology.CollectionProblem(c.Name) != "" {
		return false
	}
	if c.Sharded {
		return len(c.Key) >= len(pattern.Key) && slices.Equal(c.Key[:len(pattern.Key)], pattern.Key)
	}
	return o.Shard && shardable(c)
}

// otherCase is the database of the cluster whose name differs from a namespace's in case alone, or "": the server lets no second one be.
func otherCase(state *zones.State, namespace string) string {
	db, _, _ := strings.Cut(namespace, ".")
	found := ""
	for _, other := range state.Databases {
		switch {
		case other == db:
			return ""
		case strings.EqualFold(other, db):
			found = other
		}
	}
	return found
}

// shardable says whether a collection can be sharded without moving a document: it is empty for certain, or does not exist.
func shardable(c zones.Collection) bool {
	return !c.Sharded && !c.View && !c.TimeSeries && c.Unread == "" && (!c.Exists || c.Sizes != nil) && sizeOf(c).Documents == 0
}

func (w *wanting) placement(state *zones.State, c subject) (p zones.Placement, ok bool) {
	if _, known := w.declared[c.ns.Name]; !known {
		declared, wrong := declaredRanges(w.world, c.ns)
		w.declared[c.ns.Name] = declared
		w.problems = append(w.problems, wrong...)
	}
	key := c.ns.Key
	if c.Sharded {
		key = c.Key
	}
	if c.View || c.TimeSeries || !leads(c.ns, key) || key[0].Hashed || otherCase(state, c.Name) != "" {
		return p, false
	}
	p = zones.Placement{Collection: c.Name, Key: key, Ranges: keyRanges(c.ns, key, w.declared[c.ns.Name])}
	if c.ns.Unknown == topology.UnknownReject {
		p.Reject = zones.Rejection(c.ns.ZoneBy, w.declared[c.ns.Name])
	}
	return p, true
}
