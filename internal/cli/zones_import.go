package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/plan"
)

func newImportCommand(env *environment) *cobra.Command {
	var flags clusterFlags
	var out string
	var force bool
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Write a topology of what a cluster is like",
		Long: `Read a cluster and print the topology of its shards, zones and ranges: a plan of it is empty. What the cluster does not know (the links between
its datacenters, say) and what a topology cannot express is told on the standard error, with a hint each.

` + reachHelp,
		Example: `  geoshard import
  geoshard import --uri-file prod.uri --out geoshard.yaml
  geoshard import --output json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withCluster(cmd, flags, func(ctx context.Context, s session) error {
				state, err := s.Read(ctx, nil)
				if err != nil {
					return err
				}
				world, found, err := plan.Import(state)
				if err != nil {
					return err
				}
				return env.showWorld(world, found, out, force)
			})
		},
	}
	flags.addCluster(cmd)
	addOutFlags(cmd, &out, &force)
	return cmd
}

func addOutFlags(cmd *cobra.Command, out *string, force *bool) {
	cmd.Flags().StringVar(out, "out", "", "write the topology to a file instead")
	_ = cmd.MarkFlagFilename("out", "yaml", "yml")
	cmd.Flags().BoolVar(force, "force", false, "overwrite an existing file")
	oneRun(cmd.Flags(), "out", "force")
}

// showWorld prints a topology or writes it to a file. Findings are told first: they say why there may be none.
func (e *environment) showWorld(world *topology.Topology, found []zones.Finding, out string, force bool) error {
	if e.output == outputText {
		findings(page{e.stderr, e.styles(e.stderr)}, found)
	}
	text, err := world.Marshal()
	if err != nil {
		return err
	}
	if out != "" {
		if err := writeNew(out, text, force); err != nil {
			return err
		}
		e.say("wrote %s", out)
	}
	return e.show(worldView{File: out, Topology: string(text), Findings: found})
}

// A worldView is a topology that was made of a cluster.
type worldView struct {
	File string `json:"file,omitempty"`
	// Topology is the document, YAML.
	Topology string          `json:"topology"`
	Findings []zones.Finding `json:"findings"`
}

func (v worldView) text(out page) {
	if v.File == "" {
		out.printf("%s", v.Topology)
	}
}
