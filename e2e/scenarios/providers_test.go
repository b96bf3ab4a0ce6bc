package scenarios_test

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/container"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/internal/dockertest"
	"github.com/geoshard/geoshard/topology"
)

// scale shrinks the links: 7.6, 20 and 26.5 ms. What is told here are outcomes, not times.
const scale = 0.1

// electionTimeout is longer than the clusters' default: machines that run all tests at once are slow.
const electionTimeout = 4 * time.Second

// startWithin bounds the start of a cluster on a machine that is busy with other tests.
const startWithin = 4 * time.Minute

func TestMain(m *testing.M) {
	dockertest.Prepare()
	os.Exit(clustertest.Main(m))
}

func TestOnLocalProcesses(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), startWithin)
	defer cancel()
	began := time.Now()
	c, err := local.Start(ctx, local.Options{Name: "scenarios", Dir: t.TempDir(), Topology: withoutSydney(t), Grown: preset(t), WANScale: scale, ElectionTimeout: electionTimeout})
	if err != nil {
		t.Fatalf("start: %v%s", err, clustertest.Hint(err))
	}
	closeAtEnd(t, c)
	t.Logf("started in %s", time.Since(began).Round(100*time.Millisecond))
	tell(t, &scene{Cluster: c})
}

func TestInContainers(t *testing.T) {
	image := dockertest.Image(t, dockertest.Client(t))
	ctx, cancel := context.WithTimeout(t.Context(), startWithin)
	defer cancel()
	began := time.Now()
	c, err := container.Run(ctx, container.WithTopology(withoutSydney(t)), container.WithGrowth(preset(t)), container.WithImage(image), container.WithWANScale(scale),
		container.WithElectionTimeout(electionTimeout))
	if err != nil {
		t.Fatalf("run: %v%s", err, clustertest.Hint(err))
	}
	closeAtEnd(t, c)
	t.Logf("started in %s", time.Since(began).Round(100*time.Millisecond))
	tell(t, &scene{Cluster: c, hostMap: c.HostMap})
}

func closeAtEnd(t *testing.T, c cluster.Cluster) {
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}

func preset(t *testing.T) *topology.Topology {
	t.Helper()
	text, err := configs.Read("nyc-lon-syd")
	if err != nil {
		t.Fatal(err)
	}
	world, err := topology.Parse("nyc-lon-syd", text)
	if err != nil {
		t.Fatal(err)
	}
	return world
}

// withoutSydney is the preset's world before it had Sydney: what is Sydney's is at home in London.
func withoutSydney(t *testing.T) *topology.Topology {
	t.Helper()
	small := preset(t)
	isSydney := func(dc topology.DatacenterID) bool { return dc == "SYD" }
	small.Datacenters = slices.DeleteFunc(small.Datacenters, func(dc topology.Datacenter) bool { return isSydney(dc.ID) })
	small.Links = slices.DeleteFunc(small.Links, func(l topology.Link) bool { return slices.ContainsFunc(l.Between[:], isSydney) })
	small.Shards = slices.DeleteFunc(small.Shards, func(s topology.Shard) bool { return s.ID == "syd" })
	for i := range small.Shards {
		small.Shards[i].Members = slices.DeleteFunc(small.Shards[i].Members, func(m topology.Member) bool { return isSydney(m.DC) })
	}
	small.Survive = topology.SurviveUnstated // with two it survives nothing
	small.Zones = slices.DeleteFunc(small.Zones, func(z topology.Zone) bool { return z.ID == "SYD" })
	small.Namespaces[0].Ranges = []topology.Range{
		{Zone: "NYC", Values: []topology.Value{topology.StringOf("NYC")}},
		{Zone: "LON", Values: []topology.Value{topology.StringOf("LON"), topology.StringOf("SYD")}},
	}
	return small
}
