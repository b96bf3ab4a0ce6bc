package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/local"
)

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
