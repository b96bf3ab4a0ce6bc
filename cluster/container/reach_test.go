package container_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster/container"
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

func parse(t *testing.T, text string) *topology.Topology {
	t.Helper()
	world, err := topology.Parse("geoshard.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return world
}

// Query routers are reached from this machine and from containers alike, by names that nobody had to write into /etc/hosts; a container stands in the datacenter
// whose network it is on, and feels the distance to the other.
func TestRoutersAreReachedFromHereAndFromContainers(t *testing.T) {
	_, image := docker(t)
	c := run(t, container.WithTopology(parse(t, two)))
	uris := []string{must(c.NetworkURI("LON")), must(c.NetworkURI("NYC"))}
	took := probe(t, image, must(c.Network("LON")), uris)
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
func probe(t *testing.T, image, net string, uris []string) (took []time.Duration) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "probe")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", path, "./testdata/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the probe: %v\n%s", err, out)
	}
	client, err := testcontainers.Run(t.Context(), image, testcontainers.WithEntrypoint("/probe"), testcontainers.WithCmd(uris...),
		testcontainers.WithFiles(testcontainers.ContainerFile{HostFilePath: path, ContainerFilePath: "/probe", FileMode: 0o755}),
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
