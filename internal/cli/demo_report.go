package cli

import (
	"fmt"
	"time"

	"github.com/geoshard/geoshard/internal/demo"
)

// A reportedView is the table at the end of a story. It encodes as the whole report.
type reportedView struct{ *demo.Report }

func (v reportedView) text(out page) {
	if len(v.Latencies) > 0 {
		out.printf("\n%s\n%s", out.bold("What clients waited (half of the requests less), beside the links"), v.latencies(out))
	}
	out.printf("%s", v.totals(out))
	verdict := out.good(fmt.Sprintf("all %s held", plural(v.Checks.Held, "check")))
	if !v.AllHeld {
		verdict = out.bad(fmt.Sprintf("%d of %s did not hold", v.Checks.Failed, plural(v.Checks.Held+v.Checks.Failed, "check")))
	}
	out.printf("%s; %.1f s in all, of which %.1f s to start the world; MongoDB %s, query router: %s\n",
		verdict, time.Duration(v.Took).Seconds(), time.Duration(v.Started).Seconds(), v.ServerVersion, v.QueryRouter.Kind)
}

// latencies has a row for each kind of request in each datacenter.
func (v reportedView) latencies(out page) *grid {
	t := out.grid("in", "what", "round trip", "half within", "quickest", "longest", "measured")
	row := func(in, what, rtt string, m demo.Spread) {
		t.row(in, what, rtt, shortly(m.P50), shortly(m.Min), shortly(m.Max), m.Count)
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
	return t
}

// totals are what the story came to.
func (v reportedView) totals(out page) *grid {
	t := out.grid("", "", "")
	if f := v.Failover; f != nil {
		t.row("failover", shortly(f.Elected), fmt.Sprintf("from the kill of %s until %s was seen as primary; the longest write took %s", f.Killed, f.Next, shortly(f.Held)))
	}
	if c := v.Cut; c != nil {
		t.row("loss of "+string(c.Datacenter), shortly(c.Held), fmt.Sprintf("was the longest write to its carts; %s after the healing its shard was led there again", shortly(c.HandedBack)))
	}
	if v.Writes.Carts > 0 {
		t.row("lost writes", v.Writes.Lost, fmt.Sprintf("of %d acknowledged; %d done twice", v.Writes.Acknowledged, v.Writes.Doubled))
	}
	t.row("stale reads", v.Reads.Stale, fmt.Sprintf("of %d with a causal token; without one %d of %d", v.Reads.WithToken, v.Reads.Behind, v.Reads.WithoutToken))
	if r := v.Residency; r != nil {
		t.row("misplaced", r.Misplaced+r.Orphans, fmt.Sprintf("of %d documents; %d zones held where they may not be", r.Documents, r.Violations))
	}
	return t
}
