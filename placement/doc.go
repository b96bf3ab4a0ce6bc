// Package placement says which zone has a value of the zone field, as a topology declares it.
//
// It is the one answer for the planner, the router and everything else that asks: a value or a range of the namespace comes first, then the zone of the
// value's own name, then the zone for the rest, if there is one. It knows values, and neither BSON nor shard keys: package zones/plan makes ranges of shard keys
// of what it says. zones/verify answers for itself, because it proves what the others have done.
//
// The topology must be valid: see topology.Validate.
package placement
