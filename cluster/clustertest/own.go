package clustertest

import (
	"context"
	"testing"

	"github.com/geoshard/geoshard/cluster/local"
)

// Own starts a cluster of local processes for one test, which may break it, and closes it at that test's end. Its directory is the test's, unless one is given. A
// test that breaks nothing shares a cluster: see [Shared] and [World]. Against GEOSHARD_TEST_URI the test is skipped by name.
func Own(t testing.TB, o local.Options) *local.Cluster {
	t.Helper()
	Needs(t, "a cluster of its own")
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	c, err := begin(t, o)
	if err != nil {
		t.Fatalf("start the cluster %s: %v%s", o.Name, err, Hint(err))
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Errorf("close the cluster %s: %v", o.Name, err)
		}
	})
	return c
}
