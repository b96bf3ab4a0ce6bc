package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/topology"
)

// refreshEvery is how often status --watch looks again: often enough to see an election, seldom enough not to be one more load.
const refreshEvery = time.Second

func newStatusCommand(env *environment) *cobra.Command {
	var flags struct {
		watchFlags
		ShowSecrets bool `flag:"show-secrets" usage:"put user and password into the connection strings"`
	}
	return withFlags(&cobra.Command{
		Use:   "status",
		Short: "Show who is primary where, the lags and the links",
		Long: `Show the members of a running cluster as a table, shards in rows and datacenters in columns: PRIMARY, secondary, arbiter, or why a
member does not work, with the lag of those that are behind. Below: the links between the datacenters with their round-trip times and
faults, which query router runs, and the connection strings of the datacenters; with --show-secrets these hold the user and the password of
a cluster that was started with --auth.`,
		Example: `  geoshard cluster status
  geoshard cluster status --watch
  geoshard cluster status --name second --output json
  geoshard cluster status --show-secrets`,
		RunE: env.onLocal(func(ctx context.Context, c *local.Remote, _ []string) error {
			return env.look(ctx, flags.Watch, func(ctx context.Context) error { return env.showStatus(ctx, c, secrecy(flags.ShowSecrets)) })
		}),
	}, &flags)
}

// secrecy says whether connection strings hold passwords.
type secrecy bool

const (
	withoutSecrets secrecy = false
	withSecrets    secrecy = true
)

func (e *environment) showStatus(ctx context.Context, c cluster.View, secrets secrecy) error {
	status, err := c.Status(ctx)
	if err != nil {
		return err
	}
	view := statusView{Status: status, world: c.Topology()}
	for _, dc := range routedIDs(c.Topology()) {
		uri, err := routerURI(c, dc, secrets)
		if err != nil {
			return err
		}
		view.Connect = append(view.Connect, connection{Datacenter: dc, URI: uri})
	}
	return e.show(view)
}

// routerURI is the connection string of a datacenter's query router.
func routerURI(c cluster.View, dc topology.DatacenterID, secrets secrecy) (string, error) {
	guarded, ok := c.(interface {
		SecretURI(dc topology.DatacenterID) (string, error)
	})
	if ok && secrets == withSecrets {
		return guarded.SecretURI(dc)
	}
	return c.URI(dc)
}

// watchFlags have the flag for look.
type watchFlags struct {
	Watch bool `flag:"watch,oneRun" short:"w" usage:"refresh until Ctrl-C"`
}

// look shows something once, or to watch it again and again until the context ends. On a terminal each one takes the place of the last.
func (e *environment) look(ctx context.Context, watch bool, show func(context.Context) error) error {
	if !watch {
		return show(ctx)
	}
	again := time.Tick(refreshEvery)
	for {
		if e.output == outputText && isTerminal(e.stdout) {
			fmt.Fprint(e.stdout, "\x1b[H\x1b[2J") // cursor home, clear the screen
		}
		if err := show(ctx); err != nil {
			if ctx.Err() != nil {
				return nil // interrupted: that is how watching ends
			}
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again:
		}
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

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
