package container_test

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"github.com/geoshard/geoshard/cluster/container"
)

// localImage is the name that scripts/image.sh gives; the tag is MongoDB's version.
const localImage = "geoshard-mongodb"

// TestMain sets what testcontainers has to know before it looks at Docker for the first time.
func TestMain(m *testing.M) {
	// Its reaper is an image that cannot be pulled everywhere; the package's own watcher does that work.
	setDefault("TESTCONTAINERS_RYUK_DISABLED", "true")
	// On a machine that looks like a container itself it would look for the ports elsewhere. A remote daemon is left alone.
	if os.Getenv("DOCKER_HOST") == "" {
		setDefault("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1")
	}
	os.Exit(m.Run())
}

func setDefault(name, value string) {
	if os.Getenv(name) == "" {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
}

// docker returns a client of the daemon and the image to run. Without them the test is skipped, or fails where containers are required.
func docker(t *testing.T) (client.APIClient, string) {
	t.Helper()
	provider, err := testcontainers.NewDockerProvider()
	if err == nil {
		t.Cleanup(func() { _ = provider.Close() })
		err = provider.Health(t.Context())
	}
	if err != nil {
		unavailable(t, "Docker does not answer: start dockerd or set DOCKER_HOST ("+err.Error()+")")
	}
	api := provider.Client()
	name := cmp.Or(os.Getenv("GEOSHARD_TEST_IMAGE"), newestLocalImage(t, api))
	if name == "" {
		unavailable(t, "there is no image "+localImage+": run scripts/image.sh MONGOD, or set GEOSHARD_TEST_IMAGE")
	}
	return api, name
}

func unavailable(t *testing.T, reason string) {
	t.Helper()
	reason = strings.ReplaceAll(reason, "\n", " ")
	if os.Getenv("GEOSHARD_REQUIRE_CONTAINERS") == "1" {
		t.Fatalf("GEOSHARD_REQUIRE_CONTAINERS=1, but %s", reason)
	}
	t.Skipf("CONTAINER SUITE NOT RUN: %s", reason)
}

func newestLocalImage(t *testing.T, api client.APIClient) string {
	t.Helper()
	found, err := api.ImageList(t.Context(), client.ImageListOptions{Filters: client.Filters{}.Add("reference", localImage)})
	if err != nil {
		t.Fatalf("list images: %v", err)
	}
	if len(found.Items) == 0 {
		return ""
	}
	newest := slices.MaxFunc(found.Items, func(a, b image.Summary) int { return cmp.Compare(a.Created, b.Created) })
	return newest.RepoTags[0]
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
		t.Fatalf("run: %v%s", err, hint(err))
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return c
}

func hint(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return "\nhint: " + hinted.Hint()
	}
	return ""
}
