package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/schollz/progressbar/v3"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/internal/demo"
)

// A teller prints a story while it is played: lines on the standard output, and on a terminal a spinner below them with what is under way.
type teller struct {
	page
	talk  io.Writer
	quiet bool // a program wants the report alone
	bars  bool

	mu      sync.Mutex
	spinner *progressbar.ProgressBar // guarded by mu; it turns by itself
	began   time.Time                // guarded by mu
}

func (e *environment) newTeller() *teller {
	return &teller{page: e.page(e.stdout), talk: e.stderr, quiet: e.output != outputText, bars: isTerminal(e.stderr), began: time.Now()}
}

// starting tells what the start of the world has reached.
func (t *teller) starting(text string) {
	if t.quiet {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bars {
		t.spinLocked(text)
		return
	}
	fmt.Fprintf(t.talk, "%6.2fs %s\n", time.Since(t.began).Seconds(), text)
}

// hear tells an event of the story.
func (t *teller) hear(event demo.Event) {
	if t.quiet {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch event := event.(type) {
	case demo.StepBegun:
		if event.Number == 1 {
			t.lineLocked("%s", t.faint(fmt.Sprintf("the world is up after %.1f s", time.Since(t.began).Seconds())))
		}
		t.lineLocked("\n%s %s %s", t.faint(fmt.Sprintf("%d/%d", event.Number, event.Total)), t.bold(event.Step.Title), t.faint("("+event.Step.Name+")"))
		t.spinLocked(event.Step.Name)
	case demo.Told:
		t.lineLocked("%s", t.line(event.Line))
	case demo.StepEnded:
		if event.Report.Error != "" {
			t.lineLocked("  %s %s", t.bad("broke off:"), event.Report.Error)
		}
		t.lineLocked("%s", t.faint(fmt.Sprintf("    %s", shortly(event.Report.Took))))
	}
}

// lineLocked prints a line above the spinner.
func (t *teller) lineLocked(format string, args ...any) {
	if t.spinner != nil {
		_ = t.spinner.Clear() // an error here is about the drawing alone
	}
	t.printf(format+"\n", args...)
}

// spinLocked shows on a terminal what is under way.
func (t *teller) spinLocked(what string) {
	if !t.bars {
		return
	}
	if t.spinner == nil {
		t.spinner = progressbar.NewOptions(-1, progressbar.OptionSetWriter(t.talk), progressbar.OptionSpinnerType(14), progressbar.OptionClearOnFinish(),
			progressbar.OptionThrottle(50*time.Millisecond), progressbar.OptionSetElapsedTime(true))
	}
	t.spinner.Describe(what)
}

// rest takes the spinner away. It is idempotent.
func (t *teller) rest() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.spinner != nil {
		_ = t.spinner.Finish() // an error here is about the drawing alone
		t.spinner = nil
	}
}

// Widths of the columns of a line.
const (
	textWidth = 78
	wayWidth  = 14
	timeWidth = 9
)

// line is a line of the story: what happened, the way of the request, how long it took, who answered and by which rule.
func (t *teller) line(l demo.Line) string {
	switch {
	case l.Check != nil && l.Check.Held:
		got := l.Check.Got
		if got != l.Check.Want {
			got += ", " + l.Check.Want
		}
		return fmt.Sprintf("    %s %s %s", t.good("ok"), l.Text+":", t.faint(got))
	case l.Check != nil:
		return fmt.Sprintf("    %s %s: %s, want %s", t.bad("FAILED"), l.Text, t.bad(l.Check.Got), l.Check.Want)
	case l.Exchange != nil:
		x := l.Exchange
		way := string(x.From)
		if x.To != "" && x.To != x.From {
			way += " -> " + string(x.To)
		}
		who := x.Member
		if x.Reason != "" {
			who = strings.TrimSpace(who + " " + t.faint("("+x.Reason+")"))
		}
		return "  " + pad(l.Text, textWidth) + pad(way, wayWidth) + padLeft(shortly(x.Took), timeWidth) + "  " + who
	case l.Took != 0:
		return "  " + pad(l.Text, textWidth+wayWidth) + padLeft(shortly(l.Took), timeWidth)
	}
	return "  " + l.Text
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(1, width-lipgloss.Width(text)))
}

func padLeft(text string, width int) string {
	return strings.Repeat(" ", max(0, width-lipgloss.Width(text))) + text
}

// shortly is a duration as people read it.
func shortly(d cluster.Duration) string {
	switch v := time.Duration(d); {
	case v >= 10*time.Second:
		return fmt.Sprintf("%.1f s", v.Seconds())
	case v >= time.Second:
		return fmt.Sprintf("%.2f s", v.Seconds())
	case v >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f ms", float64(v)/float64(time.Millisecond))
	default:
		return fmt.Sprintf("%.1f ms", float64(v)/float64(time.Millisecond))
	}
}

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
		t.row("failover", shortly(f.Elected), fmt.Sprintf("from the kill of %s until %s was seen as primary, foreseen within %s; the longest write took %s", f.Killed, f.Next, shortly(f.Foreseen), shortly(f.Held)))
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
