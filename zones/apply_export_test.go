package zones

// What the tests of applies, which stand outside of the package because of zonestest, share with those of plans.
var (
	DrawWorld   = drawWorld
	DrawState   = drawState
	DrawOptions = drawOptions
)

// LayoutDifferences says how the zones and ranges of a state differ from those of another.
func LayoutDifferences(want, have *State) []string {
	return differences(factsOf(stateLayout(want)), factsOf(stateLayout(have)))
}
