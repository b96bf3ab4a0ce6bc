package mongobin

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// An Event tells what is being done. Events come one after the other, never two at once.
type Event struct {
	// Text says what is being done, as a line for a person.
	Text string
	// Done and Total count bytes while something is being copied; Total is -1 where nobody knows it. Both are 0 for an event that is just
	// a line.
	Done, Total int64
}

// plainStep is how much of a transfer passes between two plain lines.
const plainStep = 0.25

// Printer returns a receiver of events that draws a progress bar where w is a terminal and prints plain lines where it is not.
func Printer(w io.Writer) func(Event) {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return barPrinter(f)
	}
	return plainPrinter(w)
}

func plainPrinter(w io.Writer) func(Event) {
	var current string
	var next float64
	return func(e Event) {
		if e.Total == 0 {
			fmt.Fprintln(w, e.Text)
			return
		}
		if e.Text != current {
			current, next = e.Text, plainStep
		}
		if part := float64(e.Done) / float64(e.Total); e.Total > 0 && part >= next {
			fmt.Fprintf(w, "%s: %3.0f %% of %.0f MB\n", e.Text, part*100, float64(e.Total)/1e6)
			next = part + plainStep
		}
	}
}

func barPrinter(w io.Writer) func(Event) {
	var current string
	var bar *progressbar.ProgressBar
	finish := func() {
		if bar != nil {
			_ = bar.Exit() // only ends the line
			bar, current = nil, ""
		}
	}
	return func(e Event) {
		if e.Total == 0 {
			finish()
			fmt.Fprintln(w, e.Text)
			return
		}
		if e.Text != current {
			finish()
			current = e.Text
			bar = progressbar.NewOptions64(e.Total, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(e.Text),
				progressbar.OptionShowBytes(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth())
		}
		_ = bar.Set64(e.Done) // an error here is about the drawing, never about the download
		if e.Done == e.Total {
			finish()
			fmt.Fprintln(w)
		}
	}
}

// A countingWriter sends an event for every piece that passes through it.
type countingWriter struct {
	io.Writer
	event Event
	send  func(Event)
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.event.Done += int64(n)
	c.send(c.event)
	return n, err
}
