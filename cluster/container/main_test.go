package container_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/container"
	"github.com/geoshard/geoshard/internal/dockertest"
)

func TestMain(m *testing.M) {
	dockertest.Prepare()
	os.Exit(m.Run())
}

// docker returns a client of the daemon and the image to run.
func docker(t *testing.T) (client.APIClient, string) {
	t.Helper()
	api := dockertest.Client(t)
	return api, dockertest.Image(t, api)
}

// startWithin bounds the start of a cluster on a machine that is busy with other tests.
const startWithin = 4 * time.Minute

// run starts a cluster for one test and closes it at the test's end.
func run(t *testing.T, options ...container.Option) *container.Cluster {
	t.Helper()
	_, image := docker(t)
	ctx, cancel := context.WithTimeout(t.Context(), startWithin)
	defer cancel()
	options = append([]container.Option{container.WithImage(image), container.WithProgress(func(text string) { t.Log(text) })}, options...)
	c, err := container.Run(ctx, options...)
	if err != nil {
		t.Fatalf("run: %v%s", err, clustertest.Hint(err))
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return c
}
