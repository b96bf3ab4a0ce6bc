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

// obey does what the supervisor's process or another one asks for.
func (c *Cluster) obey(ctx context.Context, operation string, q controlRequest) error {
	switch operation {
	case "kill":
		return c.operate(ctx, q.Member, c.kill)
	case "pause":
		return c.operate(ctx, q.Member, func(_ context.Context, p *process) error { return p.setPaused(true) })
	case "start":
		return c.operate(ctx, q.Member, c.start)
	case "lag":
		return c.setLag(ctx, q.Member, time.Duration(q.Lag))
	case "heal":
		return c.during(ctx, func(ctx context.Context) error {
			return c.lags.Heal(ctx, func() error {
				c.network.Heal()
				return nil
			})
		})
	case "grow":
		return c.Grow(ctx)
	case "close":
		// Closing also ends the control server, so it is answered when it begins; the caller waits for the name to be free.
		go func() { _ = c.Close(context.Background()) }() // whoever owns the cluster waits for Done
		return nil
	default: // apply or remove
		return c.disturb(ctx, operation, q)
	}
}

func (c *Cluster) operate(ctx context.Context, member string, do func(context.Context, *process) error) error {
	p, err := c.roster.Member(member)
	if err != nil {
		return err
	}
	return c.during(ctx, func(ctx context.Context) error { return do(ctx, p) })
}

func (c *Cluster) kill(ctx context.Context, p *process) error {
	p.direct.Disconnect(ctx)
	if err := p.kill(ctx); err != nil {
		return err
	}
	return c.saveState()
}

func (c *Cluster) start(ctx context.Context, p *process) error {
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
}

// disturb puts a fault into force, or ends it.
func (c *Cluster) disturb(ctx context.Context, verb string, q controlRequest) (err error) {
	fault := q.fault
	if fault == nil {
		fault, err = wan.ParseFault(q.Fault)
	}
	if err == nil {
		err = wan.Check(fault)
	}
	if err != nil {
		return faultError(verb, q.Fault, err)
	}
	lag, isLag := fault.(wan.Lag)
	do := c.network.Apply
	if verb == "remove" {
		lag.By, do = 0, c.network.Remove
	}
	if isLag {
		return c.setLag(ctx, lag.Member, lag.By)
	}
	return c.during(ctx, func(context.Context) error { return faultError(verb, q.Fault, do(fault)) })
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

func (c *Cluster) setLag(ctx context.Context, member string, lag time.Duration) error {
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
