package containers

import (
	"context"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"

	"github.com/geoshard/geoshard/internal/dockertest"
)

const (
	// ownerLabel marks what these tests start with the pid of the run, so that the next run knows what a killed one left.
	ownerLabel = "geoshard.e2e.pid"
	// cleanUpTimeout bounds the removal of a container or network, which goes on when the test's own context is over.
	cleanUpTimeout = 30 * time.Second
)

func TestMain(m *testing.M) {
	dockertest.Prepare() // removeAbandoned does the reaper's work
	os.Exit(m.Run())
}

// docker returns a client of the daemon and the image to run.
func docker(t *testing.T) (client.APIClient, string) {
	t.Helper()
	api := dockertest.Client(t)
	removeAbandoned(t, api)
	return api, dockertest.Image(t, api)
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
