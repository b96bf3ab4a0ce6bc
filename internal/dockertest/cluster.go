package dockertest

import (
	"context"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/container"
)

// startWithin bounds the start of a cluster in containers on a machine that is busy with other tests.
const startWithin = 5 * time.Minute

// Run runs a cluster in containers, of the image that Image finds, for one test, and closes it at that test's end. Without a daemon or an image the test ends; see
// Unavailable.
func Run(t *testing.T, options ...container.Option) *container.Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startWithin)
	defer cancel()
	first := []container.Option{container.WithImage(Image(t, Client(t))), container.WithProgress(func(text string) { t.Log(text) })}
	c, err := container.Run(ctx, append(first, options...)...)
	if err != nil {
		t.Fatalf("run: %v%s", err, clustertest.Hint(err))
	}
	t.Cleanup(func() {
		began := time.Now()
		if err := c.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
		t.Logf("closed in %s", time.Since(began).Round(100*time.Millisecond))
	})
	return c
}
