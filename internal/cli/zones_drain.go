package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/plan"
)

func newDrainCommand(env *environment) *cobra.Command {
	return asGroup(env, &cobra.Command{
		Use:   "drain",
		Short: "Change a topology so that a zone or a datacenter becomes empty",
		Long: `Change a topology so that a zone, or all shards at home in a datacenter, have no documents any more: for maintenance, or for good. No range
is ever without a shard. The changed topology is printed, or its plan with --plan; nothing is applied.`,
		Example: `  geoshard drain zone SYD --into LON --plan
  geoshard drain datacenter SYD --out drained.yaml`,
	}, newDrainZoneCommand, newDrainDatacenterCommand)
}

// drainFlags are the flags of both ways to drain.
type drainFlags struct {
	clusterFlags
	outcomeFlags
	outFlags
	Plan bool `flag:"plan,oneRun" usage:"show the plan of the changed topology instead"`
	rate topology.ByteRate
}

func (f *drainFlags) add(cmd *cobra.Command) {
	f.clusterFlags.add(cmd)
	addRateFlag(cmd, &f.rate)
	cmd.MarkFlagsMutuallyExclusive("plan", "out")
}

const drainHelp = `

The changed topology is printed, or written with --out: apply it with geoshard apply -f FILE --prune. --plan shows the plan of that instead, and
--save writes the plan to a file for geoshard apply. To fill it again, apply the old topology with --prune.` + whichHelp

func newDrainZoneCommand(env *environment) *cobra.Command {
	var flags struct {
		drainFlags
		Into string `flag:"into,oneRun,required" complete:"zones" usage:"the zone that takes the documents (required)"`
	}
	return withFlags(&cobra.Command{
		Use:   "zone ZONE",
		Short: "Give everything that belongs to a zone to another zone",
		Long:  `Give everything that belongs to a zone to another zone: its ranges change their zone, and their documents move. The zone itself stays, empty.` + drainHelp,
		Example: `  geoshard drain zone SYD --into LON
  geoshard drain zone SYD --into LON --plan --save drain.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.drain(cmd, flags.drainFlags, func(s session, state *zones.State) (*topology.Topology, []zones.Finding, error) {
				return plan.DrainZone(s.world, state, topology.ZoneID(args[0]), topology.ZoneID(flags.Into))
			})
		},
		ValidArgsFunction: completeWorld(1, (*topology.Topology).ZoneIDs),
	}, &flags)
}

func newDrainDatacenterCommand(env *environment) *cobra.Command {
	var flags drainFlags
	return withFlags(&cobra.Command{
		Use:   "datacenter DATACENTER",
		Short: "Take the shards of a datacenter out of all zones",
		Long: `Take the shards that are at home in a datacenter out of all zones. A zone with other shards keeps those; in any other, shards of the nearest
datacenter that may hold its documents take their place. Where there is none it is refused. Members of other shards in the datacenter keep their copies.

Zones take away what they have ranges for. What else the shards hold is named, with its size and the command that moves it: databases whose primary
shard they are, with collections that are not sharded, and chunks of no zone. The changed topology has drained: true in the datacenter, so that plan,
status and verify go on naming it.` + drainHelp,
		Example: `  geoshard drain datacenter SYD
  geoshard drain datacenter SYD --plan`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.drain(cmd, flags, func(s session, state *zones.State) (*topology.Topology, []zones.Finding, error) {
				return plan.DrainDatacenter(s.world, state, topology.DatacenterID(args[0]))
			})
		},
		ValidArgsFunction: completeWorld(1, (*topology.Topology).DatacenterIDs),
	}, &flags)
}

func (e *environment) drain(cmd *cobra.Command, flags drainFlags, drained func(session, *zones.State) (*topology.Topology, []zones.Finding, error)) error {
	if !flags.Plan && flags.outcomeFlags != (outcomeFlags{}) {
		return hint.Errorf("add --plan; the changed topology is written with --out", "--save and --detailed-exitcode are about a plan")
	}
	return e.withWorld(cmd, flags.clusterFlags, func(ctx context.Context, s session) error {
		state, err := s.Read(ctx, zones.Declared(s.world))
		if err != nil {
			return err
		}
		changed, found, err := drained(s, state)
		if err != nil {
			return err
		}
		if !flags.Plan {
			layout, err := plan.Want(changed, state, plan.Options{Prune: true})
			if err != nil {
				return err
			}
			kept, err := s.Drained(ctx, changed, state, layout)
			if err != nil {
				return err
			}
			found = append(found, kept...)
			return e.showWorld(changed, found, flags.outFlags, false)
		}
		plan, err := s.Plan(ctx, changed, plan.Options{Prune: true, Rate: flags.rate})
		if err != nil {
			return err
		}
		plan.Findings = append(found, plan.Findings...)
		return e.showPlan(planView{Plan: plan}, flags.outcomeFlags, "add --save FILE, then geoshard apply FILE")
	})
}
