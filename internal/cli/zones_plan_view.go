package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"

	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// A planView is a plan as people read it. It encodes as a plan file.
type planView struct {
	*zones.Plan
	failover string // what a killed primary costs
}

func (v planView) text(out page) {
	if v.Empty() {
		out.printf("%s: the cluster has the zones and ranges that it should have\n", out.good("no changes"))
	} else {
		applying := ""
		if v.Applying != 0 { // else nobody knows how long it takes
			applying = "; applying takes about " + roughly(v.Applying)
		}
		out.printf("%s for cluster %s%s\n\n", out.bold(plural(len(v.Steps), "step")), v.ClusterID, applying)
		v.steps(out)
	}
	v.forecast(out)
	v.targeting(out)
	findings(out, v.Findings)
	v.manual(out)
	if v.failover != "" {
		out.println(v.failover)
	}
}

func (v planView) steps(out page) {
	for _, step := range v.Steps {
		cause := out.faint
		if step.Cause != zones.CauseIntent {
			cause = out.warn
		}
		out.printf("  %s\n      %s: %s\n", signed(out.styles, step.Change), cause(step.Cause.String()), step.Reason)
	}
	out.println()
}

// signed is a change in the colour of its sign.
func signed(s styles, change zones.Change) string {
	line := change.String()
	switch line[:1] {
	case "+":
		return s.good(line)
	case "-":
		return s.bad(line)
	default:
		return s.warn(line)
	}
}

func (v planView) forecast(out page) {
	f := v.Forecast
	if len(f.Moves) == 0 {
		out.printf("forecast: no data moves\n\n")
		return
	}
	counted := "estimated"
	if f.Measured {
		counted = "counted by the servers"
	}
	out.printf("forecast: %s, %s in %s move, in %s at best with %s/s for each migration (%s)\n\n",
		plural(f.Documents, "document"), bytesOf(f.Bytes), plural(f.Chunks, "chunk"), roughly(f.Duration), bytesOf(int64(f.Rate)), counted)
	t := out.grid("collection", "zone", "from", "to", "documents", "bytes", "chunks")
	for _, m := range f.Moves {
		t.row(m.Collection, m.Zone, placeOf(m.From, m.FromDC), placeOf(m.To, m.ToDC), m.Documents, bytesOf(m.Bytes), m.Chunks)
	}
	out.printf("%s", t)
	var migrations []string
	for _, shard := range slices.Sorted(maps.Keys(f.Migrations)) {
		migrations = append(migrations, fmt.Sprintf("%s %d", shard, f.Migrations[shard]))
	}
	out.printf("migrations per shard: %s\n\n", strings.Join(migrations, ", "))
}

// shownTargeting is how many values are shown: with thousands of them nobody reads on.
const shownTargeting = 20

func (v planView) targeting(out page) {
	all := v.Forecast.Targeting
	if len(all) == 0 {
		return
	}
	t := out.grid("a query in", "for", "of zone", "asks now", "will ask")
	// What changes comes first.
	unchanged := func(t zones.Targeting) int {
		if slices.Equal(t.Before, t.After) {
			return 1
		}
		return 0
	}
	all = slices.SortedStableFunc(slices.Values(all), func(a, b zones.Targeting) int { return unchanged(a) - unchanged(b) })
	for _, query := range all[:min(len(all), shownTargeting)] {
		t.row(query.Collection, query.Value, query.Zone, cmp.Or(spelling.List(query.Before), "none"), cmp.Or(spelling.List(query.After), "none"))
	}
	out.printf("%s", t)
	if more := len(all) - shownTargeting; more > 0 {
		out.printf("and for %s; --output json has them all\n", plural(more, "more value"))
	}
	out.println()
}

func (v planView) manual(out page) {
	for _, m := range v.Manual {
		out.printf("%s %s: %s\n", out.warn("by hand"), m.Collection, m.Why)
		for _, command := range m.Commands {
			out.printf("    %s\n", strings.ReplaceAll(command, "\n", "\n    "))
		}
		if m.Needs != "" {
			out.printf("  %s\n", m.Needs)
		}
		out.println()
	}
}

// findings prints what was found out about a cluster, each with its way out.
func findings(out page, all []zones.Finding) {
	for _, f := range all {
		style := out.faint
		switch f.Severity {
		case zones.SeverityError:
			style = out.bad
		case zones.SeverityWarning:
			style = out.warn
		}
		out.printf("%s %s: %s %s\n", style(f.Severity.String()), plain(f.Subject), plain(f.Message), out.faint("["+f.Rule+"]"))
		if f.Hint != "" {
			out.printf("  hint: %s\n", plain(f.Hint))
		}
	}
	if len(all) > 0 {
		out.println()
	}
}

func placeOf(shard topology.ShardID, dc topology.DatacenterID) string {
	if dc == "" {
		return string(shard)
	}
	return fmt.Sprintf("%s (%s)", shard, dc)
}

func bytesOf(n int64) string { return units.HumanSize(float64(n)) }

// roughly leaves out what nobody wants to know of a duration.
func roughly(d time.Duration) string {
	if d < time.Second {
		return "a second"
	}
	return d.Round(time.Second).String()
}
