package scenarios_test

import (
	"cmp"
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/container"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/topology"
)

// scale shrinks the links: 7.6, 20 and 26.5 ms. What is told here are outcomes, not times.
const scale = 0.1

// electionTimeout is longer than the clusters' default: machines that run all tests at once are slow.
const electionTimeout = 4 * time.Second

// startWithin bounds the start of a cluster on a machine that is busy with other tests.
const startWithin = 4 * time.Minute

func TestMain(m *testing.M) {
	// The reaper of testcontainers is an image that cannot be pulled everywhere; package container has a watcher of its own.
	setDefault("TESTCONTAINERS_RYUK_DISABLED", "true")
	// On a machine that looks like a container itself it would look for the ports elsewhere. A remote daemon is left alone.
	if os.Getenv("DOCKER_HOST") == "" {
		setDefault("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1")
	}
	os.Exit(clustertest.Main(m))
}

func setDefault(name, value string) {
	if os.Getenv(name) == "" {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
}

func TestOnLocalProcesses(t *testing.T) {
	world := preset(t)
	ctx, cancel := context.WithTimeout(t.Context(), startWithin)
	defer cancel()
	began := time.Now()
	c, err := local.Start(ctx, local.Options{Name: "scenarios", Dir: t.TempDir(), Topology: world, WANScale: scale, ElectionTimeout: electionTimeout})
	if err != nil {
		t.Fatalf("start: %v%s", err, hint(err))
	}
	closeAtEnd(t, c)
	t.Logf("started in %s", time.Since(began).Round(100*time.Millisecond))
	tell(t, &scene{Cluster: c})
}

func TestInContainers(t *testing.T) {
	image := availableImage(t)
	ctx, cancel := context.WithTimeout(t.Context(), startWithin)
	defer cancel()
	began := time.Now()
	c, err := container.Run(ctx, container.WithTopology(preset(t)), container.WithImage(image), container.WithWANScale(scale),
		container.WithElectionTimeout(electionTimeout))
	if err != nil {
		t.Fatalf("run: %v%s", err, hint(err))
	}
	closeAtEnd(t, c)
	t.Logf("started in %s", time.Since(began).Round(100*time.Millisecond))
	tell(t, &scene{Cluster: c, hostMap: c.HostMap()})
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

// availableImage returns the image to run. Without Docker or an image the test is skipped, or fails where containers are required.
func availableImage(t *testing.T) string {
	t.Helper()
	provider, err := testcontainers.NewDockerProvider()
	if err == nil {
		defer func() { _ = provider.Close() }()
		err = provider.Health(t.Context())
	}
	if err != nil {
		unavailable(t, "Docker does not answer: start dockerd or set DOCKER_HOST")
	}
	found, err := provider.Client().ImageList(t.Context(), client.ImageListOptions{Filters: client.Filters{}.Add("reference", "geoshard-mongodb")})
	if err != nil {
		t.Fatalf("list images: %v", err)
	}
	own := ""
	for _, one := range found.Items { // the newest comes first
		if own == "" && len(one.RepoTags) > 0 {
			own = one.RepoTags[0]
		}
	}
	image := cmp.Or(os.Getenv("GEOSHARD_TEST_IMAGE"), own)
	if image == "" {
		unavailable(t, "there is no image geoshard-mongodb: run scripts/image.sh MONGOD, or set GEOSHARD_TEST_IMAGE")
	}
	return image
}

func unavailable(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("GEOSHARD_REQUIRE_CONTAINERS") == "1" {
		t.Fatalf("GEOSHARD_REQUIRE_CONTAINERS=1, but %s", reason)
	}
	t.Skipf("CONTAINER SUITE NOT RUN: %s", reason)
}

func hint(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return "\nhint: " + hinted.Hint()
	}
	return ""
}
