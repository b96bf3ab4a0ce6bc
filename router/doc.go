// Package router chooses the datacenter that serves a request.
//
// A record is at home in one datacenter: its zone key says in which, and MongoDB keeps the primary of its shard there. [Table.Decide] sends a
// write to that datacenter, lets a read be served where the client is, and places a new record in the healthy datacenter that is nearest to
// the client. It decides from values alone: a [Table] made from the declared world, a [Health] that somebody else measures, and a [Query]
// that [Reader.Read] takes from an HTTP request. It never calls anybody, reads no clock and allocates nothing, so it can be asked for each request.
// [Table.Explain] gives the same decision step by step.
//
// What is wrong in a table or in a health costs latency and no correctness: the database's primaries alone accept writes, wherever a
// request is served.
//
//	table, err := router.NewTable(world)
//	...
//	d := table.Decide(&router.Query{Here: table.DC("NYC"), Class: router.Write, Home: "LON"}, &router.Health{})
//	// d.To is LON, d.Mode is router.Forward
package router
