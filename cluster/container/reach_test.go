package container_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	docker "github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/container"
	"github.com/geoshard/geoshard/internal/dockertest"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

// two datacenters, and as little in them as there can be.
const two = `version: 1
datacenters:
  NYC: {name: New York}
  LON: {name: London, role: passive}
links:
  - {between: [NYC, LON], rtt: 60ms}
shards:
  nyc: {members: [{dc: NYC, priority: 1}]}
zones:
  NYC: {shards: [nyc]}
`

// threeOf is that world and a third datacenter.
const threeOf = `version: 1
datacenters:
  NYC: {name: New York}
  LON: {name: London, role: passive}
  SYD: {name: Sydney, role: passive}
links:
  - {between: [NYC, LON], rtt: 60ms}
  - {between: [NYC, SYD], rtt: 60ms}
  - {between: [LON, SYD], rtt: 60ms}
shards:
  nyc: {members: [{dc: NYC, priority: 1}]}
zones:
  NYC: {shards: [nyc]}
`

// One small cluster for what can be seen with two datacenters.
func TestTwoDatacenters(t *testing.T) {
	t.Parallel()
	c := dockertest.Run(t, container.WithTopology(parse(t, two)), container.WithGrowth(parse(t, threeOf)))
	t.Run("routers are reached from here and from containers", func(t *testing.T) { routersAreReached(t, c) })
	t.Run("closing ends a growth", func(t *testing.T) { closingEndsAGrowth(t, c) })
}

// Closing a cluster ends its growth, and what that had begun goes with the rest.
func closingEndsAGrowth(t *testing.T, c *container.Cluster) {
	api := dockertest.Client(t)
	before := left(t, api, c.Name())
	grown := make(chan error, 1)
	go func() { grown <- c.Grow(t.Context()) }()
	testkit.Eventually(t, testkit.Patience, "the first container of the growth", func() bool { return left(t, api, c.Name()) > before })
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-grown; !errors.Is(err, cluster.ErrClosed) {
		t.Errorf("grow: got %v, want ErrClosed", err)
	}
	if err := c.Grow(t.Context()); !errors.Is(err, cluster.ErrClosed) {
		t.Errorf("grow what is closed: got %v, want ErrClosed", err)
	}
	if n := left(t, api, c.Name()); n != 0 {
		t.Errorf("%d containers and networks are still there", n)
	}
}

// Query routers are reached from this machine and from containers alike, by names that nobody had to write into /etc/hosts; a container stands in the datacenter
// whose network it is on, and feels the distance to the other.
func routersAreReached(t *testing.T, c *container.Cluster) {
	uris := []string{must(c.NetworkURI("LON")), must(c.NetworkURI("NYC"))}
	took := probe(t, must(c.Network("LON")), uris)
	t.Logf("from a container in London: %s to London's router, %s to New York's", took[0], took[1])
	if took[0] >= 60*time.Millisecond || took[1] < 60*time.Millisecond {
		t.Errorf("got %s and %s, want 60ms to the other datacenter alone", took[0], took[1])
	}
	for _, dc := range []topology.DatacenterID{"NYC", "LON"} {
		client, err := mongo.Connect(options.Client().ApplyURI(must(c.URI(dc))))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = client.Disconnect(t.Context()) }()
		n, err := client.Database("probe").Collection("notes").CountDocuments(t.Context(), bson.D{})
		if err != nil || n != 2 {
			t.Errorf("from here through %s: got %d documents (%v), want the 2 that the container wrote", dc, n, err)
		}
	}

	// The members' own names work from this machine too, with the cluster as the driver's dialer.
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	member, _ := status.Member("nyc/NYC")
	set, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + member.Host + "/?replicaSet=nyc").SetDialer(c))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = set.Disconnect(t.Context()) }()
	if err := set.Ping(t.Context(), nil); err != nil {
		t.Errorf("replica set by its own names: %v", err)
	}
}

func must(text string, err error) string {
	if err != nil {
		panic(err)
	}
	return text
}

// probe runs a client in a container on a network, and returns the round trips to the routers.
func probe(t *testing.T, net string, uris []string) (took []time.Duration) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "probe")
	// With the flags that the box and the image are built with, so that little is compiled anew.
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", path, "./testdata/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the probe: %v\n%s", err, out)
	}
	client, err := testcontainers.Run(t.Context(), dockertest.Image(t, dockertest.Client(t)), testcontainers.WithEntrypoint("/probe"), testcontainers.WithCmd(uris...),
		// Mounted, not copied: testcontainers packs what it copies with gzip, which took minutes on a busy machine.
		testcontainers.WithHostConfigModifier(func(h *docker.HostConfig) { h.Binds = []string{path + ":/probe:ro"} }),
		network.WithNetworkName(nil, net), testcontainers.WithWaitStrategyAndDeadline(2*time.Minute, wait.ForExit()))
	if client != nil {
		defer func() {
			if err := testcontainers.TerminateContainer(client); err != nil {
				t.Errorf("remove the probe: %v", err)
			}
		}()
	}
	if err != nil {
		t.Fatalf("run the probe: %v", err)
	}
	log, err := client.Logs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	text, err := io.ReadAll(log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if fields := strings.Fields(line); len(fields) == 3 && strings.HasSuffix(fields[0], "answered") {
			d, err := time.ParseDuration(fields[2])
			if err != nil {
				t.Fatal(err)
			}
			took = append(took, d)
		}
	}
	if len(took) != len(uris) {
		t.Fatalf("the probe says:\n%s", text)
	}
	return took
}
