// Package cluster says what a running geo cluster is: a [View] can be looked at, a [Stopper], a [Breaker] and a [Lagger] can be broken, a
// [Grower] grows, and a [Cluster] is all of these.
//
// It holds the words that every provider shares (member names, [Status], sentinel errors) and never starts, dials or
// plans anything itself. Providers are cluster/local (real processes on this machine) and cluster/container (the same in containers);
// cluster/clustertest is the suite that they pass.
//
//	uri, err := c.URI("NYC")               // the query router of New York's clients
//	err = c.Kill(ctx, "nyc/NYC")           // SIGKILL; another datacenter elects a primary
//	err = cluster.Cut(ctx, c, "LON", "SYD") // the same as c.Apply(ctx, wan.Cut{From: "LON", To: "SYD"})
//	status, err := c.Status(ctx)
//	primary, ok := status.Primary("nyc")
package cluster
