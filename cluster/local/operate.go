package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/wan"
)

// Kill ends a member's process with SIGKILL and returns when it is gone. Killing a dead one does nothing.
func (c *Cluster) Kill(ctx context.Context, member string) error {
	return c.operate(ctx, member, func(ctx context.Context, p *process) error {
		p.direct.Disconnect(ctx)
		if err := p.kill(ctx); err != nil {
			return err
		}
		return c.saveState()
	})
}

// Pause stops a member's process with SIGSTOP: its sockets stay open and nobody answers. It returns ErrUnsupported on
// Windows and ErrNotRunning for a dead process.
func (c *Cluster) Pause(ctx context.Context, member string) error {
	return c.operate(ctx, member, func(_ context.Context, p *process) error { return p.setPaused(true) })
}

// Start starts a killed member, with the address and the data that it had, or lets a paused one go on. It is
// idempotent, and returns when the member answers as what it is: a shard's member as primary, secondary or arbiter.
// A member that finds no majority may stay in recovery; then the error is ctx's.
func (c *Cluster) Start(ctx context.Context, member string) error {
	return c.operate(ctx, member, func(ctx context.Context, p *process) error {
		if p.current().alive() {
			if err := p.setPaused(false); err != nil {
				return err
			}
			return awaitWork(ctx, p)
		}
		p.direct.Disconnect(ctx) // the client of the former life would wait for its next heartbeat
		if err := c.launch(ctx, p); err != nil {
			return err
		}
		if err := awaitWork(ctx, p); err != nil {
			return err
		}
		return c.lags.Again(ctx, p)
	})
}

// Apply puts a fault into force. It returns ErrBadFault, topology.ErrUnknownDatacenter or topology.ErrUnknownMember for what
// cannot be.
func (c *Cluster) Apply(ctx context.Context, fault wan.Fault) error {
	return c.disturb(ctx, "apply", fault, c.network.Apply)
}

// Remove ends one fault that is in force.
func (c *Cluster) Remove(ctx context.Context, fault wan.Fault) error {
	return c.disturb(ctx, "remove", fault, c.network.Remove)
}

func (c *Cluster) disturb(ctx context.Context, verb string, fault wan.Fault, do func(wan.Fault) error) error {
	if err := wan.Check(fault); err != nil {
		return faultError(verb, fault.String(), err)
	}
	if lag, ok := fault.(wan.Lag); ok {
		if verb == "remove" {
			lag.By = 0
		}
		return c.SetLag(ctx, lag.Member, lag.By)
	}
	return c.during(ctx, func(context.Context) error { return faultError(verb, fault.String(), do(fault)) })
}

// faultError turns what the network says about a fault into the errors of the cluster package, or returns nil for nil. How faults are
// written is a hint only for one that cannot be read; a datacenter that does not exist has the nearest one as its hint.
func faultError(verb, fault string, err error) error {
	var bad *wan.FaultError
	if !errors.As(err, &bad) {
		return err
	}
	var unknown *wan.UnknownError
	if errors.As(err, &unknown) && errors.Is(err, topology.ErrUnknownDatacenter) {
		return fmt.Errorf("%s %q: %w", verb, fault, cluster.Unknown(unknown.Kind, unknown.Name, unknown.Known))
	}
	return hint.New(fmt.Errorf("%s: %w %q: %w", verb, cluster.ErrBadFault, fault, bad.Err), bad.Hint())
}

// Heal removes every fault of the links and every lag. Killed and paused members stay as they are.
func (c *Cluster) Heal(ctx context.Context) error {
	return c.during(ctx, func(ctx context.Context) error {
		return c.lags.Heal(ctx, func() error {
			c.network.Heal()
			return nil
		})
	})
}

// SetLag holds a shard's data member that far behind its sync source, by slowing the connections on which it fetches
// the oplog: heartbeats, votes and acknowledgements keep their timing. 0 ends it. Only shard members that hold data can
// lag; others return ErrUnsupported. It returns when the lag is in force: a lag of more than a few seconds builds up in
// little more than its own time.
func (c *Cluster) SetLag(ctx context.Context, member string, lag time.Duration) error {
	return c.operate(ctx, member, func(ctx context.Context, p *process) error {
		if lag > 0 && p.Kind == layout.Data && c.security.encrypts() {
			return hint.New(fmt.Errorf("lag %s: %w over TLS: the network cannot see which connections copy", member, cluster.ErrUnsupported),
				"start the cluster without TLS (--auth works without it)")
		}
		return c.lags.Set(ctx, p, lag)
	})
}

func (c *Cluster) delayFetches(_ context.Context, member string, by time.Duration) error {
	if by == 0 {
		return c.network.Remove(wan.Lag{Member: member})
	}
	return c.network.Apply(wan.Lag{Member: member, By: by})
}

func (c *Cluster) operate(ctx context.Context, member string, do func(context.Context, *process) error) error {
	p, err := c.roster.Member(member)
	if err != nil {
		return err
	}
	return c.during(ctx, func(ctx context.Context) error { return do(ctx, p) })
}
