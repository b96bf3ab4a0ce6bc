package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/catalog"
)

func newZoneStatusCommand(env *environment) *cobra.Command {
	var flags struct {
		clusterFlags
		watchFlags
	}
	return withFlags(&cobra.Command{
		Use:   "status",
		Short: "Show zones, balancer, violations and progress",
		Long: `Show which shards are in which zones, the ranges of the declared collections, what lies outside its zone and is still to be moved, the
balancer with its migrations, and the last apply. Of shards that are being removed, or drained with their datacenter, it names what they still hold, with its size and the
command that moves it. Processes, links and lags of a local cluster are in geoshard cluster status.` + whichHelp,
		Example: `  geoshard status
  geoshard status --watch
  geoshard status --uri-file prod.uri --output json`,
		RunE: env.onWorld(&flags.clusterFlags, func(ctx context.Context, s session) error {
			return env.look(ctx, flags.Watch, func(ctx context.Context) error {
				status, err := s.Status(ctx, s.world)
				if err != nil {
					return err
				}
				return env.show(zoneStatus{status, s.world})
			})
		}),
	}, &flags)
}

// A zoneStatus is a status as people read it. It encodes as the status.
type zoneStatus struct {
	*catalog.Status
	world *topology.Topology
}

func (v zoneStatus) text(out page) {
	out.printf("cluster %s, MongoDB %s\n\n", out.bold(v.State.ClusterID), v.State.Version)
	out.printf("%s\n", v.zones(out))
	if len(v.State.Collections) > 0 {
		out.printf("%s\n", v.collections(out))
	}
	findings(out, v.Drained)
	out.printf("changes:   %s\nplacement: %s\nbalancer:  %s\njournal:   %s\n", v.changes(out), v.placement(out), v.balancer(out), v.journal(out))
}

// zones has a row for each shard and a column for each zone.
func (v zoneStatus) zones(out page) *grid {
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
	t := out.grid(header...)
	for _, shard := range v.State.Shards {
		name := string(shard.ID)
		if shard.Draining {
			name += out.warn(" (being removed)")
		}
		row := []any{name, v.world.HomeOf(shard.ID)}
		for _, zone := range names {
			cell := "-" // an empty column would be left out, and a zone without shards is worth seeing
			if slices.Contains(shard.Zones, zone) {
				cell = out.good("yes")
			}
			row = append(row, cell)
		}
		t.row(row...)
	}
	return t
}

func (v zoneStatus) collections(out page) *grid {
	t := out.grid("collection", "key", "ranges", "chunks", "balancing")
	for _, c := range v.State.Collections {
		name := plain(c.Name)
		switch {
		case !c.Exists:
			t.row(name, out.warn("does not exist"), len(c.Ranges))
		case !c.Sharded:
			t.row(name, out.warn("not sharded"), len(c.Ranges))
		case c.NoBalance:
			t.row(name, c.Key, len(c.Ranges), len(c.Chunks), out.warn("off"))
		default:
			t.row(name, c.Key, len(c.Ranges), len(c.Chunks), "on")
		}
	}
	return t
}

func (v zoneStatus) changes(out page) string {
	if v.Changes == 0 {
		return out.good("none") + ", the cluster has what the topology declares"
	}
	text := out.warn(plural(v.Changes, "step"))
	if v.Drifted > 0 {
		text += fmt.Sprintf(", %d because somebody changed what was applied", v.Drifted)
	}
	return text + ": geoshard plan"
}

func (v zoneStatus) placement(out page) string {
	sharded := slices.ContainsFunc(v.State.Collections, func(c zones.Collection) bool { return c.Sharded })
	switch left := v.Left; {
	case !sharded:
		return out.warn("nothing is sharded yet")
	case left == nil:
		return out.warn("not known") + ": " + v.Unseen
	case left.Chunks == 0 && left.Uncounted != "":
		return out.good("every chunk is on a shard of its zone") + "; " + left.Uncounted
	case left.Chunks == 0 && left.Orphans == 0:
		return out.good("every chunk is on a shard of its zone")
	case left.Chunks == 0:
		return fmt.Sprintf("every chunk is on a shard of its zone; %s of migrations not deleted yet", plural(left.Orphans, "copy left"))
	default:
		return out.warn(left.String())
	}
}

func (v zoneStatus) balancer(out page) string {
	b := v.State.Balancer
	text := out.good("running")
	if !b.Running {
		text = out.warn("stopped") + ", nothing moves: sh.startBalancer()"
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
		text += "\n           " + out.warn("told to leave alone") + " " + strings.Join(v.Left.Held, ", ")
	}
	return text
}

func (v zoneStatus) journal(out page) string {
	run := v.Last
	if run == nil {
		return "nothing was applied by geoshard yet"
	}
	state := out.warn(string(run.Status))
	switch run.Status {
	case zones.RunDone:
		state = out.good("done")
	case zones.RunFailed:
		state = out.bad("failed")
	}
	text := fmt.Sprintf("%d of %s, %s, begun %s by %s", run.Done(), plural(len(run.Steps), "step"), state, run.Started.UTC().Format(time.RFC3339), run.Owner)
	if run.Unfinished() {
		text += "; geoshard apply goes on with it"
	}
	if run.Error != "" {
		text += "\n           " + run.Error
	}
	return text
}
