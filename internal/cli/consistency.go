package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/topology"
)

func newConsistencyCommand(env *environment) *cobra.Command {
	return asGroup(env, &cobra.Command{
		Use:   "consistency",
		Short: "Show what operations promise and cost: named profiles of write and read settings, and how long a failover takes",
		Long: `Show the named profiles: settings for one operation, what they promise in plain words, and what they will cost from each datacenter of a topology.

Costs are forecasts from the declared round trips, for one client that does one operation after the other; nothing is asked of a cluster.`,
		Example: `  geoshard consistency list
  geoshard consistency explain durable
  geoshard consistency check --preset us-east-west
  geoshard consistency failover`,
	}, newConsistencyListCommand, newConsistencyExplainCommand, newConsistencyCheckCommand, newConsistencyFailoverCommand)
}

func newConsistencyListCommand(env *environment) *cobra.Command {
	var flags worldFlags
	return withFlags(&cobra.Command{
		Use:   "list",
		Short: "List the named profiles",
		Long: `List the named profiles with their settings, and what a write and a read of a datacenter's own records take: the quickest and the slowest datacenter's
median.

` + whichWorld,
		Example: `  geoshard consistency list
  geoshard consistency list --preset ebay --output json`,
		RunE: env.ofWorld(&flags, func(name string, world *topology.Topology, _ []string) (view, error) {
			return newProfileList(name, world), nil
		}),
	}, &flags)
}

func newConsistencyExplainCommand(env *environment) *cobra.Command {
	var flags worldFlags
	return withFlags(&cobra.Command{
		Use:   "explain PROFILE",
		Short: "Say what a profile promises, and forecast what it costs from each datacenter",
		Long: `Say what a profile promises and what it sets, what the topology cannot keep of it, and forecast what writes and reads of each shard's records take for clients
in each datacenter.

` + whichWorld,
		Example: `  geoshard consistency explain multi-datacenter
  geoshard consistency explain session --preset ogilvy --output json`,
		ValidArgsFunction: fixed(consistency.Names()...),
		RunE: env.ofWorld(&flags, func(name string, world *topology.Topology, args []string) (view, error) {
			profile, err := consistency.Lookup(args[0])
			if err != nil {
				return nil, err
			}
			return newExplanation(name, profile, world), nil
		}),
	}, &flags)
}

func newConsistencyCheckCommand(env *environment) *cobra.Command {
	var flags worldFlags
	return withFlags(&cobra.Command{
		Use:   "check [PROFILE]",
		Short: "Check the profiles against a topology",
		Long: `Check one profile, or all of them, against a topology: acknowledgements that members cannot give, or that can be rolled back, copies that are missing where
reads should be local. Exit code 1 when a profile cannot keep its promise; warnings do not change the exit code.

` + whichWorld,
		Example: `  geoshard consistency check
  geoshard consistency check multi-datacenter --preset yougov
  geoshard consistency check -f geoshard.yaml --output json`,
		ValidArgsFunction: fixed(consistency.Names()...),
		RunE: func(_ *cobra.Command, args []string) error {
			profiles := consistency.Named()
			if name := strings.Join(args, ""); name != "" {
				profile, err := consistency.Lookup(name)
				if err != nil {
					return err
				}
				profiles = []consistency.Profile{profile}
			}
			name, world, err := readWorld(flags.orDefault())
			if err != nil {
				return err
			}
			v := newProfileCheck(name, profiles, world)
			return env.judge(v, v.Valid, "%s cannot keep what the profiles promise: %s", name, plural(v.failures, "error"))
		},
	}, &flags)
}
