package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/plan"
)

func newImportCommand(env *environment) *cobra.Command {
	var flags struct {
		reachFlags
		outFlags
	}
	return withFlags(&cobra.Command{
		Use:   "import",
		Short: "Write a topology of what a cluster is like",
		Long: `Read a cluster and print the topology of its shards, zones and ranges: a plan of it is empty. What the cluster does not know (the links between
its datacenters, say) and what a topology cannot express is told on the standard error, with a hint each. Where the cluster does not tell enough for a valid topology,
what it tells is written all the same, and the exit code is 2: correct the document, and validate it.

` + reachHelp,
		Example: `  geoshard import
  geoshard import --uri-file prod.uri --out geoshard.yaml
  geoshard import --output json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withCluster(cmd, flags.reachFlags, func(ctx context.Context, s session) error {
				state, err := s.Read(ctx, nil)
				if err != nil {
					return err
				}
				world, found, err := plan.Import(state)
				if err != nil {
					return err
				}
				return env.showWorld(world, found, flags.outFlags, true)
			})
		},
	}, &flags)
}

// outFlags say where a topology that was made goes.
type outFlags struct {
	Out   string `flag:"out,oneRun" files:"yaml yml" usage:"write the topology to a file instead"`
	Force bool   `flag:"force,oneRun" usage:"overwrite an existing file"`
}

// showWorld prints a topology or writes it to a file. Findings are told first: they say why there may be none. A draft may be invalid, which ends in exit code 2.
func (e *environment) showWorld(world *topology.Topology, found []zones.Finding, to outFlags, draft bool) error {
	if e.output == outputText {
		findings(e.page(e.stderr), found)
	}
	text, invalid := world.Marshal()
	if invalid != nil {
		if !draft {
			return invalid
		}
		text = append([]byte("# This is what the cluster tells. It is not valid yet: geoshard validate names what has to be corrected.\n"), world.Draft()...)
	}
	if to.Out != "" {
		if err := writeNew(to.Out, text, to.Force); err != nil {
			return err
		}
		e.say("wrote %s", to.Out)
	}
	if err := e.show(worldView{File: to.Out, Topology: string(text), Findings: found}); err != nil || invalid == nil {
		return err
	}
	e.say("it is not valid yet: correct what the errors above name, then run geoshard validate")
	return errDifferences
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
