package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/internal/demo"
)

// A reportedView is the table at the end of a story. It encodes as the whole report.
type reportedView struct{ *demo.Report }

func (v reportedView) text(w io.Writer, s styles) {
	if len(v.Latencies) > 0 {
		fmt.Fprintf(w, "\n%s\n%s", s.bold.Render("What clients waited (half of the requests less), beside the links"), v.latencies(s))
	}
	fmt.Fprint(w, v.totals(s))
	verdict := s.good.Render(fmt.Sprintf("all %s held", plural(v.Checks.Held, "check")))
	if !v.AllHeld {
		verdict = s.bad.Render(fmt.Sprintf("%d of %s did not hold", v.Checks.Failed, plural(v.Checks.Held+v.Checks.Failed, "check")))
	}
	fmt.Fprintf(w, "%s; %.1f s in all, of which %.1f s to start the world; MongoDB %s, query router: %s\n",
		verdict, time.Duration(v.Took).Seconds(), time.Duration(v.Started).Seconds(), v.ServerVersion, v.QueryRouter.Kind)
}

// latencies has a row for each kind of request in each datacenter.
func (v reportedView) latencies(s styles) string {
	rows := [][]string{{"in", "what", "round trip", "half within", "quickest", "longest", "measured"}}
	row := func(in, what, rtt string, m demo.Spread) {
		rows = append(rows, []string{in, what, rtt, shortly(m.P50), shortly(m.Min), shortly(m.Max), fmt.Sprint(m.Count)})
	}
	for _, l := range v.Latencies {
		dc := string(l.Datacenter)
		row(dc, "read own carts", "none", l.LocalRead)
		row(dc, "write to them, one member", "none", l.LocalWrite)
		row(dc, "write to them, two datacenters", shortly(l.Nearest), l.SafeWrite)
		for _, a := range l.Abroad {
			row(dc, "read carts of "+string(a.Home), "none", a.Read)
			row(dc, "write to carts of "+string(a.Home), shortly(a.RTT), a.Write)
		}
	}
	return grid(s, rows)
}

// totals are what the story came to.
func (v reportedView) totals(s styles) string {
	rows := [][]string{{"", "", ""}}
	add := func(what string, number any, more string) {
		rows = append(rows, []string{what, fmt.Sprint(number), more})
	}
	long := func(d cluster.Duration) string { return shortly(d) }
	if f := v.Failover; f != nil {
		add("failover", long(f.Elected), fmt.Sprintf("from the kill of %s until %s was seen as primary; the longest write took %s", f.Killed, f.Next, long(f.Held)))
	}
	if c := v.Cut; c != nil {
		add("loss of "+string(c.Datacenter), long(c.Held), fmt.Sprintf("was the longest write to its carts; %s after the healing its shard was led there again", long(c.HandedBack)))
	}
	if v.Writes.Carts > 0 {
		add("lost writes", v.Writes.Lost, fmt.Sprintf("of %d acknowledged; %d done twice", v.Writes.Acknowledged, v.Writes.Doubled))
	}
	add("stale reads", v.Reads.Stale, fmt.Sprintf("of %d with a causal token; without one %d of %d", v.Reads.WithToken, v.Reads.Behind, v.Reads.WithoutToken))
	if r := v.Residency; r != nil {
		add("misplaced", r.Misplaced+r.Orphans, fmt.Sprintf("of %d documents; %d zones held where they may not be", r.Documents, r.Violations))
	}
	return grid(s, rows)
}
