// Package clustertest is the conformance suite that every provider of a [cluster.Cluster] passes, and how a test gets a
// real cluster.
//
// It starts real processes and breaks them; it never pretends. [Run] wants a cluster of its own and closes it. A test
// that only needs a query router takes [Shared], which several packages use at the same time, and may [Claim] databases there; one that
// changes zones of shards or the balancer takes [Alone]; one that needs another topology a [World]; one that breaks
// things [Own]. All start on first use, so that a package whose tests need none pays nothing.
//
// With GEOSHARD_TEST_URI the shared cluster is the one that it leads to, whoever runs it; what needs more than a query
// router is skipped there by name: see [Needs].
//
//	func TestMain(m *testing.M) { os.Exit(clustertest.Main(m)) }
//
//	func TestPlan(t *testing.T) {
//		uri, err := clustertest.Shared(t).URI(clustertest.SmallDC)
//		clustertest.Claim(t, uri, "planned")
//		...
//	}
package clustertest
