package plan

import (
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// What the tests that need zonestest, and so stand outside of the package, share with those inside.
var (
	DrawWorld   = drawWorld
	DrawState   = drawState
	DrawOptions = drawOptions
	SomeValues  = someValues
	SampleWorld = sampleWorld
	SampleState = sampleState
	Listed      = listed
	KeyDoc      = keyDoc
	KeyOfTwo    = keyOfTwo
	Document    = docOf
	MinKey      = shardkey.MinKey
	MaxKey      = shardkey.MaxKey
	AllOf       = conjunctionOf
)

// FindingsOf are those of a plan that come from its layout.
func FindingsOf(s *zones.State, w *topology.Topology, want zones.Layout, applied *zones.Layout, o Options) []zones.Finding {
	return append(diffLayouts(s, want, applied, o).report, otherKeys(w, s)...)
}
