package scenarios_test

import (
	"os"
	"slices"
	"testing"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/container"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/internal/dockertest"
	"github.com/geoshard/geoshard/topology"
)

// scale shrinks the links: 7.6, 20 and 26.5 ms. What is told here are outcomes, not times.
const scale = 0.1

func TestMain(m *testing.M) {
	dockertest.Prepare()
	os.Exit(clustertest.Main(m))
}

func TestOnLocalProcesses(t *testing.T) {
	t.Parallel()
	c := clustertest.Own(t, local.Options{Name: "scenarios", Topology: withoutSydney(t), Grown: preset(t), WANScale: scale})
	tell(t, &openedShop{Cluster: c})
}

// The stories in containers, and then the conformance suite of all providers, on the cluster that they leave.
func TestInContainers(t *testing.T) {
	t.Parallel()
	c := dockertest.Run(t, container.WithTopology(withoutSydney(t)), container.WithGrowth(preset(t)), container.WithWANScale(scale))
	tell(t, &openedShop{Cluster: c, hostMap: c.HostMap})
	t.Run("conformance", func(t *testing.T) { clustertest.RunGrown(t, c) })
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
