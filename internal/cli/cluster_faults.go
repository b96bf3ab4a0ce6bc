package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/wan"
)

// Commands that do something to one member.
var (
	newKillCommand = memberCommand("kill", "is down", "Kill a member's process",
		"Kill a member's process with SIGKILL, as a crash of its machine would. It stays down until geoshard cluster start.", (*local.Remote).Kill)
	newPauseCommand = memberCommand("pause", "is paused", "Pause a member's process",
		"Pause a member's process: its connections stay open and nobody answers, as when a machine hangs. geoshard cluster start lets it go on.", (*local.Remote).Pause)
	newStartCommand = memberCommand("start", "is up", "Start a killed member, or let a paused one go on",
		"Start a killed member again, or let a paused one go on, and wait until it answers. A member that runs is left as it is.", (*local.Remote).Start)
)

func memberCommand(verb, past, short, long string, do func(*local.Remote, context.Context, string) error) func(*environment) *cobra.Command {
	return func(env *environment) *cobra.Command {
		return &cobra.Command{
			Use:               verb + " MEMBER",
			Short:             short,
			Long:              long,
			Example:           fmt.Sprintf("  geoshard cluster %s nyc/NYC\n  geoshard cluster %s config/LON --name second", verb, verb),
			ValidArgsFunction: complete(1, memberNames),
			RunE: env.does(func(ctx context.Context, c *local.Remote, args []string) (deed, error) {
				return deed{Action: verb + " " + args[0], past: args[0] + " " + past}, do(c, ctx, args[0])
			}),
		}
	}
}

func newIsolateCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "isolate DATACENTER",
		Short: "Cut all links of a datacenter",
		Long: `Cut all links of a datacenter, in both directions: packets vanish, nothing is reset, new connections time out. Its own members and
clients still reach each other. geoshard cluster heal mends the links.`,
		Example:           "  geoshard cluster isolate SYD",
		ValidArgsFunction: complete(1, (*topology.Topology).DatacenterIDs),
		RunE:              env.applies(func(args []string) wan.Fault { return wan.Isolate{DC: topology.DatacenterID(args[0])} }),
	}
}

func newCutCommand(env *environment) *cobra.Command {
	var flags struct {
		OneWay bool `flag:"one-way" usage:"cut only the way from the first to the second"`
	}
	return withFlags(&cobra.Command{
		Use:   "cut FROM TO",
		Short: "Cut the link between two datacenters",
		Long: `Cut the link between two datacenters: packets vanish, nothing is reset, new connections time out. With --one-way only packets on the
way from the first to the second vanish. geoshard cluster heal mends the link.`,
		Example: `  geoshard cluster cut NYC LON
  geoshard cluster cut NYC LON --one-way`,
		ValidArgsFunction: complete(2, (*topology.Topology).DatacenterIDs),
		RunE: env.applies(func(args []string) wan.Fault {
			return wan.Cut{From: topology.DatacenterID(args[0]), To: topology.DatacenterID(args[1]), OneWay: flags.OneWay}
		}),
	}, &flags)
}

func newLagCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "lag MEMBER DURATION",
		Short: "Hold a member of a shard behind",
		Long: `Hold a member of a shard that far behind the member that it copies from. Votes, heartbeats and acknowledgements keep their timing. 0
ends the lag, and so does geoshard cluster heal.`,
		Example: `  geoshard cluster lag nyc/LON 5s
  geoshard cluster lag nyc/LON 0`,
		ValidArgsFunction: complete(1, memberNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			by, err := time.ParseDuration(args[1])
			if err != nil || by < 0 {
				return hint.Errorf("such as 5s or 500ms; 0 ends the lag", "lag %q: want a duration of 0 or more", args[1])
			}
			past := fmt.Sprintf("%s is held %s behind", args[0], by)
			if by == 0 {
				past = args[0] + " is no longer held behind"
			}
			return env.does(func(ctx context.Context, c *local.Remote, _ []string) (deed, error) {
				return deed{Action: fmt.Sprintf("lag %s %s", args[0], by), past: past}, c.SetLag(ctx, args[0], by)
			})(cmd, args)
		},
	}
}

func newHealCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "heal",
		Short: "Mend all links and end all lags",
		Long:  `Mend all links and end all lags. What was sent over a cut link then arrives. Killed and paused members stay as they are.`,
		Example: `  geoshard cluster heal
  geoshard cluster heal --name second`,
		RunE: env.does(func(ctx context.Context, c *local.Remote, _ []string) (deed, error) {
			return deed{Action: "heal", past: "all links are open and no member is held behind"}, c.Heal(ctx)
		}),
	}
}

// applies puts a fault of the links into force.
func (e *environment) applies(fault func(args []string) wan.Fault) runner {
	return e.does(func(ctx context.Context, c *local.Remote, args []string) (deed, error) {
		f := fault(args)
		return deed{Action: f.String(), past: "in force: " + f.String()}, c.Apply(ctx, f)
	})
}
