// Package scenarios tells the same stories on every provider of clusters: local processes and containers. Each is a function over
// [cluster.Cluster], told while shoppers in all datacenters write: a datacenter and a shard are added, documents are in their zones, a traveller reads his own writes, a
// primary dies, a datacenter is cut off, a cart moves home, a range moves to another zone. In each of them no acknowledged write is lost, and none is done twice.
//
// Both providers tell them side by side. In containers the conformance suite of all providers follows, on the cluster that the stories leave.
//
// The first story is that of a cluster in New York and London which gets Sydney; the others are told on what has become of it.
//
// Without Docker the stories in containers are skipped, which `make test` says loudly; with GEOSHARD_REQUIRE_CONTAINERS=1 they fail instead.
// GEOSHARD_SOAK=1 tells some stories several times. The package holds tests alone.
package scenarios
