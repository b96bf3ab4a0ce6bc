package local_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/topology"
)

func TestMain(m *testing.M) {
	local.ChildMain() // before anything of the test's own
	if dir := os.Getenv(superviseEnv); dir != "" {
		supervise(dir)
		return
	}
	os.Exit(clustertest.Main(m))
}

func small(t testing.TB) *topology.Topology {
	t.Helper()
	world, err := clustertest.Small()
	if err != nil {
		t.Fatal(err)
	}
	return world
}

// start starts a cluster for one test and closes it at the test's end.
func start(t testing.TB, o local.Options) *local.Cluster {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.Progress = func(e local.Event) { t.Log(e) }
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, err := local.Start(ctx, o)
	if err != nil {
		t.Fatalf("start: %v%s", err, clustertest.Hint(err))
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return c
}
