package container

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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
	settings settings
	// id tells the containers and networks of this cluster, by a label.
	id       string
	started  time.Time
	provider *testcontainers.DockerProvider
	docker   client.APIClient
	watcher  *watcher

	networks map[topology.DatacenterID]dcNetwork
	// places are all members in the order of the layout: first those that the cluster starts with, then those that it grows by.
	places  []*member
	first   int          // how many of them the cluster starts with
	present atomic.Int32 // how many of them belong to the cluster by now
	growing sync.Mutex   // one call of Grow at a time; Close waits for it
	// life ends when Close begins; a Grow that is under way then stops.
	life    context.Context
	endLife context.CancelFunc
	world   atomic.Pointer[topology.Topology]
	api     box.Client
	lags    replica.Lags
	router  cluster.QueryRouter

	closed   atomic.Bool
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
	c.first = first
	c.present.Store(int32(first))
	c.world.Store(c.settings.world)
	for i, n := range nodes {
		port := firstPort + 2*i
		m := &member{
			node: n, port: port, controlPort: firstControlPort + 2*i,
			host: net.JoinHostPort(hostName(n.Name), strconv.Itoa(port)),
		}
		c.places = append(c.places, m)
		c.lags.Members = append(c.lags.Members, m)
	}
	c.lags.Delay = c.delayFetches
}

// hostName is the name of a member in all networks: "nyc/LON" is nyc.lon.internal. Two members may share one: their ports differ.
func hostName(member string) string {
	return strings.NewReplacer("/", ".", "_", "-").Replace(strings.ToLower(member)) + ".internal"
}

// Name is the name the cluster was started with.
func (c *Cluster) Name() string { return c.settings.name }

// Topology is the declared world that the cluster was built from; after Grow it is the grown one.
func (c *Cluster) Topology() *topology.Topology { return c.world.Load() }

// members are those that belong to the cluster.
func (c *Cluster) members() []*member { return c.places[:c.present.Load()] }

// URI is the connection string of a datacenter's query router, for clients on this machine. It stays the same for the cluster's life.
func (c *Cluster) URI(dc topology.DatacenterID) (string, error) {
	m, err := c.routerOf(dc)
	if err != nil {
		return "", err
	}
	return "mongodb://" + m.control + "/", nil
}

// NetworkURI is the connection string of a datacenter's query router, for containers on any of the cluster's networks: those on the network of
// another datacenter feel the distance.
func (c *Cluster) NetworkURI(dc topology.DatacenterID) (string, error) {
	m, err := c.routerOf(dc)
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
	return "", cluster.UnknownDatacenter(dc, c.datacenters())
}

// MemberURI is the connection string of exactly one member, for clients on this machine, or topology.ErrUnknownMember.
func (c *Cluster) MemberURI(member string) (string, error) {
	m, err := c.member(member)
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
	for _, m := range c.members() {
		hosts[m.host] = m.control
	}
	return hosts
}

func (c *Cluster) datacenters() []topology.DatacenterID {
	var ids []topology.DatacenterID
	for _, dc := range c.Topology().Datacenters {
		ids = append(ids, dc.ID)
	}
	return ids
}

func (c *Cluster) routerOf(dc topology.DatacenterID) (*member, error) {
	var known []topology.DatacenterID
	for _, m := range c.members() {
		if m.node.Kind != layout.Router {
			continue
		}
		if m.node.DC == dc {
			return m, nil
		}
		known = append(known, m.node.DC)
	}
	return nil, cluster.UnknownDatacenter(dc, known)
}

func (c *Cluster) member(name string) (*member, error) {
	var known []string
	for _, m := range c.members() {
		if m.node.Name == name {
			return m, nil
		}
		known = append(known, m.node.Name)
	}
	return nil, cluster.UnknownMember(name, known)
}

// Close removes every container with its data, and the networks. It is idempotent: later calls wait for the first and return its result.
func (c *Cluster) Close(ctx context.Context) error {
	c.closing.Do(func() {
		c.closed.Store(true)
		c.endLife()
		c.growing.Lock() // or it would go on making containers
		defer c.growing.Unlock()
		// Once begun, removing is finished: a caller who gives up must not leave half of it behind.
		ctx := context.WithoutCancel(ctx)
		var leaving sync.WaitGroup
		for _, m := range c.places {
			leaving.Go(func() { m.disconnect(ctx) })
		}
		err := removeCluster(ctx, c.docker, c.id)
		leaving.Wait()
		if err := errors.Join(err, c.watcher.stop(), c.provider.Close()); err != nil {
			c.closeErr = fmt.Errorf("close cluster %s: %w", c.Name(), err)
		}
	})
	return c.closeErr
}
