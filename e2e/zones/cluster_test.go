package zones_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

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

// start starts a cluster of a world for one test, without delays between datacenters.
func start(t *testing.T, world *topology.Topology, o local.Options) *local.Cluster {
	t.Helper()
	o.Topology, o.WANScale = world, -1
	return clustertest.Own(t, o)
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
