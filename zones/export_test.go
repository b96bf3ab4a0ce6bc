package zones

import (
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

// What the tests that need zonestest, and so stand outside of the package, share with those inside.
var (
	DrawWorld   = drawWorld
	DrawState   = drawState
	DrawOptions = drawOptions
	SomeValues  = someValues
	SampleWorld = sampleWorld
	SampleState = sampleState
	SameAsFile  = sameAsFile
	KeyDoc      = keyDoc
	KeyOfTwo    = keyOfTwo
	Document    = document
	MinKey      = shardkey.MinKey
	MaxKey      = shardkey.MaxKey
	AllOf       = allOf

	SplitValidator = splitValidator
)

// LayoutDifferences says how the zones and ranges of a state differ from those of another.
func LayoutDifferences(want, have *State) []string {
	return differences(factsOf(stateLayout(want)), factsOf(stateLayout(have)))
}

// Placed reports whether a layout has a place for a collection.
func (l Layout) Placed(collection string) bool {
	_, planned := l.placement(collection)
	return planned
}

// FindingsOf are those of a plan that come from its layout.
func FindingsOf(s *State, w *topology.Topology, want Layout, applied *Layout, o PlanOptions) []Finding {
	return append(diffLayouts(s, want, applied, o).findings, otherKeys(w, s)...)
}

// Groups are the steps that Apply makes together, in its order.
func Groups(p *Plan) (groups [][]Step) {
	for left := inOrder(p.Steps); len(left) > 0; {
		n := group(left)
		var g []Step
		for _, s := range left[:n] {
			g = append(g, s.Step)
		}
		groups, left = append(groups, g), left[n:]
	}
	return groups
}
