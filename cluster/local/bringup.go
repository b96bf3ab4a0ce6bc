package local

import (
	"context"
	"errors"
	"fmt"

	"github.com/geoshard/geoshard/cluster/internal/replica"
)

func (c *Cluster) bringUp(ctx context.Context) error {
	ctx, end, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := c.form(ctx, nil, c.members()); err != nil {
		return fmt.Errorf("start cluster %s: %w", c.options.Name, err)
	}
	c.network.SetDelays(true)
	c.mu.Lock()
	c.ready = true
	c.mu.Unlock()
	c.report("ready")
	return c.saveState()
}

// form starts fresh processes and makes them a cluster, or part of the one that the old ones are.
func (c *Cluster) form(ctx context.Context, old, fresh []*process) error {
	f := replica.Formation[*process]{
		Old: old, Fresh: fresh, Launch: c.spawn, Ended: ended, Admit: createAdmin,
		ElectionTimeout: c.options.ElectionTimeout, Report: c.report,
	}
	return f.Run(ctx)
}

// ended is why a process has ended, and nil while it lives.
func ended(_ context.Context, p *process) error {
	if r := p.current(); !r.alive() {
		return p.exitError(r)
	}
	return nil
}

// unlessGone makes an error final when the process has ended; otherwise the server may just not be ready.
func unlessGone(p *process, err error) error {
	if err == nil {
		return nil
	}
	if gone := ended(context.Background(), p); gone != nil {
		return errors.Join(gone, err)
	}
	return nil
}

// awaitWork waits until a process does its work: routes, takes writes, copies them or votes.
func (c *Cluster) awaitWork(ctx context.Context, p *process) error {
	return poll(ctx, "wait for "+p.Name, func() (bool, error) {
		h, err := p.hello(ctx)
		return err == nil && h.Works(), unlessGone(p, err)
	})
}
