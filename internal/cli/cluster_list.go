package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
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

func (l clusterList) text(w io.Writer, s styles) {
	if len(l) == 0 {
		fmt.Fprintln(w, "no cluster runs")
		return
	}
	rows := [][]string{{"name", "state", "started", "supervisor"}}
	for _, c := range l {
		state, supervisor := s.good.Render("running"), strconv.Itoa(c.Supervisor)
		switch {
		case c.Supervisor == 0:
			state, supervisor = s.bad.Render("left behind"), ""
		case !c.Ready:
			state = s.warn.Render("starting")
		}
		rows = append(rows, []string{c.Name, state, c.Started.Local().Format(time.DateTime), supervisor})
	}
	fmt.Fprint(w, grid(s, rows))
}
