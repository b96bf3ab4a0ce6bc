package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/catalog"
)

func newZoneStatusCommand(env *environment) *cobra.Command {
	var flags clusterFlags
	var watch bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show zones, balancer, violations and progress",
		Long: `Show which shards are in which zones, the ranges of the declared collections, what lies outside its zone and is still to be moved, the
balancer with its migrations, and the last apply. Processes, links and lags of a local cluster are in geoshard cluster status.` + whichHelp,
		Example: `  geoshard status
  geoshard status --watch
  geoshard status --uri-file prod.uri --output json`,
		RunE: env.onWorld(&flags, func(ctx context.Context, s session) error {
			return env.look(ctx, watch, func(ctx context.Context) error {
				status, err := s.Status(ctx, s.world)
				if err != nil {
					return err
				}
				return env.show(zoneStatus{status, s.world})
			})
		}),
	}
	flags.add(cmd)
	addWatchFlag(cmd, &watch)
	return cmd
}

// A zoneStatus is a status as people read it. It encodes as the status.
type zoneStatus struct {
	*catalog.Status
	world *topology.Topology
}

func (v zoneStatus) text(w io.Writer, s styles) {
	fmt.Fprintf(w, "cluster %s, MongoDB %s\n\n", s.bold.Render(v.State.ClusterID), v.State.Version)
	fmt.Fprintf(w, "%s\n", v.zones(s))
	if len(v.State.Collections) > 0 {
		fmt.Fprintf(w, "%s\n", v.collections(s))
	}
	fmt.Fprintf(w, "changes:   %s\n", v.changes(s))
	fmt.Fprintf(w, "placement: %s\n", v.placement(s))
	fmt.Fprintf(w, "balancer:  %s\n", v.balancer(s))
	fmt.Fprintf(w, "journal:   %s\n", v.journal(s))
}

// zones has a row for each shard and a column for each zone.
func (v zoneStatus) zones(s styles) string {
	names := v.world.ZoneIDs()
	for _, shard := range v.State.Shards {
		for _, zone := range shard.Zones {
			if !slices.Contains(names, zone) {
				names = append(names, zone)
			}
		}
	}
	header := []string{"shard", "home"}
	for _, zone := range names {
		header = append(header, "zone "+string(zone))
	}
	rows := [][]string{header}
	for _, shard := range v.State.Shards {
		row := []string{string(shard.ID), string(v.world.HomeOf(shard.ID))}
		if shard.Draining {
			row[0] += s.warn.Render(" (being removed)")
		}
		for _, zone := range names {
			cell := "-" // an empty column would be left out, and a zone without shards is worth seeing
			if slices.Contains(shard.Zones, zone) {
				cell = s.good.Render("yes")
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	return grid(s, rows)
}

func (v zoneStatus) collections(s styles) string {
	rows := [][]string{{"collection", "key", "ranges", "chunks", "balancing"}}
	for _, c := range v.State.Collections {
		row := []string{c.Name, c.Key.String(), strconv.Itoa(len(c.Ranges)), strconv.Itoa(len(c.Chunks)), "on"}
		switch {
		case !c.Exists:
			row[1], row[3], row[4] = s.warn.Render("does not exist"), "", ""
		case !c.Sharded:
			row[1], row[3], row[4] = s.warn.Render("not sharded"), "", ""
		case c.NoBalance:
			row[4] = s.warn.Render("off")
		}
		rows = append(rows, row)
	}
	return grid(s, rows)
}

func (v zoneStatus) changes(s styles) string {
	if v.Changes == 0 {
		return s.good.Render("none") + ", the cluster has what the topology declares"
	}
	text := s.warn.Render(plural(v.Changes, "step"))
	if v.Drifted > 0 {
		text += fmt.Sprintf(", %d because somebody changed what was applied", v.Drifted)
	}
	return text + ": geoshard plan"
}

func (v zoneStatus) placement(s styles) string {
	sharded := slices.ContainsFunc(v.State.Collections, func(c zones.Collection) bool { return c.Sharded })
	switch left := v.Left; {
	case !sharded:
		return s.warn.Render("nothing is sharded yet")
	case left == nil:
		return s.warn.Render("not known") + ": " + v.Unseen
	case left.Chunks == 0 && left.Orphans == 0:
		return s.good.Render("every chunk is on a shard of its zone")
	case left.Chunks == 0:
		return fmt.Sprintf("every chunk is on a shard of its zone; %s of migrations not deleted yet", plural64(left.Orphans, "copy left"))
	default:
		return s.warn.Render(left.String())
	}
}

func (v zoneStatus) balancer(s styles) string {
	b := v.State.Balancer
	text := s.good.Render("running")
	if !b.Running {
		text = s.warn.Render("stopped") + ", nothing moves: sh.startBalancer()"
	}
	if b.Window != "" {
		text += ", from " + b.Window + " alone"
	}
	if v.Left == nil {
		return text
	}
	for _, m := range v.Left.Migrations {
		text += fmt.Sprintf("\n           moving %s from %s to %s", m.Collection, m.From, m.To)
		if m.Range != "" {
			text += ": " + m.Range
		}
	}
	if len(v.Left.Held) > 0 {
		text += "\n           " + s.warn.Render("told to leave alone") + " " + strings.Join(v.Left.Held, ", ")
	}
	return text
}

func (v zoneStatus) journal(s styles) string {
	run := v.Last
	if run == nil {
		return "nothing was applied by geoshard yet"
	}
	text := fmt.Sprintf("%s of %s, %s, begun %s by %s", strconv.Itoa(run.Done()), plural(len(run.Steps), "step"), runState(s, run), run.Started.UTC().Format(time.RFC3339), run.Owner)
	if run.Unfinished() {
		text += "; geoshard apply goes on with it"
	}
	if run.Error != "" {
		text += "\n           " + run.Error
	}
	return text
}

func runState(s styles, run *zones.Run) string {
	switch run.Status {
	case zones.RunDone:
		return s.good.Render("done")
	case zones.RunFailed:
		return s.bad.Render("failed")
	default:
		return s.warn.Render(string(run.Status))
	}
}
