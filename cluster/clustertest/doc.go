// Package clustertest is the conformance suite that every provider of a [cluster.Cluster] passes, and a small real
// cluster that the tests of a package share.
//
// It starts real processes and breaks them; it never pretends. [Run] wants a cluster of its own and closes it. [Shared]
// starts one on first use, so that a package whose tests need none pays nothing.
//
//	func TestMain(m *testing.M) { os.Exit(clustertest.Main(m)) }
//
//	func TestPlan(t *testing.T) {
//		uri, err := clustertest.Shared(t).URI(clustertest.SmallDC)
//		...
//	}
package clustertest
