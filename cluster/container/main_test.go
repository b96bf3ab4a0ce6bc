package container_test

import (
	"os"
	"testing"

	"github.com/geoshard/geoshard/internal/dockertest"
	"github.com/geoshard/geoshard/topology"
)

func TestMain(m *testing.M) {
	dockertest.Prepare()
	os.Exit(m.Run())
}

func parse(t *testing.T, text string) *topology.Topology {
	t.Helper()
	world, err := topology.Parse("geoshard.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return world
}
