package container

import (
	"context"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	docker "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/replica"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/wan"
)

func (c *Cluster) open() error {
	if c.life.Err() != nil {
		return cluster.ErrClosed
	}
	return nil
}

func (c *Cluster) find(member string) (*member, error) {
	m, err := c.roster.Member(member)
	if err != nil {
		return nil, err
	}
	return m, c.open()
}

// Kill ends a member's container with SIGKILL and returns when it is gone. Killing a dead one does nothing.
func (c *Cluster) Kill(ctx context.Context, member string) error {
	m, err := c.find(member)
	if err != nil {
		return err
	}
	m.direct.Disconnect(ctx)
	_, err = c.docker.ContainerKill(ctx, m.container(), client.ContainerKillOptions{Signal: "SIGKILL"})
	if err != nil && !errdefs.IsConflict(err) { // a conflict: it does not run
		return fmt.Errorf("kill %s: %w", member, err)
	}
	wait := c.docker.ContainerWait(ctx, m.container(), client.ContainerWaitOptions{Condition: docker.WaitConditionNotRunning})
	select {
	case <-wait.Result:
	case err := <-wait.Error:
		return fmt.Errorf("wait for the end of %s: %w", member, err)
	}
	m.note(0, false, true)
	return c.api.Forget(ctx, member)
}

// Pause freezes a member's container: its sockets stay open and nobody answers. It returns ErrNotRunning for a dead one.
func (c *Cluster) Pause(ctx context.Context, member string) error {
	m, err := c.find(member)
	if err != nil {
		return err
	}
	state, _, err := c.inspect(ctx, m)
	switch {
	case err != nil:
		return err
	case state.Paused:
		return nil
	case !state.Running:
		return hint.New(fmt.Errorf("pause %s: %w", member, cluster.ErrNotRunning), "start it first")
	}
	if _, err := c.docker.ContainerPause(ctx, m.container(), client.ContainerPauseOptions{}); err != nil {
		return fmt.Errorf("pause %s: %w", member, err)
	}
	m.note(state.Pid, true, false)
	return nil
}

// Start starts a killed member, with the address and the data that it had, or lets a paused one go on. It is idempotent, and returns when the
// member answers as what it is. A member that finds no majority may stay in recovery; then the error is ctx's.
func (c *Cluster) Start(ctx context.Context, member string) error {
	m, err := c.find(member)
	if err != nil {
		return err
	}
	state, _, err := c.inspect(ctx, m)
	if err != nil {
		return err
	}
	switch {
	case state.Paused:
		if _, err := c.docker.ContainerUnpause(ctx, m.container(), client.ContainerUnpauseOptions{}); err != nil {
			return fmt.Errorf("let %s go on: %w", member, err)
		}
		m.note(state.Pid, false, false)
	case !state.Running:
		m.direct.Disconnect(ctx) // the client of the former life would wait for its next heartbeat
		if err := c.launch(ctx, m); err != nil {
			return err
		}
	}
	if err := replica.AwaitHello(ctx, m, "answer", replica.Hello.Works); err != nil {
		return err
	}
	if state.Running { // also of a paused one
		return nil
	}
	return c.lags.Again(ctx, m)
}

// Apply puts a fault into force. It returns ErrBadFault, topology.ErrUnknownDatacenter or topology.ErrUnknownMember for what
// cannot be.
func (c *Cluster) Apply(ctx context.Context, fault wan.Fault) error {
	return c.disturb(ctx, fault, false, c.api.Apply)
}

// Remove ends one fault that is in force.
func (c *Cluster) Remove(ctx context.Context, fault wan.Fault) error {
	return c.disturb(ctx, fault, true, c.api.Remove)
}

func (c *Cluster) disturb(ctx context.Context, fault wan.Fault, end bool, do func(context.Context, wan.Fault) error) error {
	if err := c.open(); err != nil {
		return err
	}
	if err := wan.Check(fault); err != nil {
		return fmt.Errorf("%w: %w", cluster.ErrBadFault, err) // the hint is err's
	}
	if lag, ok := fault.(wan.Lag); ok {
		if end {
			lag.By = 0
		}
		return c.SetLag(ctx, lag.Member, lag.By)
	}
	for _, dc := range wan.Places(fault) {
		if err := c.roster.Datacenter(dc); err != nil {
			return fmt.Errorf("%q: %w", fault, err)
		}
	}
	return do(ctx, fault)
}

// Heal removes every fault of the links and every lag. Killed and paused members stay as they are.
func (c *Cluster) Heal(ctx context.Context) error {
	if err := c.open(); err != nil {
		return err
	}
	return c.lags.Heal(ctx, func() error { return c.api.Heal(ctx) })
}

// SetLag holds a shard's data member that far behind its sync source; 0 ends it. Votes and heartbeats are not touched. It returns when the lag
// is in force. Members that copy nothing return ErrUnsupported.
func (c *Cluster) SetLag(ctx context.Context, member string, lag time.Duration) error {
	m, err := c.find(member)
	if err != nil {
		return err
	}
	return c.lags.Set(ctx, m, lag)
}

func (c *Cluster) delayFetches(ctx context.Context, member string, by time.Duration) error {
	fault := wan.Lag{Member: member, By: by}
	if by == 0 {
		return c.api.Remove(ctx, fault)
	}
	return c.api.Apply(ctx, fault)
}

// Status asks every member once, in parallel, past all links: faults of the network do not hide a member.
func (c *Cluster) Status(ctx context.Context) (cluster.Status, error) {
	if err := c.open(); err != nil {
		return cluster.Status{}, err
	}
	containers, err := c.docker.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: ofCluster(c.id)})
	if err != nil {
		return cluster.Status{}, fmt.Errorf("list the containers of %s: %w", c.Name(), err)
	}
	states := map[string]docker.ContainerState{}
	for _, one := range containers.Items {
		states[one.ID] = one.State
	}
	members := c.roster.LookAt(ctx, func(m *member) cluster.Member { return m.condition(states[m.container()]) })
	network, err := c.api.State(ctx)
	if err != nil {
		return cluster.Status{}, err
	}
	if err := ctx.Err(); err != nil {
		return cluster.Status{}, fmt.Errorf("ask members of %s: %w", c.Name(), context.Cause(ctx))
	}
	return cluster.Status{
		Name: c.Name(), Taken: time.Now().UTC(), Started: c.started.UTC(), ServerVersion: c.router.Version, QueryRouter: c.router,
		Members: members, Faults: network.Faults, Links: replica.Links(network.Links),
	}, nil
}

func (m *member) condition(state docker.ContainerState) cluster.Member {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case state == docker.StateRunning:
		return cluster.Member{State: cluster.StateUp, PID: m.pid}
	case state == docker.StatePaused:
		return cluster.Member{State: cluster.StatePaused, PID: m.pid}
	case m.killed:
		return cluster.Member{State: cluster.StateDown, Detail: "killed"}
	default:
		return cluster.Member{State: cluster.StateDown, Detail: "ended by itself"}
	}
}
