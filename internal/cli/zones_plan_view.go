package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/docker/go-units"

	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// A planView is a plan as people read it. It encodes as a plan file.
type planView struct{ *zones.Plan }

func (v planView) text(w io.Writer, s styles) {
	if v.Empty() {
		fmt.Fprintf(w, "%s: the cluster has the zones and ranges that it should have\n", s.good.Render("no changes"))
	} else {
		fmt.Fprintf(w, "%s for cluster %s%s\n\n", s.bold.Render(plural(len(v.Steps), "step")), v.ClusterID, v.applying())
		v.steps(w, s)
	}
	v.forecast(w, s)
	v.targeting(w, s)
	findings(w, s, v.Findings)
	v.manual(w, s)
}

func (v planView) steps(w io.Writer, s styles) {
	for _, step := range v.Steps {
		line := step.Change.String()
		fmt.Fprintf(w, "  %s\n", signStyle(s, line).Render(line))
		cause := s.faint
		if step.Cause != zones.CauseIntent {
			cause = s.warn
		}
		fmt.Fprintf(w, "      %s: %s\n", cause.Render(step.Cause.String()), step.Reason)
	}
	fmt.Fprintln(w)
}

// applying says how long the steps will take, where that is known.
func (v planView) applying() string {
	if v.Applying == 0 {
		return ""
	}
	return fmt.Sprintf("; applying takes about %s", roughly(v.Applying))
}

// signStyle is the colour of a change's sign.
func signStyle(s styles, line string) lipgloss.Style {
	switch line[:1] {
	case "+":
		return s.good
	case "-":
		return s.bad
	default:
		return s.warn
	}
}

func (v planView) forecast(w io.Writer, s styles) {
	f := v.Forecast
	if len(f.Moves) == 0 {
		fmt.Fprintln(w, "forecast: no data moves")
		fmt.Fprintln(w)
		return
	}
	counted := "estimated"
	if f.Measured {
		counted = "counted by the servers"
	}
	fmt.Fprintf(w, "forecast: %s, %s in %s move, in %s at best with %s/s for each migration (%s)\n\n",
		plural64(f.Documents, "document"), bytesOf(f.Bytes), plural(f.Chunks, "chunk"), roughly(f.Duration), bytesOf(int64(f.Rate)), counted)
	rows := [][]string{{"collection", "zone", "from", "to", "documents", "bytes", "chunks"}}
	for _, m := range f.Moves {
		rows = append(rows, []string{
			m.Collection, string(m.Zone), placeOf(m.From, m.FromDC), placeOf(m.To, m.ToDC),
			strconv.FormatInt(m.Documents, 10), bytesOf(m.Bytes), strconv.Itoa(m.Chunks),
		})
	}
	fmt.Fprint(w, grid(s, rows))
	var migrations []string
	for _, shard := range slices.Sorted(maps.Keys(f.Migrations)) {
		migrations = append(migrations, fmt.Sprintf("%s %d", shard, f.Migrations[shard]))
	}
	fmt.Fprintf(w, "migrations per shard: %s\n\n", strings.Join(migrations, ", "))
}

// shownTargeting is how many values are shown: with thousands of them nobody reads on.
const shownTargeting = 20

func (v planView) targeting(w io.Writer, s styles) {
	all := v.Forecast.Targeting
	if len(all) == 0 {
		return
	}
	rows := [][]string{{"a query in", "for", "of zone", "asks now", "will ask"}}
	for _, t := range all[:min(len(all), shownTargeting)] {
		rows = append(rows, []string{t.Collection, t.Value, string(t.Zone), datacenterList(t.Before), datacenterList(t.After)})
	}
	fmt.Fprint(w, grid(s, rows))
	if more := len(all) - shownTargeting; more > 0 {
		fmt.Fprintf(w, "and for %s; --output json has them all\n", plural(more, "more value"))
	}
	fmt.Fprintln(w)
}

func (v planView) manual(w io.Writer, s styles) {
	for _, m := range v.Manual {
		fmt.Fprintf(w, "%s %s: %s\n", s.warn.Render("by hand"), m.Collection, m.Why)
		for _, command := range m.Commands {
			fmt.Fprintf(w, "    %s\n", strings.ReplaceAll(command, "\n", "\n    "))
		}
		if m.Needs != "" {
			fmt.Fprintf(w, "  %s\n", m.Needs)
		}
		fmt.Fprintln(w)
	}
}

// findings prints what was found out about a cluster, each with its way out.
func findings(w io.Writer, s styles, all []zones.Finding) {
	for _, f := range all {
		style := s.faint
		switch f.Severity {
		case zones.SeverityError:
			style = s.bad
		case zones.SeverityWarning:
			style = s.warn
		}
		fmt.Fprintf(w, "%s %s: %s %s\n", style.Render(f.Severity.String()), f.Subject, f.Message, s.faint.Render("["+f.Rule+"]"))
		if f.Hint != "" {
			fmt.Fprintf(w, "  hint: %s\n", f.Hint)
		}
	}
	if len(all) > 0 {
		fmt.Fprintln(w)
	}
}

func placeOf(shard topology.ShardID, dc topology.DatacenterID) string {
	if dc == "" {
		return string(shard)
	}
	return fmt.Sprintf("%s (%s)", shard, dc)
}

func datacenterList(dcs []topology.DatacenterID) string {
	if len(dcs) == 0 {
		return "none"
	}
	return spelling.List(dcs)
}

func bytesOf(n int64) string { return units.HumanSize(float64(n)) }

func plural64(n int64, noun string) string { return plural(int(n), noun) }

// roughly leaves out what nobody wants to know of a duration.
func roughly(d time.Duration) string {
	if d < time.Second {
		return "a second"
	}
	return d.Round(time.Second).String()
}
