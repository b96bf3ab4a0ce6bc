package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/topology"
)

func newClusterCommand(env *environment) *cobra.Command {
	group := &cobra.Command{
		Use:   "cluster",
		Short: "Start, watch, break and stop a real cluster on this machine",
		Long: `Start, watch, break and stop a real MongoDB sharded cluster on this machine: one process for each member, emulated links between the
datacenters, one query router in each datacenter. Several clusters run side by side; --name tells them apart.

A member is named SHARD/DATACENTER: nyc/LON, a second one in the same datacenter nyc/LON.2; also config/LON and router/LON.`,
		Example: `  geoshard cluster up --preset nyc-lon-syd --detach
  geoshard cluster status --watch
  geoshard cluster kill nyc/NYC
  geoshard cluster down`,
	}
	group.PersistentFlags().String("name", local.DefaultName, "which cluster")
	_ = group.RegisterFlagCompletionFunc("name", completeNames)
	return asGroup(env, group,
		newUpCommand, newDownCommand, newListCommand, newStatusCommand,
		newKillCommand, newPauseCommand, newStartCommand,
		newIsolateCommand, newCutCommand, newLagCommand, newHealCommand, newGrowCommand,
		newLogsCommand, newShellCommand,
	)
}

// clusterName is the value of --name.
func clusterName(cmd *cobra.Command) string {
	name, _ := cmd.Flags().GetString("name")
	return name
}

// attach returns the running cluster that --name names.
func attach(cmd *cobra.Command) (*local.Remote, error) {
	return local.Attach(cmd.Context(), clusterName(cmd), "")
}

// A deed is what a command that changes a running cluster shows.
type deed struct {
	Cluster string `json:"cluster"`
	// Action is the command with its arguments, for example "kill nyc/NYC".
	Action string `json:"action"`
	past   string
}

func (d deed) text(out page) { out.println(d.past) }

// memberNames lists the names that commands take, in the order of the topology.
func memberNames(t *topology.Topology) []string {
	var names []string
	for _, shard := range t.Shards {
		for i := range shard.Members {
			names = append(names, shard.MemberName(i))
		}
	}
	for _, dc := range t.DatacenterIDs() {
		names = append(names, cluster.MemberName{Set: cluster.ConfigSet, DC: dc, Ordinal: 1}.String())
	}
	for _, dc := range routedIDs(t) {
		names = append(names, cluster.MemberName{Set: cluster.Router, DC: dc, Ordinal: 1}.String())
	}
	return names
}

// routedIDs lists the datacenters that have a query router.
func routedIDs(t *topology.Topology) []topology.DatacenterID {
	var ids []topology.DatacenterID
	for _, dc := range t.Datacenters {
		if dc.Role != topology.RoleVoter {
			ids = append(ids, dc.ID)
		}
	}
	return ids
}

// complete completes the first arguments, up to a number, with names of the running cluster.
func complete[S ~string](arguments int, names func(*topology.Topology) []S) cobra.CompletionFunc {
	return completeFrom(runningWorld, arguments, names)
}

// runningWorld is the topology of the running cluster.
func runningWorld(cmd *cobra.Command) (*topology.Topology, error) {
	c, err := attach(cmd)
	if err != nil {
		return nil, err
	}
	return c.Topology(), nil
}

// completeFrom completes with names of a topology. Without one there is nothing to offer.
func completeFrom[S ~string](find func(*cobra.Command) (*topology.Topology, error), arguments int, names func(*topology.Topology) []S) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) (offered []cobra.Completion, _ cobra.ShellCompDirective) {
		if len(args) < arguments {
			cmd.SetContext(context.Background()) // completion has none
			if world, err := find(cmd); err == nil {
				offered = spelling.Texts(names(world))
			}
		}
		return offered, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeNames completes --name with the clusters that there are.
func completeNames(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	clusters, err := local.List("")
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, c := range clusters {
		names = append(names, c.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
