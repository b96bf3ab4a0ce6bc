// Package zones keeps the zones of a sharded cluster as geoshard.yaml declares them: it plans what has to change, applies it step by step,
// and says what it will cost.
//
// The core is pure. A [State] is what the config catalogue says, a [Layout] what the topology wants of it, and [NewPlan] turns the two into a
// [Plan]: an ordered list of [Change] values, each with its reason. Nothing here reads a clock or sends a command; package zones/catalog reads states and performs
// changes, package zones/verify proves where documents really are and shares nothing with the planner.
//
// Bounds are always full shard keys, minimum inclusive, maximum exclusive. Ranges of strings are tight: {dc: "LON"} to {dc: "LON\x00"}, because with the
// usual end {dc: "LON", id: MaxKey} a query for {dc: "LON"} asks two shards.
package zones
