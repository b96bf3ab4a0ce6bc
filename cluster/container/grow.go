package container

import (
	"context"
	"fmt"

	"github.com/geoshard/geoshard/cluster"
)

// Grow makes the cluster what WithGrowth says, while it works on: the containers of new datacenters, shards and members start, new members of old sets copy without a vote before
// they get one, new sets become shards, and new datacenters get their query routers. It returns when all of them do their work. Zones and ranges stay as they are: a plan
// for the grown topology moves them.
//
// A Grow that failed or was interrupted goes on when it is called again; when the cluster is grown it returns at once. Without WithGrowth it returns ErrUnsupported.
func (c *Cluster) Grow(ctx context.Context) error {
	if c.grown == nil {
		return cluster.CannotGrow(c.Name(), "run it with container.WithGrowth")
	}
	if err := c.open(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.life, func() { cancel(cluster.ErrClosed) })()
	return c.roster.Grow(func(old, fresh []*member) error {
		if err := c.open(); err != nil { // it was closed while another call went on
			return err
		}
		if err := c.form(ctx, old, fresh); err != nil {
			return fmt.Errorf("grow cluster %s: %w", c.Name(), err)
		}
		c.report("grown")
		return nil
	})
}
