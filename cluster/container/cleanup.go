package container

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/gofrs/flock"
	"github.com/moby/moby/client"
	"github.com/shirou/gopsutil/v4/process"
	"github.com/testcontainers/testcontainers-go"
)

// The labels of everything that a cluster starts.
const (
	clusterLabel = "geoshard.cluster"
	// ownerLabel has the process that started it, as host/pid, so that others know what a dead one left.
	ownerLabel  = "geoshard.owner"
	memberLabel = "geoshard.member"
)

func labels(id string) map[string]string {
	return map[string]string{clusterLabel: id, ownerLabel: owner()}
}

// reapedLabels has those as well by which testcontainers' reaper knows what testcontainers did not make.
func reapedLabels(id string) map[string]string {
	all := testcontainers.GenericLabels()
	maps.Copy(all, labels(id))
	return all
}

func owner() string {
	host, _ := os.Hostname() // without a name, the pid alone has to do
	return host + "/" + strconv.Itoa(os.Getpid())
}

func ofCluster(id string) client.Filters {
	return client.Filters{}.Add("label", clusterLabel+"="+id)
}

// removeWithin bounds the removal of a cluster, which takes seconds, on a busy machine most of a minute: a daemon that hangs is to be told of, not waited for.
const removeWithin = 4 * time.Minute

// removeCluster removes the containers of a cluster, with their data, and then its networks.
func removeCluster(ctx context.Context, api client.APIClient, id string) error {
	ctx, cancel := context.WithTimeout(ctx, removeWithin)
	defer cancel()
	containers, err := api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: ofCluster(id)})
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	var problems []error
	for _, one := range containers.Items {
		problems = append(problems, removeContainer(ctx, api, one.ID))
	}
	networks, err := api.NetworkList(ctx, client.NetworkListOptions{Filters: ofCluster(id)})
	if err != nil {
		return errors.Join(append(problems, fmt.Errorf("list networks: %w", err))...)
	}
	for _, one := range networks.Items {
		if _, err := api.NetworkRemove(ctx, one.ID, client.NetworkRemoveOptions{}); err != nil && !errdefs.IsNotFound(err) {
			problems = append(problems, fmt.Errorf("remove network %s: %w", one.Name, err))
		}
	}
	return errors.Join(problems...)
}

// removeContainer removes one container with its data. No other program of this machine removes one meanwhile: Docker 20.10 can lock itself up for good when several
// containers leave their networks at once.
func removeContainer(ctx context.Context, api client.APIClient, id string) error {
	lock := flock.New(filepath.Join(os.TempDir(), "geoshard-containers.lock"), flock.SetPermissions(0o666))
	if locked, err := lock.TryLockContext(ctx, 20*time.Millisecond); err == nil && locked { // without a lock it is removed all the same
		defer func() { _ = lock.Unlock() }()
	}
	_, err := api.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsConflict(err) { // a conflict: it is being removed
		return fmt.Errorf("remove container %s: %w", id, err)
	}
	return nil
}

// removeAbandoned removes the clusters of processes of this machine that are gone.
func removeAbandoned(ctx context.Context, api client.APIClient) error {
	marked := client.Filters{}.Add("label", clusterLabel)
	containers, err := api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: marked})
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	networks, err := api.NetworkList(ctx, client.NetworkListOptions{Filters: marked})
	if err != nil {
		return fmt.Errorf("list networks: %w", err)
	}
	owners := map[string]string{}
	for _, one := range containers.Items {
		owners[one.Labels[clusterLabel]] = one.Labels[ownerLabel]
	}
	for _, one := range networks.Items {
		owners[one.Labels[clusterLabel]] = one.Labels[ownerLabel]
	}
	var problems []error
	for id, owner := range owners {
		if gone(owner) {
			problems = append(problems, removeCluster(ctx, api, id))
		}
	}
	return errors.Join(problems...)
}

// gone tells that an owner was a process of this machine that is not there any more. Whose machine or number is not known is left alone.
func gone(label string) bool {
	host, number, _ := strings.Cut(label, "/")
	pid, err := strconv.Atoi(number)
	if here, _ := os.Hostname(); err != nil || host != here {
		return false
	}
	exists, err := process.PidExists(int32(pid))
	return err == nil && !exists
}
