package container

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/testcontainers/testcontainers-go"

	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/hint"
)

// ErrNoDocker means that no container runtime answers.
var ErrNoDocker = errors.New("no container runtime answers")

// Run starts a cluster and returns when every shard's primary is at home, every member copies, the shards are added and the delays are on.
// When ctx ends before, or anything fails, everything that was started is removed. Several clusters can run side by side.
//
// Its errors: ErrNoDocker, or what kept a container or the cluster from starting.
func Run(ctx context.Context, options ...Option) (*Cluster, error) {
	s, err := settingsOf(options)
	if err != nil {
		return nil, err
	}
	nodes, first, err := layout.OfGrowing(s.world, s.grown, false)
	if err != nil {
		return nil, err
	}
	provider, err := testcontainers.NewDockerProvider()
	if err == nil {
		err = provider.Health(ctx)
	}
	if err != nil {
		return nil, hint.New(fmt.Errorf("run cluster in containers: %w: %w", ErrNoDocker, err),
			"start Docker, or say by DOCKER_HOST where it is")
	}
	c := &Cluster{settings: s, id: ulid.Make().String(), started: time.Now(), provider: provider, docker: provider.Client()}
	c.name = cmp.Or(c.name, c.id)
	c.life, c.endLife = context.WithCancel(context.Background())
	c.place(nodes, first)
	if err := c.bringUp(ctx); err != nil {
		err = fmt.Errorf("run cluster in containers: %w", err)
		return nil, errors.Join(err, c.Close(context.WithoutCancel(ctx)))
	}
	return c, nil
}

// bringUp takes the steps of a start: what stands between the members, then the members, then what makes them one cluster.
func (c *Cluster) bringUp(ctx context.Context) error {
	if err := removeAbandoned(ctx, c.docker); err != nil {
		return err
	}
	var err error
	if c.watcher, err = startWatcher(c.id); err != nil {
		return err
	}
	if err := c.openNetworks(ctx); err != nil {
		return err
	}
	if err := c.startBox(ctx); err != nil {
		return err
	}
	c.report("the network between %d datacenters stands", len(c.roster.Widest().Datacenters))
	if err := c.form(ctx, nil, c.roster.Members()); err != nil {
		return err
	}
	if err := c.identify(ctx); err != nil {
		return err
	}
	if err := c.api.StartDelays(ctx); err != nil {
		return err
	}
	c.report("ready")
	return nil
}

func (c *Cluster) report(format string, args ...any) {
	c.reporting.Lock()
	defer c.reporting.Unlock()
	c.progress(fmt.Sprintf("%6.2fs ", time.Since(c.started).Seconds()) + fmt.Sprintf(format, args...))
}
