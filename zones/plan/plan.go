package plan

import (
	"slices"
	"time"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// New says what has to be done to give a cluster the zones and ranges that a topology declares. Applied is the layout that was
// applied last, nil if none was: with it the plan tells what somebody else changed since from what the topology wants anew. The plan depends on its arguments alone.
//
// Errors are those of [Want].
func New(world *topology.Topology, state *zones.State, applied *zones.Layout, o Options, now time.Time) (*zones.Plan, error) {
	want, err := Want(world, state, o)
	if err != nil {
		return nil, err
	}
	return leadTo(want, world, state, applied, o, now), nil
}

// leadTo is New for a layout that is known: one from the journal, to go back to it. The world says where shards are at home and what is good to know.
func leadTo(want zones.Layout, world *topology.Topology, state *zones.State, applied *zones.Layout, o Options, now time.Time) *zones.Plan {
	d := diffLayouts(state, want, applied, o)
	return &zones.Plan{
		Made:       now,
		ClusterID:  state.ClusterID,
		StateHash:  state.Hash(),
		Namespaces: zones.Declared(world),
		Steps:      slices.Concat(d.enter, d.ranges, d.leave, d.validators),
		Manual:     manual(world, state, o),
		Findings:   slices.Concat(d.report, otherKeys(world, state), lint(world, state, d.result)),
		Forecast:   forecast(world, state, d.result, o.Rate),
		Layout:     d.result,
	}
}

// otherKeys finds collections whose key begins with the zone field and goes on otherwise than declared. Their ranges are of the key that they have. One that a
// pattern covers and is not about has none.
func otherKeys(world *topology.Topology, state *zones.State) (r report) {
	for _, c := range state.Collections {
		ns, ok := world.NamespaceOf(c.Name)
		switch {
		case !ok || !c.Sharded || slices.Equal(c.Key, ns.Key) || ns.IsPattern() && topology.CollectionProblem(c.Name) != "":
		case ns.IsPattern() && !follows(c, ns, Options{}):
			r.note("pattern-other-key", c.Name, "declare it by its own name, with the key that it has", "it is sharded by %s, and %s is about collections with the key %s: it gets no ranges", c.Key, ns.Name, ns.Key)
		case leads(ns, c.Key):
			r.warn("key-differs", c.Name, "declare the key that it has", "it is sharded by %s and declared with %s; its ranges are of the key that it has", c.Key, ns.Key)
		}
	}
	return r
}

// Options say what a plan may do. The zero value changes zones and ranges alone.
type Options struct {
	// Tighten replaces ranges that cover the same documents with other bounds by tight ones; else they are kept as they were found.
	Tighten bool
	// Shard shards declared collections that are empty or do not exist yet.
	Shard bool
	// Prune removes ranges of declared collections, and shards of declared zones, that the topology does not declare.
	Prune bool
	// Rate is the speed of one migration that the forecast assumes; 0 means DefaultRate.
	Rate topology.ByteRate
}
