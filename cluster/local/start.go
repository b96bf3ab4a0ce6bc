package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/cluster/internal/replica"
	"github.com/geoshard/geoshard/wan"
)

// Start starts a cluster and returns when every shard's primary is at home, every member copies, the shards are added
// and the delays are on. When ctx ends before, or anything fails, everything that was started is stopped and removed.
//
// It returns ErrRunning when a cluster of that name runs, in whatever process.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	began := time.Now()
	o, err := o.withDefaults(ctx)
	if err != nil {
		return nil, err
	}
	c, err := prepare(o, began)
	if err != nil {
		return nil, err
	}
	if err := c.bringUp(ctx); err != nil {
		return nil, errors.Join(err, c.Close(ctx))
	}
	return c, nil
}

// prepare takes the name, the directory, the ports and the network. No process runs yet.
func prepare(o Options, began time.Time) (*Cluster, error) {
	nodes, first, err := layout.OfGrowing(o.Topology, o.Grown, o.Tools.Mongos == "")
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(o.Dir, o.Name)
	if _, err := examine(dir); err != nil { // before there is even a lock file
		return nil, fmt.Errorf("start cluster %s: %w", o.Name, err)
	}
	lock, err := lockName(o.Dir, o.Name)
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		options: o, dir: dir, lock: lock, started: began,
		forker: newForker(), roster: replica.NewRoster[*process](o.Topology, o.Grown, first), done: make(chan struct{}),
	}
	c.operations = c.obey
	c.addresses = func() (book, *security) { return c.members(), c.security }
	c.life, c.endLife = context.WithCancelCause(context.Background())
	if err := c.layOut(nodes); err != nil {
		return nil, errors.Join(err, c.Close(context.Background()))
	}
	return c, nil
}

// layOut makes what the processes need.
func (c *Cluster) layOut(nodes []node) (err error) {
	if err := removeLeftovers(c.dir); err != nil {
		return err
	}
	if c.mark, err = claim(c.dir, nodes); err != nil {
		return err
	}
	for _, sub := range []string{"data", "logs"} {
		if err := os.Mkdir(filepath.Join(c.dir, sub), 0o700); err != nil {
			return fmt.Errorf("make cluster directory: %w", err)
		}
	}
	o, world := c.options, c.roster.Widest()
	if c.security, err = newSecurity(o, nodes, filepath.Join(c.dir, "secrets")); err != nil {
		return err
	}
	c.network, err = wan.New(wan.Options{Datacenters: world.DatacenterIDs(), Links: world.Links, Scale: o.WANScale})
	if err != nil {
		return fmt.Errorf("emulate network: %w", err)
	}
	c.network.SetDelays(false) // until the cluster stands
	c.lags.Delay = c.delayFetches
	for _, n := range nodes {
		n.ElectionSpread = cmp.Or(o.electionSpread, n.ElectionSpread)
		if err := c.addProcess(n); err != nil {
			return err
		}
	}
	c.state = state{
		Name: o.Name, Supervisor: identify(os.Getpid()), Started: c.started.UTC(),
		ServerVersion: o.Tools.Version, QueryRouter: queryRouter(o.Tools), Security: c.security,
	}
	if err := c.serveControl(); err != nil {
		return err
	}
	return c.saveState()
}

// addProcess gives a node its port and, if other datacenters talk to it, its front.
func (c *Cluster) addProcess(n node) error {
	port, err := takePort()
	if err != nil {
		return err
	}
	p := &process{node: n, security: c.security, log: filepath.Join(c.dir, "logs", fileName(n.Name)+".log"), port: port, host: loopback(port)}
	c.roster.Add(p) // from here on Close gives the port back
	c.lags.Members = append(c.lags.Members, p)
	if n.Kind == layout.Router || n.Kind == layout.Core {
		return nil // only their own datacenter talks to them
	}
	p.host, err = c.network.Front(n.Name, n.DC, loopback(port))
	return err
}

// portAttempts is how many ports a server may find taken before we give up.
const portAttempts = 5

// spawn starts a process and returns when it takes connections. When somebody was quicker to take its port, it gets
// another one; only a first start may do that, because members with data are known by their address.
func (c *Cluster) spawn(ctx context.Context, p *process) error {
	for attempt := 1; ; attempt++ {
		err := c.launch(ctx, p)
		if err == nil || !portTaken(err) || attempt == portAttempts {
			return err
		}
		if err := c.movePort(p); err != nil {
			return err
		}
	}
}

func (c *Cluster) movePort(p *process) error {
	port, err := takePort()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.host == loopback(p.port) {
		p.host = loopback(port)
	} else if err := c.network.SetTarget(p.Name, loopback(port)); err != nil {
		return err
	}
	releasePort(p.port)
	p.port = port
	return nil
}

// launch starts the process, records it, and returns when it takes connections.
func (c *Cluster) launch(ctx context.Context, p *process) error {
	cmd, err := c.command(p)
	if err != nil {
		return err
	}
	if log, ok := cmd.Stdout.(*os.File); ok {
		defer func() { _ = log.Close() }()
	}
	r, err := p.launch(c.forker, cmd, c.network)
	if err == nil {
		err = c.saveState()
	}
	if err != nil {
		return err
	}
	return p.waitListening(ctx, r)
}
