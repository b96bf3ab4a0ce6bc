package local

import (
	"context"
	"fmt"

	"github.com/geoshard/geoshard/cluster/internal/replica"
)

func (c *Cluster) bringUp(ctx context.Context) error {
	return c.during(ctx, func(ctx context.Context) error {
		if err := c.form(ctx, nil, c.roster.Members()); err != nil {
			return fmt.Errorf("start cluster %s: %w", c.options.Name, err)
		}
		c.network.SetDelays(true)
		c.mu.Lock()
		c.state.Ready = true
		c.mu.Unlock()
		c.report("ready")
		return c.saveState()
	})
}

// form starts fresh processes and makes them a cluster, or part of the one that the old ones are.
func (c *Cluster) form(ctx context.Context, old, fresh []*process) error {
	f := replica.Formation[*process]{
		Old: old, Fresh: fresh, Launch: c.spawn, Admit: createAdmin,
		ElectionTimeout: c.options.ElectionTimeout, Report: c.report,
	}
	return f.Run(ctx)
}

// awaitWork waits until a process does its work: routes, takes writes, copies them or votes.
func awaitWork(ctx context.Context, p *process) error {
	return replica.AwaitHello(ctx, p, "do its work", replica.Hello.Works)
}
