// Package serverversion reads and compares MongoDB's versions, and is the one place that says what
// geoshard does because of them: [Rules] with their sources, [Releases] with what was run on them,
// and [Preflight], which says what a cluster's versions mean before a command goes on. It asks no
// server anything.
//
//	v, err := serverversion.Parse("6.0.5")
//	if v.Less(serverversion.Oldest) {
//	if serverversion.NoDistribution.Holds(v) {
package serverversion
