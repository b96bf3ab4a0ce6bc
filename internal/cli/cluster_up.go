package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/mongobin"
	"github.com/geoshard/geoshard/internal/serverversion"
	"github.com/geoshard/geoshard/topology"
)

// upFlags are the flags of cluster up.
type upFlags struct {
	worldFlags
	GrowTo          string        `flag:"grow-to" files:"yaml yml" usage:"the file with the topology that geoshard cluster grow makes of it"`
	Detach          bool          `flag:"detach,oneRun" usage:"leave the cluster running in the background"`
	WANScale        float64       `flag:"wan-scale" usage:"multiply every round-trip time; negative: no delays"`
	ElectionTimeout time.Duration `flag:"election-timeout" usage:"how long members wait for a primary before they elect another; MongoDB's own default is 10s"`
	Auth            bool          `flag:"auth" usage:"make clients log in"`
	TLS             bool          `flag:"tls" usage:"encrypt all connections"`
}

func (f *upFlags) add(cmd *cobra.Command) {
	describeWorld(cmd, "start the topology of a file", "start a preset")
}

func newUpCommand(env *environment) *cobra.Command {
	flags := upFlags{WANScale: 1, ElectionTimeout: local.DefaultElectionTimeout}
	return withFlags(&cobra.Command{
		Use:   "up",
		Short: "Start a cluster",
		Long: `Start a cluster as a topology document declares it: -f names a file, --preset a preset; without either it is geoshard.yaml of the working
directory, or the preset nyc-lon-syd where there is no such file. MongoDB is fetched when it cannot be found.

In the foreground the cluster runs until Ctrl-C, and nothing of it is left then. With --detach it runs on in the background, until
geoshard cluster down; where the same cluster runs already, --detach leaves it as it is.

--grow-to names a second topology, which has all of the first one and more: geoshard cluster grow then adds the rest while the cluster runs.

--wan-scale multiplies every round-trip time between datacenters: 0.1 makes them ten times nearer, a negative number leaves out all delays.

With --auth clients have to log in; geoshard cluster shell does, and geoshard cluster status --show-secrets tells the password of the user
that there is. With --tls all connections are encrypted, with certificates that are made for this cluster and go with it.`,
		Example: `  geoshard cluster up
  geoshard cluster up --preset us-east-west --wan-scale 0.1
  geoshard cluster up -f geoshard.yaml --name second --detach --election-timeout 10s
  geoshard cluster up --auth --tls --detach
  geoshard cluster up -f geoshard.yaml --grow-to with-tokyo.yaml`,
		RunE: func(cmd *cobra.Command, _ []string) error { return env.up(cmd.Context(), clusterName(cmd), flags) },
	}, &flags)
}

func (e *environment) up(ctx context.Context, name string, flags upFlags) error {
	if flags.WANScale == 0 {
		return hint.Errorf("leave the delays out with a negative number, such as -1", "--wan-scale 0 is neither a scale nor off")
	}
	if err := checkElectionTimeout(flags.ElectionTimeout); err != nil {
		return err
	}
	from, world, err := readWorld(flags.orDefault())
	if err != nil {
		return err
	}
	var grown *topology.Topology
	if flags.GrowTo != "" {
		if _, grown, err = readWorld(flags.GrowTo, ""); err != nil {
			return err
		}
	}
	tools, err := mongobin.Ensure(ctx, e.mongodbOptions())
	if err != nil {
		return err
	}
	e.warnOf(tools.Version, world)
	e.say("starting cluster %s from %s: %s", name, from, summarise(world))
	options := local.Options{
		Name: name, Topology: world, Grown: grown, WANScale: flags.WANScale, ElectionTimeout: flags.ElectionTimeout, Tools: tools,
		Auth: flags.Auth, TLS: flags.TLS,
		Progress: func(event local.Event) { e.say("%s", event) },
	}
	if flags.Detach {
		return e.upDetached(ctx, options)
	}
	return e.upForeground(ctx, options)
}

// warnOf tells what a version of MongoDB means for a cluster of that topology.
func (e *environment) warnOf(version string, world *topology.Topology) {
	for _, w := range serverversion.Preflight(serverversion.Facts{
		Servers: []serverversion.Server{{Name: "mongod", Version: version}}, Shards: len(world.Shards), Balancing: true,
	}) {
		e.say("warning: %s", w)
	}
}

func checkElectionTimeout(d time.Duration) error {
	if d <= 0 {
		return hint.Errorf("2s suits one machine", "--election-timeout %s: want more than 0", d)
	}
	return nil
}

// upForeground runs a cluster until it is interrupted or taken down from elsewhere.
func (e *environment) upForeground(ctx context.Context, options local.Options) (err error) {
	c, err := local.Start(ctx, options)
	if err != nil {
		return err
	}
	defer func() {
		e.say("stopping cluster %s", c.Name())
		// The context has ended by now, and stopping has to be finished all the same.
		err = errors.Join(err, c.Close(context.WithoutCancel(ctx)))
	}()
	if err := e.showStatus(ctx, c, withoutSecrets); err != nil && ctx.Err() == nil {
		return err
	}
	e.say("the cluster runs until Ctrl-C")
	select {
	case <-ctx.Done():
	case <-c.Done():
	}
	return nil
}

// upDetached leaves a supervisor in the background. It is idempotent: the same cluster that runs already is shown as it is.
func (e *environment) upDetached(ctx context.Context, options local.Options) error {
	started, err := local.StartDetached(ctx, options)
	if errors.Is(err, cluster.ErrRunning) {
		running, attachErr := local.Attach(ctx, options.Name, options.Dir)
		if attachErr != nil || !sameCluster(running.Topology(), options) || !sameAccess(ctx, running, options) {
			return err
		}
		e.say("cluster %s runs already", options.Name)
		started = running
	} else if err != nil {
		return err
	}
	if err := e.showStatus(ctx, started, withoutSecrets); err != nil {
		return err
	}
	e.say("the cluster runs in the background; stop it with: geoshard cluster down --name %s", options.Name)
	return nil
}

// sameCluster tells that what runs is what would be started, or what that would have grown to.
func sameCluster(running *topology.Topology, options local.Options) bool {
	return sameWorld(running, options.Topology) || options.Grown != nil && sameWorld(running, options.Grown)
}

// sameWorld compares what the topologies say, comments aside.
func sameWorld(a, b *topology.Topology) bool {
	textA, errA := a.Marshal()
	textB, errB := b.Marshal()
	return errA == nil && errB == nil && bytes.Equal(textA, textB)
}

// sameAccess compares what is asked of clients.
func sameAccess(ctx context.Context, running *local.Remote, options local.Options) bool {
	status, err := running.Status(ctx)
	if err != nil {
		return false
	}
	access := cmp.Or(status.Access, &cluster.Access{})
	return access.Authentication == options.Auth && access.TLS == options.TLS
}

func newDownCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Stop a cluster and remove everything of it",
		Long: `Stop a cluster and remove everything of it: processes, ports and data. It also removes what a supervisor left that was killed, so it
works in every state. It removes only what geoshard made: a directory of that name without its mark is refused, and what somebody else put into the cluster's
directory stays.`,
		Example: `  geoshard cluster down
  geoshard cluster down --name second`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			name := clusterName(cmd)
			if err := local.Down(cmd.Context(), name, ""); err != nil {
				return err
			}
			return env.show(deed{Cluster: name, Action: "down", past: "cluster " + name + " is down"})
		},
	}
}

func newGrowCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "grow",
		Short: "Add the datacenters, shards and members that a cluster was started to grow by",
		Long: `Add the datacenters, shards and members that a cluster was started to grow by (geoshard cluster up --grow-to FILE), while it works on. New members of
a shard copy without a vote before they get one; new shards are added; new datacenters get their query routers. Zones and ranges stay as they are: geoshard plan
with the grown topology shows what moves then.

Interrupted, it goes on when it is called again.`,
		Example: `  geoshard cluster up -f geoshard.yaml --grow-to with-tokyo.yaml --detach
  geoshard cluster grow
  geoshard plan -f with-tokyo.yaml`,
		RunE: env.does(func(ctx context.Context, c *local.Remote, _ []string) (deed, error) {
			before, err := c.Status(ctx)
			if err != nil {
				return deed{}, err
			}
			if err := env.grow(ctx, c, before); err != nil {
				return deed{}, err
			}
			return deed{Action: "grow", past: "the cluster is grown: " + summarise(c.Topology())}, nil
		}),
	}
}

// grow tells which members have begun to work until all do.
func (e *environment) grow(ctx context.Context, c *local.Remote, before cluster.Status) error {
	told := map[string]bool{}
	for _, m := range before.Members {
		told[m.Name] = m.State == cluster.StateUp
	}
	done := make(chan error, 1)
	go func() { done <- c.Grow(ctx) }()
	again := time.Tick(refreshEvery)
	for {
		select {
		case err := <-done:
			return err
		case <-again:
			now, err := c.Status(ctx)
			if err != nil {
				continue // Grow itself says what is wrong
			}
			for _, m := range now.Members {
				if m.State == cluster.StateUp && !told[m.Name] {
					told[m.Name] = true
					e.say("%s is up", m.Name)
				}
			}
		}
	}
}
