package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/spelling"
)

func newRootCommand(env *environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "geoshard",
		Short: "Run one MongoDB sharded cluster across datacenters, the active-active way",
		Long: `geoshard runs one MongoDB sharded cluster across datacenters so that every record has one home: writes stay local, and every
datacenter reads everything locally.

Each flag can also be given by the environment (GEOSHARD_OUTPUT=json, GEOSHARD_WAN_SCALE=0.1) or in the file that --config names
(output: json). A flag on the command line wins over the environment, and the environment over the file.`,
		Example: `  geoshard init --preset nyc-lon-syd
  geoshard validate geoshard.yaml
  geoshard cluster up --detach
  geoshard plan
  geoshard apply --shard-collections
  geoshard verify`,
		SilenceErrors: true, // finish prints them
		SilenceUsage:  true,
	}
	flags := root.PersistentFlags()
	flags.VarP(&env.output, "output", "o", "form of results and errors")
	flags.String("config", "", "file with settings (YAML, TOML or JSON; default geoshard/config.yaml in the user's configuration directory)")
	flags.BoolVar(&env.noColor, "no-color", false, "print without colours, as NO_COLOR does")
	oneRun(flags, "config")
	_ = root.RegisterFlagCompletionFunc("output", fixed("text", "json"))

	root.SetOut(env.stdout)
	root.SetErr(env.stderr)
	root.SetFlagErrorFunc(wrongFlag)
	root.CompletionOptions.DisableDefaultCmd = true // ours has examples
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return env.readSettings(cmd) }
	asGroup(env, root, // in the order of the help
		newDemoCommand,
		newInitCommand,
		newValidateCommand,
		newSchemaCommand,
		newClusterCommand,
		newPlanCommand,
		newApplyCommand,
		newRollbackCommand,
		newVerifyCommand,
		newZoneStatusCommand,
		newImportCommand,
		newDrainCommand,
		newExplainCommand,
		newRehomeCommand,
		newRolesCommand,
		newConsistencyCommand,
		newRouterCommand,
		newMongodbCommand,
		newVersionCommand,
		newCompletionCommand,
	)
	countArguments(root)
	return root
}

// asGroup makes a command that only has subcommands: it prints its help, and tells what an unknown subcommand may have meant.
func asGroup(env *environment, group *cobra.Command, commands ...func(*environment) *cobra.Command) *cobra.Command {
	for _, command := range commands {
		group.AddCommand(command(env))
	}
	group.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		var names []string
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				names = append(names, sub.Name())
			}
		}
		help := "the commands are " + strings.Join(names, ", ")
		if near := spelling.Nearest(args[0], names); near != "" {
			help = fmt.Sprintf("did you mean %q?", cmd.CommandPath()+" "+near)
		}
		return hint.Errorf(help, "unknown command %q", cmd.CommandPath()+" "+args[0])
	}
	group.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return group
}

// wrongFlag adds the nearest flag to the parser's message.
func wrongFlag(cmd *cobra.Command, err error) error {
	help := "run " + cmd.CommandPath() + " --help"
	if name, unknown := strings.CutPrefix(err.Error(), "unknown flag: --"); unknown {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := spelling.Nearest(name, names); near != "" {
			help = fmt.Sprintf("did you mean --%s?", near)
		}
	}
	return hint.New(err, help)
}

// arguments wants one argument for each name. A name in brackets is optional.
func arguments(names ...string) cobra.PositionalArgs {
	needed := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return strings.HasPrefix(name, "[") })
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= len(needed) && len(args) <= len(names) {
			return nil
		}
		want := cmp.Or(strings.Join(names, " "), "no arguments")
		got := "nothing"
		if len(args) > 0 {
			got = strings.Join(args, " ")
		}
		return hint.Errorf("run "+cmd.CommandPath()+" --help", "%s: want %s, got %s", cmd.CommandPath(), want, got)
	}
}
