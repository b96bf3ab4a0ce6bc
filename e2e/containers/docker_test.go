package containers

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
)

const (
	// ownerLabel marks what these tests start with the pid of the run, so that the next run knows what a killed one left.
	ownerLabel = "geoshard.e2e.pid"
	// localImage is the name that scripts/image.sh gives; the tag is MongoDB's version.
	localImage = "geoshard-mongodb"
	// cleanUpTimeout bounds the removal of a container or network, which goes on when the test's own context is over.
	cleanUpTimeout = 30 * time.Second
)

// TestMain sets what testcontainers has to know before it looks at Docker for the first time.
func TestMain(m *testing.M) {
	// Its reaper is an image that cannot be pulled everywhere; removeAbandoned does that work.
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
	ctx, cancel := context.WithTimeout(t.Context(), cleanUpTimeout)
	defer cancel()
	provider, err := testcontainers.NewDockerProvider()
	if err == nil {
		t.Cleanup(func() { _ = provider.Close() })
		err = provider.Health(ctx)
	}
	if err != nil {
		unavailable(t, fmt.Sprintf("Docker does not answer: start dockerd or set DOCKER_HOST (%v)", err))
	}
	api := provider.Client()
	removeAbandoned(t, api)
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

// owned is the filter for everything that these tests started.
func owned() client.Filters { return client.Filters{}.Add("label", ownerLabel) }

func labels() map[string]string { return map[string]string{ownerLabel: strconv.Itoa(os.Getpid())} }

// removeAbandoned removes the containers and networks of runs whose process is gone.
func removeAbandoned(t *testing.T, api client.APIClient) {
	t.Helper()
	for _, id := range containers(t, api, func(pid int) bool { return !alive(pid) }) {
		t.Logf("removing container %s of a run that was killed", id)
		removeContainer(t, api, id)
	}
	nets, err := api.NetworkList(t.Context(), client.NetworkListOptions{Filters: owned()})
	if err != nil {
		t.Fatalf("list networks: %v", err)
	}
	for _, n := range nets.Items {
		if pid, err := strconv.Atoi(n.Labels[ownerLabel]); err == nil && alive(pid) {
			continue
		}
		if _, err := api.NetworkRemove(t.Context(), n.ID, client.NetworkRemoveOptions{}); err != nil {
			t.Fatalf("remove network %s of a run that was killed: %v", n.Name, err)
		}
	}
}

// containers lists the containers that processes chosen by whose started.
func containers(t *testing.T, api client.APIClient, whose func(pid int) bool) []string {
	t.Helper()
	all, err := api.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: owned()})
	if err != nil {
		t.Fatalf("list containers: %v", err)
	}
	var ids []string
	for _, c := range all.Items {
		if pid, err := strconv.Atoi(c.Labels[ownerLabel]); err != nil || whose(pid) {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// alive reports whether a process exists, also another user's.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	err = p.Signal(syscall.Signal(0))
	return err == nil || os.IsPermission(err)
}

// removeContainer kills and removes a container, and is content when it is gone already. It does not depend on the test's context.
func removeContainer(t testing.TB, api client.APIClient, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), cleanUpTimeout)
	defer cancel()
	_, err := api.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if err != nil && !errdefs.IsNotFound(err) {
		t.Errorf("remove container %s: %v", id, err)
	}
}

// newNetwork makes a network of its own for a test.
func newNetwork(ctx context.Context, t *testing.T) *testcontainers.DockerNetwork {
	t.Helper()
	net, err := network.New(ctx, network.WithLabels(labels()))
	if err != nil {
		t.Fatalf("create network: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleanUpTimeout)
		defer cancel()
		if err := net.Remove(ctx); err != nil && !errdefs.IsNotFound(err) {
			t.Errorf("remove network: %v", err)
		}
	})
	return net
}
