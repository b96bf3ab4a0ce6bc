package local_test

import (
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/topology"
)

// The suite holds for a cluster with users, who are more than none; [TestReferenceCluster] has none. (Not with TLS: there is no lag then.)
func TestConformance(t *testing.T) {
	t.Parallel()
	var c *local.Cluster
	clustertest.Run(t, func(t *testing.T) clustertest.Provider {
		c = start(t, local.Options{Name: "conformance", Auth: true, Topology: local.Preset(t, "nyc-lon-syd")})
		return c
	})
	if _, err := os.Stat(c.Dir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("directory after close: got %v, want not exist", err)
	}
}

// A layout with a place that only votes: its shard members are arbiters, it has no query router, and shards with
// arbiters can be added although their own default write concern would be w: 1.
func TestVoterLayout(t *testing.T) {
	t.Parallel()
	world := local.Preset(t, "us-east-west")
	c := start(t, local.Options{Name: "voters", Topology: world, WANScale: -1})
	status := clustertest.AwaitWhole(t, c)
	arbiters := 0
	for _, m := range status.Members {
		if m.State != cluster.StateUp {
			t.Errorf("%s: got %s, want up", m.Name, m.State)
		}
		if m.Role != cluster.RoleArbiter {
			continue
		}
		arbiters++
		if dc, _ := world.Datacenter(m.Datacenter); dc.Role != topology.RoleVoter {
			t.Errorf("%s: got an arbiter in %s, which does more than vote", m.Name, m.Datacenter)
		}
		if err := c.SetLag(t.Context(), m.Name, time.Second); !errors.Is(err, cluster.ErrUnsupported) {
			t.Errorf("lag of arbiter %s: got %v, want ErrUnsupported", m.Name, err)
		}
	}
	if arbiters != len(world.Shards) || !status.PrimariesAtHome() {
		t.Errorf("got %d arbiters, primaries at home %v, want %d and true", arbiters, status.PrimariesAtHome(), len(world.Shards))
	}
}
