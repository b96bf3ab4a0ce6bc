package zones_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/topology"
)

func TestMain(m *testing.M) {
	none, err := os.MkdirTemp("", "geoshard-settings-")
	if err == nil {
		err = os.Setenv("XDG_CONFIG_HOME", none) // commands see no settings of the machine
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := clustertest.Main(m)
	_ = os.RemoveAll(none)
	os.Exit(code)
}

var soak = os.Getenv("GEOSHARD_SOAK") == "1"

// start starts a cluster of a world for one test, without delays between datacenters.
func start(t *testing.T, world *topology.Topology, o local.Options) *local.Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	began := time.Now()
	o.Topology, o.Dir, o.WANScale = world, t.TempDir(), -1
	c, err := local.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	t.Logf("cluster of %d shards started in %s", len(world.Shards), time.Since(began).Round(100*time.Millisecond))
	return c
}

func connect(t *testing.T, uri string) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client
}

func collection(client *mongo.Client, namespace string) *mongo.Collection {
	db, name, _ := strings.Cut(namespace, ".")
	return client.Database(db).Collection(name)
}

func parse(t *testing.T, text string) *topology.Topology {
	t.Helper()
	world, err := topology.Parse("geoshard.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return world
}

// seedOf returns GEOSHARD_SEED, or a new seed, and prints it.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if given := os.Getenv("GEOSHARD_SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatalf("GEOSHARD_SEED: %v", err)
		}
	}
	t.Logf("GEOSHARD_SEED=%d", seed)
	return seed
}

// golden compares with a file of testdata, or rewrites it (`make golden`); commit only what you understand.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if os.Getenv("GEOSHARD_GOLDEN") == "rewrite" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s: want -, got +:\n%s", file, diff)
	}
}
