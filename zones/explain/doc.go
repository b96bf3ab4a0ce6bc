// Package explain says which shards and datacenters a query touches, and the latency that it must cost by the declared links.
//
// Which shards are asked is the query router's own answer to explain (verbosity queryPlanner): nothing is guessed from ranges. The package adds where
// those shards are at home, how far away that is, and which part of the shard key the filter leaves open. It runs no query and changes
// nothing.
package explain
