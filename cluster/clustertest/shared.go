package clustertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/topology"
)

// SmallDC is the only datacenter of the small cluster.
const SmallDC topology.DatacenterID = "HERE"

// small is as little as a sharded cluster can be: it states no survival goal, because it would survive nothing.
const small = `version: 1
datacenters:
  HERE: {name: Here}
shards:
  s0: {members: [{dc: HERE, priority: 1}]}
  s1: {members: [{dc: HERE, priority: 1}]}
  s2: {members: [{dc: HERE, priority: 1}]}
zones:
  Z0: {shards: [s0]}
  Z1: {shards: [s1]}
  Z2: {shards: [s2]}
`

// Small returns the topology of the small cluster: one datacenter, three shards of one member.
func Small() (*topology.Topology, error) {
	t, err := topology.Parse("small.yaml", []byte(small))
	if err != nil {
		return nil, fmt.Errorf("parse the small topology: %w", err)
	}
	return t, nil
}

// shared is the one cluster of a test binary.
var shared struct {
	mu      sync.Mutex
	main    bool           // guarded by mu
	cluster *local.Cluster // guarded by mu
	dir     string         // guarded by mu
	err     error          // guarded by mu; of the start, told to every test
}

// startWithin bounds the start of a small cluster on a machine that is busy with other tests.
const startWithin = 2 * time.Minute

// Main runs the tests and then closes the shared cluster and the Worlds, if any were started. It returns the exit code.
func Main(m *testing.M) int {
	local.ChildMain()
	shared.mu.Lock()
	shared.main = true
	shared.mu.Unlock()
	code := m.Run()
	if err := errors.Join(closeShared(), closeWorlds()); err != nil {
		fmt.Fprintln(os.Stderr, "close the clusters of the tests:", err)
		return max(code, 1)
	}
	return code
}

// Shared returns the test binary's cluster of the Small topology, and starts it on first use. Tests share its data:
// give each a database of its own, and break nothing.
func Shared(t testing.TB) *local.Cluster {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if !shared.main {
		t.Fatal("clustertest.Shared needs TestMain to call clustertest.Main")
	}
	if shared.cluster == nil && shared.err == nil {
		shared.cluster, shared.dir, shared.err = startSmall(t)
	}
	if shared.err != nil {
		t.Fatalf("start shared cluster: %v", shared.err)
	}
	return shared.cluster
}

func startSmall(t testing.TB) (*local.Cluster, string, error) {
	small, err := Small()
	if err != nil {
		return nil, "", err
	}
	// Not t.TempDir: the cluster outlives the test that happened to be the first.
	dir, err := os.MkdirTemp("", "geoshard-shared-")
	if err != nil {
		return nil, "", fmt.Errorf("make directory: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	began := time.Now()
	c, err := local.Start(ctx, local.Options{Name: "shared", Dir: dir, Topology: small})
	t.Logf("shared cluster: started in %s", time.Since(began).Round(time.Millisecond))
	return c, dir, err
}

func closeShared() error {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.cluster != nil {
		if err := shared.cluster.Close(context.Background()); err != nil {
			return err
		}
	}
	if shared.dir == "" {
		return nil
	}
	return os.RemoveAll(shared.dir)
}
