// Package topology is the declared world: datacenters, links, shards, zones and namespaces, as geoshard.yaml states them.
//
// [Parse] decodes a document strictly and reports everything that is wrong with it at once, each problem with file, line, column
// and, where there is one, a way out. A [Topology] that Parse returned keeps the placement rules of an active-active cluster: at
// least as many shards as active datacenters, a primary at home in each of them, a copy of every shard in each of them. It also
// keeps the survival goal that it declares. [Check] returns the warnings as well, and [Topology.Validate] checks a value that was made in Go.
//
// The package is pure. It never reads a clock or a network, and knows neither MongoDB's driver nor a running cluster.
//
//	world, err := topology.Load("geoshard.yaml")
//	if err != nil {
//		return err // one line for each problem
//	}
//	for _, shard := range world.Shards {
//		fmt.Println(shard.ID, "is at home in", world.HomeOf(shard.ID))
//	}
package topology
