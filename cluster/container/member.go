package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	docker "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/cluster/internal/replica"
	"github.com/geoshard/geoshard/hint"
)

// A node is embedded in a member under this name.
type node = layout.Node

// A member is one container with the process of one node.
type member struct {
	node
	cluster           *Cluster
	port, controlPort int
	// host is the advertised address, which leads to the box in every network.
	host string
	// control is the address on this machine, past all links.
	control string

	mu     sync.Mutex
	id     string // guarded by mu: of the container
	pid    int    // guarded by mu: 0 when it does not run
	paused bool   // guarded by mu
	killed bool   // guarded by mu: by us

	direct replica.Direct
}

var _ replica.Member = (*member)(nil)

// Node is the member's place in the layout.
func (m *member) Node() layout.Node { return m.node }

// Advertised is the address by which the members know it.
func (m *member) Advertised() string { return m.host }

// Running tells that its process runs and is not paused.
func (m *member) Running() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pid != 0 && !m.paused
}

// Run runs a command on the admin database of exactly this member, past all links.
func (m *member) Run(ctx context.Context, command bson.D, into any) error {
	return m.direct.Run(ctx, m.node, func() *options.ClientOptions {
		return options.Client().ApplyURI("mongodb://" + m.control + "/").SetConnectTimeout(2 * time.Second)
	}, command, into)
}

// Each server's storage cache, the least that mongod accepts, and its oplog.
const (
	cacheGB = 0.25
	oplogMB = 64
)

func (c *Cluster) command(m *member) []string {
	common := []string{"--bind_ip_all", "--port", strconv.Itoa(m.port), "--setParameter", "diagnosticDataCollectionEnabled=false"}
	if m.Kind == layout.Router {
		return slices.Concat([]string{"mongos"}, common, layout.RouterArguments(), []string{"--configdb", replica.ConfigServers(c.roster.Members())})
	}
	return slices.Concat([]string{"mongod"}, common, []string{"--dbpath", "/data/db"}, m.ServerArguments(cacheGB, oplogMB))
}

// create makes and starts a member's container. It goes past testcontainers, which would publish the image's ports on all addresses of this machine; its
// labels make testcontainers' reaper know the container all the same.
func (c *Cluster) create(ctx context.Context, m *member) error {
	if m.container() != "" { // an attempt that was interrupted made it
		return c.launch(ctx, m)
	}
	net, all := c.networks[m.DC], reapedLabels(c.id)
	all[memberLabel] = m.Name
	made, err := c.docker.ContainerCreate(ctx, client.ContainerCreateOptions{
		Config: &docker.Config{Image: c.image, Cmd: c.command(m), Labels: all},
		NetworkingConfig: &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{
			net.name: {NetworkID: net.id},
		}},
	})
	if err != nil {
		return fmt.Errorf("make the container of %s: %w", m.Name, err)
	}
	m.mu.Lock()
	m.id = made.ID
	m.mu.Unlock()
	return c.launch(ctx, m)
}

// launch starts a member's container and tells the box about its address before anything can be fetched from there.
func (c *Cluster) launch(ctx context.Context, m *member) error {
	if _, err := c.docker.ContainerStart(ctx, m.container(), client.ContainerStartOptions{}); err != nil {
		return hint.New(fmt.Errorf("start the container of %s: %w", m.Name, err),
			"the image "+c.image+" needs mongod and mongos; scripts/image.sh makes one that has both")
	}
	state, address, err := c.inspect(ctx, m)
	if err != nil {
		return err
	}
	m.note(state.Pid, false, false)
	if !state.Running {
		return m.Ended(ctx)
	}
	return c.api.Register(ctx, m.Name, netip.AddrPortFrom(address, uint16(m.port)).String())
}

// note records what has become of the process.
func (m *member) note(pid int, paused, killed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pid, m.paused, m.killed = pid, paused, killed
}

func (m *member) container() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.id
}

func (c *Cluster) inspect(ctx context.Context, m *member) (docker.State, netip.Addr, error) {
	seen, err := c.docker.ContainerInspect(ctx, m.container(), client.ContainerInspectOptions{})
	if err == nil && seen.Container.State == nil {
		err = errors.New("the daemon does not tell its state")
	}
	if err != nil {
		return docker.State{}, netip.Addr{}, fmt.Errorf("inspect the container of %s: %w", m.Name, err)
	}
	var address netip.Addr
	if seen.Container.NetworkSettings != nil {
		if at := seen.Container.NetworkSettings.Networks[c.networks[m.DC].name]; at != nil {
			address = at.IPAddress
		}
	}
	return *seen.Container.State, address, nil
}

// Ended returns nil while the member's container runs, and what it said when it does not any more.
func (m *member) Ended(ctx context.Context) error {
	state, _, err := m.cluster.inspect(ctx, m)
	if err != nil || state.Running || state.Paused {
		return err
	}
	return hint.New(fmt.Errorf("%s ended with exit code %d", m.Name, state.ExitCode), "its log ends with:\n"+m.tail(ctx))
}

// tail returns the last lines of a member's log, or why they cannot be read.
func (m *member) tail(ctx context.Context) string {
	log, err := m.cluster.docker.ContainerLogs(ctx, m.container(), client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Tail: "20"})
	if err != nil {
		return err.Error()
	}
	defer func() { _ = log.Close() }()
	var text strings.Builder
	if _, err := stdcopy.StdCopy(&text, &text, io.LimitReader(log, 1<<20)); err != nil {
		return err.Error()
	}
	return text.String()
}
