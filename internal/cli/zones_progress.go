package cli

import (
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/geoshard/geoshard/zones/apply"
)

// progress returns a listener that tells a person how an apply or a wait goes on, with a bar on a terminal and lines elsewhere. Programs hear nothing. Done
// ends the bar.
func (e *environment) progress() (listen func(apply.Event), done func()) {
	if e.output != outputText {
		return func(apply.Event) {}, func() {}
	}
	p := &progress{page: e.page(e.stderr), bars: isTerminal(e.stderr)}
	return p.hear, p.finish
}

// A progress prints events.
type progress struct {
	page
	bars bool
	bar  *progressbar.ProgressBar
	// left is what the last line of a wait said.
	left string
}

func (p *progress) hear(event apply.Event) {
	switch event := event.(type) {
	case apply.RunBegun:
		if event.Done > 0 {
			p.line("going on with run %s: %d of %d steps were done before", event.Run, event.Done, event.Total)
		}
	case apply.StepDone:
		p.line("%d/%d %s", event.Index+1, event.Total, signed(p.styles, event.Step.Change))
	case apply.BalancingReleased:
		p.line("the balancer may work on %s again", event.Collection)
	case apply.WaitProgress:
		p.waiting(event)
	}
}

func (p *progress) line(format string, args ...any) {
	p.finish()
	p.printf(format+"\n", args...)
}

// waiting tells one look of a wait.
func (p *progress) waiting(event apply.WaitProgress) {
	if !p.bars || event.Total == 0 {
		if text := event.Left.String(); text != p.left {
			p.left = text
			p.line("waiting until %s: %s%s", event.Goal, text, more(event))
		}
		return
	}
	if p.bar == nil {
		p.bar = progressbar.NewOptions64(event.Total, progressbar.OptionSetWriter(p.Writer), progressbar.OptionShowBytes(true),
			progressbar.OptionSetPredictTime(false), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth())
	}
	p.bar.Describe(fmt.Sprintf("%s%s", event.Goal, more(event)))
	_ = p.bar.Set64(min(event.Total, max(0, event.Total-event.Left.Bytes))) // an error here is about the drawing alone
}

// more says what is under way and how long the rest takes.
func more(event apply.WaitProgress) string {
	text := ""
	if len(event.Left.Migrations) > 0 {
		m := event.Left.Migrations[0]
		text += fmt.Sprintf("; now %s from %s to %s", m.Collection, m.From, m.To)
		if others := len(event.Left.Migrations) - 1; others > 0 {
			text += fmt.Sprintf(" and %s", plural(others, "other migration"))
		}
	}
	if event.Left.Orphans > 0 && event.Left.Chunks == 0 {
		text += "; the servers delete what was left behind"
	}
	if event.ETA > 0 {
		text += "; about " + event.ETA.String() + " left"
	}
	return text
}

func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Exit() // only ends the line
		p.println()
		p.bar = nil
	}
}
