package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/wan"
)

// Kill ends a member's process with SIGKILL and returns when it is gone. Killing a dead one does nothing.
func (c *Cluster) Kill(ctx context.Context, member string) error {
	return c.operate(ctx, member, func(ctx context.Context, p *process) error {
		p.disconnect(ctx)
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
			return c.awaitAnswer(ctx, p)
		}
		p.disconnect(ctx) // the client of the former life would wait for its next heartbeat
		r, err := c.launch(p)
		if err != nil {
			return err
		}
		if err := p.waitListening(ctx, r); err != nil {
			return err
		}
		if err := c.awaitAnswer(ctx, p); err != nil {
			return err
		}
		return c.reapplyLag(ctx, p)
	})
}

func (c *Cluster) awaitAnswer(ctx context.Context, p *process) error {
	if p.Kind == kindRouter {
		return c.awaitRouting(ctx, p)
	}
	return c.awaitMember(ctx, p)
}

// Isolate cuts every link of a datacenter, in both directions.
func (c *Cluster) Isolate(ctx context.Context, dc topology.DatacenterID) error {
	return c.Apply(ctx, wan.Isolate{DC: dc}.String())
}

// Cut cuts the link between two datacenters, in both directions.
func (c *Cluster) Cut(ctx context.Context, a, b topology.DatacenterID) error {
	return c.Apply(ctx, wan.Cut{From: a, To: b}.String())
}

// Apply puts a fault into force, written as the wan package parses it: "cut NYC->LON", "lag nyc/LON 5s". It returns
// ErrBadFault, ErrUnknownDatacenter or ErrUnknownMember for what cannot be.
func (c *Cluster) Apply(ctx context.Context, fault string) error {
	parsed, err := wan.ParseFault(fault)
	if err != nil {
		return faultError("apply", fault, err)
	}
	if lag, ok := parsed.(wan.Lag); ok {
		return c.SetLag(ctx, lag.Member, lag.By)
	}
	_, end, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return faultError("apply", fault, c.network.Apply(parsed))
}

// faultError turns what the network says about a fault into the errors of the cluster package, or returns nil for nil. How faults are
// written is a hint only for one that cannot be read; a datacenter that does not exist has the nearest one as its hint.
func faultError(verb, fault string, err error) error {
	var bad *wan.FaultError
	if !errors.As(err, &bad) {
		return err
	}
	var unknown *wan.UnknownError
	if errors.As(err, &unknown) && errors.Is(err, wan.ErrUnknownDatacenter) {
		known := make([]topology.DatacenterID, len(unknown.Known))
		for i, name := range unknown.Known {
			known[i] = topology.DatacenterID(name)
		}
		return fmt.Errorf("%s %q: %w", verb, fault, cluster.UnknownDatacenter(topology.DatacenterID(unknown.Name), known))
	}
	return &cluster.HintedError{Err: fmt.Errorf("%s: %w %q: %w", verb, cluster.ErrBadFault, fault, bad.Err), Help: bad.Hint()}
}

// Remove ends one fault that is in force.
func (c *Cluster) Remove(ctx context.Context, fault string) error {
	parsed, err := wan.ParseFault(fault)
	if err != nil {
		return faultError("remove", fault, err)
	}
	if lag, ok := parsed.(wan.Lag); ok {
		return c.SetLag(ctx, lag.Member, 0)
	}
	_, end, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return faultError("remove", fault, c.network.Remove(parsed))
}

// Heal removes every fault of the links and every lag. Killed and paused members stay as they are.
func (c *Cluster) Heal(ctx context.Context) error {
	ctx, end, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	c.mu.Lock()
	c.network.Heal()
	lagging := c.lags
	c.lags = map[string]time.Duration{}
	c.mu.Unlock()
	var problems []error
	for member := range lagging {
		problems = append(problems, c.setPatience(ctx, c.byName[member], 0))
	}
	return errors.Join(problems...)
}

// SetLag holds a shard's data member that far behind its sync source, by slowing the connections on which it fetches
// the oplog: heartbeats, votes and acknowledgements keep their timing. 0 ends it. Only shard members that hold data can
// lag; others return ErrUnsupported. It returns when the lag is in force: a lag of more than a few seconds builds up in
// little more than its own time.
func (c *Cluster) SetLag(ctx context.Context, member string, lag time.Duration) error {
	if lag < 0 {
		return fmt.Errorf("lag %s by %s: %w: a lag is not negative", member, lag, cluster.ErrBadFault)
	}
	return c.operate(ctx, member, func(ctx context.Context, p *process) error {
		if p.Kind != kindData {
			return &cluster.HintedError{
				Err:  fmt.Errorf("lag %s: %w", member, cluster.ErrUnsupported),
				Help: "only members of a shard that hold data copy anything that could lag",
			}
		}
		if lag > 0 && c.security.encrypts() {
			return &cluster.HintedError{
				Err:  fmt.Errorf("lag %s: %w over TLS: the network cannot see which connections copy", member, cluster.ErrUnsupported),
				Help: "start the cluster without TLS (--auth works without it)",
			}
		}
		if lag > 0 {
			return c.beginLag(ctx, p, lag)
		}
		return c.endLag(ctx, p)
	})
}

func (c *Cluster) beginLag(ctx context.Context, p *process, lag time.Duration) error {
	// First patience, then the lag: a fetcher that times out asks another member.
	if err := c.setPatience(ctx, p, lag); err != nil {
		return err
	}
	if err := c.unchain(ctx, p); err != nil {
		return err
	}
	c.mu.Lock()
	now := c.lags[p.Name]
	c.mu.Unlock()
	if err := c.growLag(ctx, p, now, lag); err != nil {
		return err
	}
	// A member that was just choosing whom to copy from may have chosen this one meanwhile.
	return c.unchain(ctx, p)
}

// growLag raises the lag step by step, or lowers it at once. It stops when somebody else changes it meanwhile.
func (c *Cluster) growLag(ctx context.Context, p *process, now, lag time.Duration) error {
	for {
		next := min(now+lagStep, lag)
		if err := c.changeLag(p, now, next); err != nil {
			return fmt.Errorf("lag %s: %w", p.Name, err)
		}
		if now = next; now == lag {
			return nil
		}
		pause := time.NewTimer(lagPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return fmt.Errorf("lag %s: it is at %s: %w", p.Name, now, context.Cause(ctx))
		}
	}
}

func (c *Cluster) changeLag(p *process, from, to time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.lags[p.Name]; now != from {
		return fmt.Errorf("somebody else has changed it to %s", now)
	}
	if err := c.network.Apply(wan.Lag{Member: p.Name, By: to}); err != nil {
		return err
	}
	c.lags[p.Name] = to
	return nil
}

func (c *Cluster) endLag(ctx context.Context, p *process) error {
	c.mu.Lock()
	lag, lagging := c.lags[p.Name]
	delete(c.lags, p.Name)
	err := c.network.Remove(wan.Lag{Member: p.Name, By: lag})
	c.mu.Unlock()
	if err != nil {
		return fmt.Errorf("end lag of %s: %w", p.Name, err)
	}
	if !lagging {
		return nil
	}
	return c.setPatience(ctx, p, 0)
}

// The server's own values of how long an oplog fetcher waits for the answer to its first request.
const (
	oplogInitialFind = 60 * time.Second
	oplogRetriedFind = 2 * time.Second
)

// An oplog fetcher gives up a stream that is silent for oplogNetworkTimeoutBufferSeconds (5 s; it cannot be changed while
// the server runs) longer than half an election timeout, and begins again. So a lag grows in steps that are shorter,
// with pauses in which something arrives. It could not grow faster than time passes anyway.
const (
	lagStep  = 2 * time.Second
	lagPause = 2500 * time.Millisecond
)

// setPatience lets a member wait for delayed oplog entries that much longer than it would.
func (c *Cluster) setPatience(ctx context.Context, p *process, lag time.Duration) error {
	if !p.current().alive() || p.paused() {
		return nil // Start does it
	}
	return p.command(ctx, bson.D{
		{Key: "setParameter", Value: 1},
		{Key: "oplogInitialFindMaxSeconds", Value: seconds(oplogInitialFind + 2*lag)},
		{Key: "oplogRetriedFindMaxSeconds", Value: seconds(oplogRetriedFind + 2*lag)},
	}, nil)
}

// seconds rounds up.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// reapplyLag is for a member that was started again: its fetcher begins anew, so the lag does as well.
func (c *Cluster) reapplyLag(ctx context.Context, p *process) error {
	c.mu.Lock()
	lag := c.lags[p.Name]
	if lag > 0 {
		c.lags[p.Name] = 0
	}
	c.mu.Unlock()
	if lag == 0 {
		return nil
	}
	if err := c.setPatience(ctx, p, lag); err != nil {
		return err
	}
	return c.growLag(ctx, p, 0, lag)
}

const (
	// unchainWithin bounds the wait for members to copy from somebody else. A member changes over with the next answer of the old source, which may
	// take half an election timeout; one that cannot reach the primary stays where it is.
	unchainWithin = 10 * time.Second
	unchainPause  = 200 * time.Millisecond
)

// unchain moves members that copy from the lagging one to its primary: the lag is to be that member's alone. It returns when they have changed over.
func (c *Cluster) unchain(ctx context.Context, lagging *process) error {
	deadline := time.Now().Add(unchainWithin)
	for {
		chained, err := c.askToUnchain(ctx, lagging)
		if err != nil || !chained || time.Now().After(deadline) {
			return err
		}
		pause := time.NewTimer(unchainPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return fmt.Errorf("move members that copy from %s: %w", lagging.Name, context.Cause(ctx))
		}
	}
}

// askToUnchain asks each member that copies from the lagging one to copy from the primary, and tells whether there was one.
func (c *Cluster) askToUnchain(ctx context.Context, lagging *process) (chained bool, err error) {
	for _, p := range c.processes {
		if p.Set != lagging.Set || p == lagging || p.Kind != kindData || !p.current().alive() || p.paused() {
			continue
		}
		status, err := p.replicaStatus(ctx)
		if err != nil {
			return chained, err
		}
		primary, ok := status.primary()
		if status.SyncSource != lagging.advertised() || !ok {
			continue
		}
		chained = true
		if err := p.command(ctx, bson.D{{Key: "replSetSyncFrom", Value: primary.Name}}, nil); err != nil {
			return chained, err
		}
	}
	return chained, nil
}

func (c *Cluster) operate(ctx context.Context, member string, do func(context.Context, *process) error) error {
	p, err := c.process(member)
	if err != nil {
		return err
	}
	ctx, end, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return do(ctx, p)
}
