package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/cluster/local"
)

func newListCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the clusters of this machine",
		Long: `List the clusters of this machine: those that run, those that start, and those whose supervisor was killed, of which geoshard cluster
down removes what is left.`,
		Example: `  geoshard cluster list
  geoshard cluster list --output json`,
		RunE: env.shows(func(context.Context, []string) (view, error) {
			found, err := local.List("")
			return append(clusterList{}, found...), err // [] in JSON, not null
		}),
	}
}

// A clusterList is what list shows.
type clusterList []local.Listed

func (l clusterList) text(out page) {
	if len(l) == 0 {
		out.println("no cluster runs")
		return
	}
	t := out.grid("name", "state", "started", "supervisor")
	for _, c := range l {
		state := out.good("running")
		switch {
		case c.Supervisor == 0:
			state = out.bad("left behind")
		case !c.Ready:
			state = out.warn("starting")
		}
		t.row(c.Name, state, c.Started.Local().Format(time.DateTime), unlessZero(c.Supervisor))
	}
	out.printf("%s", t)
}
