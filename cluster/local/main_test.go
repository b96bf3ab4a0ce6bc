package local_test

import (
	"os"
	"testing"

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

// start starts a cluster for one test, which tells what it reached, and closes it at the test's end.
func start(t testing.TB, o local.Options) *local.Cluster {
	t.Helper()
	o.Progress = func(e local.Event) { t.Log(e) }
	return clustertest.Own(t, o)
}
