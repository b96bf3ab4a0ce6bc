package zones

import (
	"fmt"
	"slices"
	"time"

	"github.com/geoshard/geoshard/topology"
)

// NewPlan says what has to be done to give a cluster the zones and ranges that a topology declares. Applied is the layout that was
// applied last, nil if none was: with it the plan tells what somebody else changed since from what the topology wants anew. The plan depends on its arguments alone.
//
// Errors are those of [Want].
func NewPlan(world *topology.Topology, state *State, applied *Layout, o PlanOptions, now time.Time) (*Plan, error) {
	want, err := Want(world, state, o)
	if err != nil {
		return nil, err
	}
	return PlanLayout(world, state, want, applied, o, now), nil
}

// PlanLayout is NewPlan for a layout that is known: one from the journal, to go back to it. The world says where shards are at home and what is good to know.
func PlanLayout(world *topology.Topology, state *State, want Layout, applied *Layout, o PlanOptions, now time.Time) *Plan {
	d := diffLayouts(state, want, applied, o)
	return &Plan{
		Made:       now,
		ClusterID:  state.ClusterID,
		StateHash:  state.Hash(),
		Namespaces: namespacesOf(world),
		Steps:      d.steps(),
		Manual:     manual(world, state, o),
		Findings:   slices.Concat(d.findings, otherKeys(world, state), lint(world, state, d.result)),
		Forecast:   forecast(world, state, d.result, o.Rate),
		Layout:     d.result,
	}
}

// otherKeys finds collections whose key begins with the zone field and goes on otherwise than declared. Their ranges are of the key that they have.
func otherKeys(world *topology.Topology, state *State) []Finding {
	var all []Finding
	for _, c := range state.Collections {
		ns, ok := world.Namespace(c.Name)
		if !ok || !c.Sharded || slices.Equal(c.Key, ns.Key) || c.Key[0].Name != ns.ZoneBy {
			continue
		}
		all = append(all, Finding{
			Severity: SeverityWarning, Rule: "key-differs", Subject: c.Name,
			Message: fmt.Sprintf("it is sharded by %s and declared with %s; its ranges are of the key that it has", c.Key, ns.Key),
			Hint:    "declare the key that it has",
		})
	}
	return all
}

// Empty reports whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.Steps) == 0 }

// MovesData reports whether the balancer may move documents because of a change. Making a collection in its zones moves none, and what a removed range or a removed
// shard no longer binds may go elsewhere.
func MovesData(c Change) bool {
	switch c.(type) {
	case AddRange, RemoveRange, AddShardToZone, RemoveShardFromZone:
		return true
	default:
		return false
	}
}

// Drops reports whether a change takes something away that somebody made: a range, a shard's membership of a zone, or a whole validator.
func Drops(c Change) bool {
	switch c := c.(type) {
	case RemoveRange, RemoveShardFromZone:
		return true
	case SetValidator:
		return c.Validator == nil
	default:
		return false
	}
}
