package devmongos_test

import (
	"context"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/topology"
)

// worldDatacenters are those of startWorld. The first is the place where testCluster.client is.
var worldDatacenters = []topology.DatacenterID{place, "LON", "SYD"}

// startWorld starts three datacenters a few milliseconds apart, three shards with a member and one home in each, and a devmongos in each.
func startWorld(t testing.TB) *testCluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	world := &topology.Topology{Version: 1}
	for i, dc := range worldDatacenters {
		world.Datacenters = append(world.Datacenters, topology.Datacenter{ID: dc, Name: string(dc), Role: topology.RoleActive})
		for _, other := range worldDatacenters[:i] {
			world.Links = append(world.Links, topology.Link{Between: [2]topology.DatacenterID{other, dc}, RTT: time.Duration(2+2*i) * time.Millisecond})
		}
	}
	out := &testCluster{}
	for i, id := range []topology.ShardID{"s0", "s1", "s2"} {
		shard := topology.Shard{ID: id}
		for j, dc := range worldDatacenters {
			priority := 1.0
			if i == j {
				priority = 5
			}
			shard.Members = append(shard.Members, topology.Member{DC: dc, Priority: priority})
		}
		world.Shards = append(world.Shards, shard)
		out.shards = append(out.shards, id)
	}
	c, err := local.Start(ctx, local.Options{Name: "devmongos-world", Topology: world, Dir: t.TempDir(), OplogSizeMB: 256, CacheSizeGB: 0.25})
	if err != nil {
		t.Fatalf("start the world: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := c.Close(ctx); err != nil {
			t.Errorf("close the world: %v", err)
		}
	})
	out.Cluster = c
	out.client = out.at(t, place)
	return out
}

// at connects to the router of a datacenter.
func (c *testCluster) at(t testing.TB, dc topology.DatacenterID) *mongo.Client {
	t.Helper()
	uri, err := c.URI(dc)
	if err != nil {
		t.Fatal(err)
	}
	return connect(t, uri)
}
