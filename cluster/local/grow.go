package local

import (
	"context"
	"fmt"

	"github.com/geoshard/geoshard/cluster"
)

// Grow makes the cluster what Options.Grown says, while it works on: the processes of new datacenters, shards and members start, new members of old sets copy without a vote before they get
// one, new sets become shards, and new datacenters get their query routers. It returns when all of them do their work. Zones and ranges stay as they are: a plan for the
// grown topology moves them.
//
// A Grow that failed or was interrupted goes on when it is called again; when the cluster is grown it returns at once. Without Options.Grown it returns ErrUnsupported.
func (c *Cluster) Grow(ctx context.Context) error {
	if c.options.Grown == nil {
		return cluster.CannotGrow(c.Name(), "start it with the grown topology as well: geoshard cluster up --grow-to FILE")
	}
	return c.during(ctx, func(ctx context.Context) error {
		err := c.roster.Grow(func(old, fresh []*process) error {
			if err := c.form(ctx, old, fresh); err != nil {
				return fmt.Errorf("grow cluster %s: %w", c.Name(), err)
			}
			c.report("grown")
			return nil
		})
		if err != nil {
			return err
		}
		return c.saveState()
	})
}
