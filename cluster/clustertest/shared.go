package clustertest

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/topology"
)

// SmallDC is the only datacenter of the small cluster.
const SmallDC topology.DatacenterID = "HERE"

//go:embed small.yaml
var small []byte

// Small returns the topology of the small cluster: one datacenter, three shards of one member.
func Small() (*topology.Topology, error) { return topology.Parse("small.yaml", small) }

// A SharedCluster is what a test may ask of a cluster that it shares with other packages. Nobody can break it.
type SharedCluster interface {
	// Topology is the declared world: that of Small.
	Topology() *topology.Topology
	// URI is the connection string of the query router.
	URI(dc topology.DatacenterID) (string, error)
	// MemberURI is the connection string of exactly one member, such as s0/HERE.
	MemberURI(member string) (string, error)
}

// mainCalled is set by Main, without which nobody would close what is started.
var mainCalled atomic.Bool

// shared is the one cluster that this test binary shares with others.
var shared struct {
	once    sync.Once
	cluster SharedCluster
	err     error // told to every test
}

// Main runs the tests and then closes the clusters that they started. It returns the exit code.
func Main(m *testing.M) int {
	local.ChildMain()
	mainCalled.Store(true)
	code := m.Run()
	if err := closeWorlds(); err != nil {
		fmt.Fprintln(os.Stderr, "close the clusters of the tests:", err)
		return max(code, 1)
	}
	return code
}

// Shared returns a cluster of the Small topology that other packages use at the same time: the one that GEOSHARD_TEST_URI leads to, that GEOSHARD_TEST_CLUSTER
// names, or, without both, the one of this binary, started on first use. A test has databases of its own there (see [Claim]) and changes nothing that others see: where it
// moves zones of shards, the balancer or a lease, it takes [Alone].
func Shared(t testing.TB) SharedCluster {
	t.Helper()
	if !mainCalled.Load() {
		t.Fatal("clustertest.Shared needs TestMain to call clustertest.Main")
	}
	shared.once.Do(func() { shared.cluster, shared.err = share(t) })
	if errors.Is(shared.err, errOtherShards) {
		Needs(t, shared.err.Error())
	}
	if shared.err != nil {
		t.Fatalf("share a cluster: %v%s", shared.err, Hint(shared.err))
	}
	return shared.cluster
}

func share(t testing.TB) (SharedCluster, error) {
	world, err := Small()
	if err != nil {
		return nil, err
	}
	if uri := os.Getenv(uriEnv); uri != "" {
		return connectGiven(uri, world)
	}
	if at := os.Getenv(clusterEnv); at != "" {
		return attach(at, world)
	}
	return alone.begin(t) // closed with the Worlds
}

// alone is this binary's own cluster of the Small topology.
var alone = &World{YAML: string(small), Options: local.Options{Name: "shared"}}

// Alone returns a cluster of the Small topology that no other package uses, started on first use: its tests may change what concerns the whole cluster.
func Alone(t testing.TB) *local.Cluster {
	t.Helper()
	return alone.Start(t)
}
