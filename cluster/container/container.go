package container

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/container/internal/box"
	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/cluster/internal/replica"
	"github.com/geoshard/geoshard/topology"
)

// A Cluster is a cluster in containers. It is safe for concurrent use.
type Cluster struct {
	settings
	// id tells the containers and networks of this cluster, by a label.
	id       string
	started  time.Time
	provider *testcontainers.DockerProvider
	docker   client.APIClient
	watcher  *watcher

	networks map[topology.DatacenterID]dcNetwork
	roster   *replica.Roster[*member]
	// life ends when Close begins; a Grow that is under way then stops.
	life    context.Context
	endLife context.CancelFunc
	api     box.Client
	lags    replica.Lags
	router  cluster.QueryRouter

	closing  sync.Once
	closeErr error

	reporting sync.Mutex // one call of the progress function at a time
}

var _ cluster.Cluster = (*Cluster)(nil)

// The ports of the members, the same in every cluster: each has networks of its own.
const (
	firstPort        = 27101
	firstControlPort = 28101
)

// place gives each node its addresses. A query router listens on two ports, so there is a gap.
func (c *Cluster) place(nodes []layout.Node, first int) {
	c.roster = replica.NewRoster[*member](c.world, c.grown, first)
	for i, n := range nodes {
		port := firstPort + 2*i
		m := &member{
			cluster: c, node: n, port: port, controlPort: firstControlPort + 2*i,
			host: net.JoinHostPort(hostName(n.Name), strconv.Itoa(port)),
		}
		c.roster.Add(m)
		c.lags.Members = append(c.lags.Members, m)
	}
	c.lags.Delay = c.delayFetches
}

// hostName is the name of a member in all networks: "nyc/LON" is nyc.lon.internal. Two members may share one: their ports differ.
func hostName(member string) string {
	return strings.NewReplacer("/", ".", "_", "-").Replace(strings.ToLower(member)) + ".internal"
}

// Name is the name the cluster was started with.
func (c *Cluster) Name() string { return c.name }

// Topology is the declared world that the cluster was built from; after Grow it is the grown one.
func (c *Cluster) Topology() *topology.Topology { return c.roster.Topology() }

// URI is the connection string of a datacenter's query router, for clients on this machine. It stays the same for the cluster's life.
func (c *Cluster) URI(dc topology.DatacenterID) (string, error) {
	m, err := c.roster.Router(dc)
	if err != nil {
		return "", err
	}
	return "mongodb://" + m.control + "/", nil
}

// NetworkURI is the connection string of a datacenter's query router, for containers on any of the cluster's networks: those on the network of
// another datacenter feel the distance.
func (c *Cluster) NetworkURI(dc topology.DatacenterID) (string, error) {
	m, err := c.roster.Router(dc)
	if err != nil {
		return "", err
	}
	return "mongodb://" + m.host + "/", nil
}

// Network is the name of the Docker network that is a datacenter: containers on it stand in that datacenter.
func (c *Cluster) Network(dc topology.DatacenterID) (string, error) {
	if n, ok := c.networks[dc]; ok {
		return n.name, nil
	}
	return "", cluster.Unknown(topology.ErrUnknownDatacenter, dc, c.Topology().DatacenterIDs())
}

// MemberURI is the connection string of exactly one member, for clients on this machine, or topology.ErrUnknownMember.
func (c *Cluster) MemberURI(member string) (string, error) {
	m, err := c.roster.Member(member)
	if err != nil {
		return "", err
	}
	return "mongodb://" + m.control + "/?directConnection=true", nil
}

// DialContext connects to a member by the name that the members know it by, from this machine and past all links. With it a driver's
// client can discover replica sets: options.Client().SetDialer(c). Other addresses are dialled as they are.
func (c *Cluster) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if here, ok := c.HostMap()[address]; ok {
		address = here
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// HostMap says where each member is reached from this machine, by its advertised address; zones/verify takes it.
func (c *Cluster) HostMap() map[string]string {
	hosts := map[string]string{}
	for _, m := range c.roster.Members() {
		hosts[m.host] = m.control
	}
	return hosts
}

// Close removes every container with its data, and the networks. It is idempotent: later calls wait for the first and return its result.
func (c *Cluster) Close(ctx context.Context) error {
	c.closing.Do(func() {
		c.endLife()
		defer c.roster.Hold()() // or a Grow would go on making containers
		// Once begun, removing is finished: a caller who gives up must not leave half of it behind.
		ctx := context.WithoutCancel(ctx)
		var leaving sync.WaitGroup
		for _, m := range c.roster.All() {
			leaving.Go(func() { m.direct.Disconnect(ctx) })
		}
		err := removeCluster(ctx, c.docker, c.id)
		leaving.Wait()
		if err := errors.Join(err, c.watcher.stop(), c.provider.Close()); err != nil {
			c.closeErr = fmt.Errorf("close cluster %s: %w", c.Name(), err)
		}
	})
	return c.closeErr
}
