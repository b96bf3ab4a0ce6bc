package local

import (
	"context"
	"fmt"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/replica"
)

// Status asks every process once, in parallel, through the control plane: faults of the network do not hide a member.
func (c *Cluster) Status(ctx context.Context) (s cluster.Status, _ error) {
	err := c.during(ctx, func(ctx context.Context) error {
		members, router := c.roster.LookAt(ctx, (*process).condition), queryRouter(c.options.Tools)
		if ctx.Err() != nil {
			return fmt.Errorf("ask members of %s: %w", c.Name(), context.Cause(ctx))
		}
		s = cluster.Status{
			Name: c.Name(), Taken: time.Now().UTC(), Started: c.started.UTC(),
			ServerVersion: router.Version, QueryRouter: router, Access: c.security.access(),
			Members: members, Links: replica.Links(c.network.Links()),
		}
		for _, f := range c.network.Faults() {
			s.Faults = append(s.Faults, f.String())
		}
		return nil
	})
	return s, err
}

func (p *process) condition() cluster.Member {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch r := p.run; {
	case r == nil:
		return cluster.Member{State: cluster.StateDown, Detail: "not started"}
	case !r.alive() && r.killed:
		return cluster.Member{State: cluster.StateDown, Detail: "killed"}
	case !r.alive():
		return cluster.Member{State: cluster.StateDown, Detail: fmt.Sprintf("ended by itself: %v; see %s", r.err, p.log)}
	case r.paused:
		return cluster.Member{State: cluster.StatePaused, PID: r.id.PID}
	default:
		return cluster.Member{State: cluster.StateUp, PID: r.id.PID}
	}
}
