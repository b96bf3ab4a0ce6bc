package dockertest

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"github.com/geoshard/geoshard/cluster/clustertest"
)

// LocalImage is the name that scripts/image.sh gives; the tag is MongoDB's version.
const LocalImage = "geoshard-mongodb"

// answerWithin bounds the daemon's answer to the first question.
const answerWithin = 30 * time.Second

// Prepare sets what testcontainers has to know before it looks at Docker for the first time. Call it in TestMain.
func Prepare() {
	// Its reaper is an image that cannot be pulled everywhere; the tests clean up by themselves.
	setDefault("TESTCONTAINERS_RYUK_DISABLED", "true")
	// On a machine that looks like a container itself it would look for the ports elsewhere. A remote daemon is left alone.
	if os.Getenv("DOCKER_HOST") == "" {
		setDefault("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1")
	}
}

func setDefault(name, value string) {
	if os.Getenv(name) == "" {
		_ = os.Setenv(name, value) // names such as these can be set
	}
}

// Client returns a client of the daemon, for as long as the test runs. Without a daemon the test ends; see Unavailable.
func Client(t *testing.T) client.APIClient {
	t.Helper()
	clustertest.Needs(t, "clusters in containers")
	ctx, cancel := context.WithTimeout(t.Context(), answerWithin)
	defer cancel()
	provider, err := testcontainers.NewDockerProvider()
	if err == nil {
		t.Cleanup(func() { _ = provider.Close() })
		err = provider.Health(ctx)
	}
	if err != nil {
		Unavailable(t, fmt.Sprintf("Docker does not answer: start dockerd or set DOCKER_HOST (%v)", err))
	}
	return provider.Client()
}

// imageEnv names the image of MongoDB that tests run.
const imageEnv = "GEOSHARD_TEST_IMAGE"

// Image returns the image to run: that of GEOSHARD_TEST_IMAGE, or the newest local one, which that variable names from then on. Without one the test ends; see Unavailable.
func Image(t *testing.T, api client.APIClient) string {
	t.Helper()
	name := os.Getenv(imageEnv)
	if name == "" {
		name = newestLocalImage(t, api)
	}
	if name == "" {
		Unavailable(t, "there is no image "+LocalImage+": run scripts/image.sh MONGOD, or set "+imageEnv)
	}
	setDefault(imageEnv, name)
	return name
}

func newestLocalImage(t *testing.T, api client.APIClient) string {
	t.Helper()
	found, err := api.ImageList(t.Context(), client.ImageListOptions{Filters: client.Filters{}.Add("reference", LocalImage)})
	if err != nil {
		t.Fatalf("list images: %v", err)
	}
	if len(found.Items) == 0 {
		return ""
	}
	newest := slices.MaxFunc(found.Items, func(a, b image.Summary) int { return cmp.Compare(a.Created, b.Created) })
	return newest.RepoTags[0]
}

// Unavailable ends a test that cannot run containers. It is skipped, in words that scripts/test.sh repeats at the end, or fails where containers are required.
func Unavailable(t *testing.T, reason string) {
	t.Helper()
	reason = strings.ReplaceAll(reason, "\n", " ")
	if os.Getenv("GEOSHARD_REQUIRE_CONTAINERS") == "1" {
		t.Fatalf("GEOSHARD_REQUIRE_CONTAINERS=1, but %s", reason)
	}
	t.Skipf("CONTAINER SUITE NOT RUN: %s", reason)
}
