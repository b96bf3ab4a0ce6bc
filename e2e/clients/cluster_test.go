package clients_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/topology"
)

// uriEnv names a query router that runs already, for example a real mongos in front of three shards; no cluster is started then.
const uriEnv = "GEOSHARD_TEST_URI"

// world is one datacenter: the clients' subject is the query router, not the distance. The first shard can lose its primary, the others are as light as can be.
const world = `version: 1
datacenters: {HERE: {name: Here}}
shards:
  s0: {members: [{dc: HERE, priority: 3}, {dc: HERE, priority: 2}, {dc: HERE, priority: 1}]}
  s1: {members: [{dc: HERE}]}
  s2: {members: [{dc: HERE}]}
zones: {HERE: {shards: [s0, s1, s2]}}
`

// mortal is the shard of world that has a member to spare.
const mortal = topology.ShardID("s0")

// shared is the cluster of all tests; nil until the first needs it.
var shared *local.Cluster

func TestMain(m *testing.M) {
	local.ChildMain()
	code := m.Run()
	if shared != nil {
		if err := shared.Close(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "stop the cluster:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// routerURI is the connection string of the query router that the clients are tested through.
func routerURI(t *testing.T) string {
	t.Helper()
	if uri := os.Getenv(uriEnv); uri != "" {
		return uri
	}
	uri, err := startCluster(t).URI("HERE")
	if err != nil {
		t.Fatal(err)
	}
	return uri
}

// startCluster returns the shared cluster.
func startCluster(t *testing.T) *local.Cluster {
	t.Helper()
	if shared != nil {
		return shared
	}
	top, err := topology.Parse("world", []byte(world))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	began := time.Now()
	// Not in the test's directory: that ends with the test, and the cluster lives on.
	shared, err = local.Start(ctx, local.Options{Name: fmt.Sprintf("clients-%d", os.Getpid()), Topology: top, WANScale: -1})
	if err != nil {
		t.Fatalf("start a cluster: %v", err)
	}
	t.Logf("cluster up in %.1fs", time.Since(began).Seconds())
	return shared
}

// killPrimary ends the primary of the mortal shard with SIGKILL, and returns when another member is primary. The member is started again after the test.
func killPrimary(ctx context.Context, t *testing.T, c cluster.Cluster) {
	t.Helper()
	victim := awaitPrimary(ctx, t, c, "")
	t.Cleanup(func() {
		if err := c.Start(context.WithoutCancel(t.Context()), victim); err != nil {
			t.Errorf("start %s again: %v", victim, err)
		}
	})
	if err := c.Kill(ctx, victim); err != nil {
		t.Fatalf("kill %s: %v", victim, err)
	}
	t.Logf("killed %s; the primary is now %s", victim, awaitPrimary(ctx, t, c, victim))
}

// awaitPrimary returns the name of the mortal shard's primary as soon as there is one that is not the given member.
func awaitPrimary(ctx context.Context, t *testing.T, c cluster.Cluster, not string) string {
	t.Helper()
	poll := time.NewTicker(100 * time.Millisecond)
	defer poll.Stop()
	for {
		status, err := c.Status(ctx)
		if err != nil {
			t.Fatalf("ask for the primary of %s: %v", mortal, err)
		}
		i := slices.IndexFunc(status.Members, func(m cluster.Member) bool {
			return m.Shard == mortal && m.Role == cluster.RolePrimary && m.State == cluster.StateUp && m.Name != not
		})
		if i >= 0 {
			return status.Members[i].Name
		}
		select {
		case <-ctx.Done():
			t.Fatalf("wait for a primary of %s: %v", mortal, ctx.Err())
		case <-poll.C:
		}
	}
}
