package local

import (
	"context"
	"fmt"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/replica"
)

// answerWithin is how long a status waits for one member.
const answerWithin = time.Second

// Status asks every process once, in parallel, through the control plane: faults of the network do not hide a member.
func (c *Cluster) Status(ctx context.Context) (cluster.Status, error) {
	ctx, end, err := c.begin(ctx)
	if err != nil {
		return cluster.Status{}, err
	}
	defer end()
	members := c.roster.LookAt(func(p *process) replica.Look { return p.look(ctx) })
	if err := ctx.Err(); err != nil {
		return cluster.Status{}, fmt.Errorf("ask members of %s: %w", c.Name(), context.Cause(ctx))
	}
	s := cluster.Status{
		Name: c.Name(), Taken: time.Now().UTC(), Started: c.started.UTC(),
		ServerVersion: c.options.Tools.Version, QueryRouter: queryRouter(c.options.Tools),
		Access:  c.security.access(queryRouter(c.options.Tools)),
		Members: members, Links: replica.Links(c.network.Links()),
	}
	for _, f := range c.network.Faults() {
		s.Faults = append(s.Faults, f.String())
	}
	return s, nil
}

func (p *process) look(ctx context.Context) replica.Look {
	l := replica.Unasked(p)
	r := p.current()
	switch {
	case !r.alive():
		l.Member.State, l.Member.Detail = cluster.StateDown, p.whyDown(r)
		return l
	case p.paused():
		l.Member.State = cluster.StatePaused
	default:
		ctx, cancel := context.WithTimeout(ctx, answerWithin)
		defer cancel()
		l = replica.At(ctx, p)
	}
	l.Member.PID = r.id.PID
	return l
}

func (p *process) whyDown(r *run) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case r == nil:
		return "not started"
	case r.killed:
		return "killed"
	default:
		return fmt.Sprintf("ended by itself: %v; see %s", r.err, p.log)
	}
}
