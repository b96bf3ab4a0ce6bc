// Package zones has the values of zones as code. A [State] is what the config catalogue of a sharded cluster says, a [Layout] which shards and ranges belong
// to which zones, a [Plan] an ordered list of [Change] values that lead from the one to the other, each with its reason, and a [Run] what became of a plan in
// the journal. They have one JSON form each: that of plan files and of --output json.
//
// Nothing here decides, reads a clock or sends a command. Package zones/plan makes plans, zones/apply carries them out step by step, zones/catalog reads states
// from a cluster and performs changes, and zones/verify proves where documents really are and shares nothing with the planner.
//
// Bounds are always full shard keys, minimum inclusive, maximum exclusive. Ranges of strings are tight: {dc: "LON"} to {dc: "LON\x00"}, because with the
// usual end {dc: "LON", id: MaxKey} a query for {dc: "LON"} asks two shards.
package zones
