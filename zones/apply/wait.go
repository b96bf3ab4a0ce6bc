package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// Progress tells what the balancer still has to do for a layout. Package zones/catalog has it from the servers.
type Progress interface {
	Remaining(ctx context.Context, layout zones.Layout) (Remaining, error)
}

// Remaining is the work that is left until every document of a layout lies on a shard of its zone.
type Remaining struct {
	// Chunks, Documents and Bytes lie outside their zone.
	Chunks    int   `json:"chunks"`
	Documents int64 `json:"documents"`
	Bytes     int64 `json:"bytes"`
	// Orphans are documents that were moved and not yet deleted where they were. Uncounted says why
	// there is no number of them; empty where they were counted.
	Orphans   int64  `json:"orphans"`
	Uncounted string `json:"uncounted,omitempty"`
	// Migrations are under way now.
	Migrations []Migration    `json:"migrations,omitempty"`
	Balancer   zones.Balancer `json:"balancer"`
	// Collections are those with chunks outside their zone; Held are those of them that the balancer is told to leave alone (noBalance).
	Collections []string `json:"collections,omitempty"`
	Held        []string `json:"held,omitempty"`
	// Jumbo are chunks outside their zone that the balancer does not move because of their size, as people read them; Movable is how many others there are.
	Jumbo   []string `json:"jumbo,omitempty"`
	Movable int      `json:"-"`
}

// A Migration is a range of shard keys that goes from one shard to another now.
type Migration struct {
	Collection string           `json:"collection"`
	From       topology.ShardID `json:"from"`
	To         topology.ShardID `json:"to"`
	// Range is its bounds as people read them.
	Range string `json:"range,omitempty"`
}

// A WaitGoal is what a wait is for, as the command line names it.
type WaitGoal string

// The goals.
const (
	// WaitMoved: every chunk lies on a shard of its zone.
	WaitMoved WaitGoal = "moved"
	// WaitClean: and the copies that were left behind are deleted.
	WaitClean WaitGoal = "clean"
)

// UnmarshalText reads "moved" or "clean".
func (g *WaitGoal) UnmarshalText(text []byte) error {
	*g = WaitGoal(text)
	if *g != WaitMoved && *g != WaitClean {
		return fmt.Errorf("%q is nothing to wait for: want moved or clean", text)
	}
	return nil
}

// WaitOptions say what to wait for and how long.
type WaitOptions struct {
	// Goal is required.
	Goal WaitGoal
	// Every is the time between two looks; 0 means 1 s.
	Every time.Duration
	// Timeout bounds the whole wait; 0 means that the context alone does.
	Timeout time.Duration
	// Listen gets a WaitProgress for each look; nil for none. It must not block.
	Listen func(Event)
}

const (
	waitEvery = time.Second
	// waitPatience is how long nothing may change before a wait gives up.
	waitPatience = 10 * time.Minute
	// orphanPatience is waitPatience while orphans alone are left: longer than the servers' delay
	// before they delete those, an hour after their migration by default and a quarter of one
	// before 8.2 (orphanCleanupDelaySecs; serverversion.OrphansKeptLonger).
	orphanPatience = 80 * time.Minute
	// deafPatience is how long the cluster may give no answer: several elections.
	deafPatience = time.Minute
	// shownJumbo is how many jumbo chunks a hint names.
	shownJumbo = 5
)

// The ways in which a wait ends without its goal. Each comes as a WaitError.
var (
	// ErrBalancerStopped means that an operator stopped the balancer. Geoshard never starts it.
	ErrBalancerStopped = errors.New("the balancer is stopped")
	// ErrBalancingHeld means that only collections are left that the balancer is told to leave alone.
	ErrBalancingHeld = errors.New("balancing is off for the collections that are left")
	// ErrJumbo means that only chunks are left that are too large for the balancer to move.
	ErrJumbo = errors.New("only jumbo chunks are left")
	// ErrUncounted means that all is moved, and that the servers cannot tell whether copies are
	// left behind.
	ErrUncounted = errors.New("copies that were left behind cannot be counted")
	// ErrNoProgress means that nothing changed for too long.
	ErrNoProgress = errors.New("no progress")
	// ErrTimeout means that the time was up.
	ErrTimeout = errors.New("the time is up")
)

// A WaitError says why a wait ended without its goal, and what was left then.
type WaitError struct {
	Goal WaitGoal
	Left Remaining
	// After is how long it waited.
	After time.Duration
	Err   error
}

// Error says what is left.
func (e *WaitError) Error() string {
	return fmt.Sprintf("wait until %s: %v after %s; left are %s", e.Goal, e.Err, e.After.Round(time.Second), e.Left)
}

// Unwrap returns one of the sentinels above, or what a look failed with.
func (e *WaitError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *WaitError) Hint() string {
	switch e.Err {
	case ErrBalancerStopped:
		return "the plan is applied, and data moves as soon as the balancer runs: start it with sh.startBalancer() when that is wanted, then wait again"
	case ErrBalancingHeld:
		return "let the balancer have them again with sh.enableBalancing(\"" + strings.Join(e.Left.Held, "\"), sh.enableBalancing(\"") + "\"), then wait again"
	case ErrJumbo:
		return "these are not moved because of their size: " + strings.Join(e.Left.Jumbo[:min(len(e.Left.Jumbo), shownJumbo)], "; ") +
			"; split them with sh.splitAt(), or let the balancer try again with the command clearJumboFlag when their documents are fewer, then wait again"
	case ErrUncounted:
		return e.Left.Uncounted + "; every chunk is where it belongs, and the servers delete the copies by themselves: " +
			"geoshard verify counts them on the members"
	case ErrNoProgress:
		if window := e.Left.Balancer.Window; window != "" {
			return "the balancer works in its window " + window + " alone; wait again then"
		}
		return "look for jumbo chunks and failed migrations: geoshard status, and the log of the config servers' primary"
	default:
		return "the plan is applied; the balancer goes on by itself, wait again to see the end"
	}
}

// String says what is left in one line.
func (r Remaining) String() string {
	chunks := "chunks"
	if r.Chunks == 1 {
		chunks = "chunk"
	}
	text := fmt.Sprintf("%d %s with %d documents (%d bytes) outside their zone", r.Chunks, chunks, r.Documents, r.Bytes)
	if r.Orphans > 0 {
		text += fmt.Sprintf(", %d orphaned documents", r.Orphans)
	}
	if r.Uncounted != "" {
		text += ", orphaned documents not counted"
	}
	return text
}

// Wait waits until the balancer has brought everything into its zone. It only looks: it starts no balancer and moves nothing.
//
// It returns a *WaitError when the balancer cannot get there, or takes too long.
func Wait(ctx context.Context, layout zones.Layout, p Progress, o WaitOptions) error {
	if o.Goal == "" {
		return errors.New("wait: no goal was given: want moved or clean")
	}
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	w := waiting{o: o, began: time.Now()}
	tick := time.NewTicker(cmp.Or(o.Every, waitEvery))
	defer tick.Stop()
	for {
		done, err := w.ask(ctx, layout, p)
		if done {
			return nil
		}
		if err == nil {
			select {
			case <-tick.C:
				continue
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		if ctx.Err() == context.DeadlineExceeded {
			err = ErrTimeout
		}
		return &WaitError{Goal: o.Goal, Left: w.last, After: time.Since(w.began), Err: err}
	}
}

// waiting is what a wait knows: where it began, and when something last changed.
type waiting struct {
	o       WaitOptions
	began   time.Time
	first   Remaining
	last    Remaining
	changed time.Time
	// heard is when the cluster last answered.
	heard time.Time
}

// ask looks at the cluster. An election or a lost connection does not end a wait of hours.
func (w *waiting) ask(ctx context.Context, layout zones.Layout, p Progress) (done bool, err error) {
	left, err := p.Remaining(ctx, layout)
	now := time.Now()
	switch {
	case err == nil:
		w.heard = now
		return w.look(left, now)
	case w.heard.IsZero(), ctx.Err() != nil, now.Sub(w.heard) >= deafPatience:
		return false, err
	default:
		return false, nil
	}
}

// look judges one look at the cluster. It has no clock of its own.
func (w *waiting) look(left Remaining, now time.Time) (done bool, err error) {
	if w.changed.IsZero() {
		w.first, w.changed = left, now
	} else if advanced(w.last, left) {
		w.changed = now
	}
	w.last = left
	if w.o.Listen != nil {
		w.o.Listen(WaitProgress{Goal: w.o.Goal, Total: w.first.Bytes, Left: left, ETA: w.eta(now)})
	}
	moved := left.Chunks == 0
	if moved && (w.o.Goal == WaitMoved || left.Uncounted == "" && left.Orphans == 0 && len(left.Migrations) == 0) {
		return true, nil
	}
	patience := waitPatience
	switch {
	case moved && left.Uncounted != "":
		return false, ErrUncounted
	case !moved && !left.Balancer.Running && len(left.Migrations) == 0:
		return false, ErrBalancerStopped
	case !moved && len(left.Held) > 0 && len(left.Held) == len(left.Collections):
		return false, ErrBalancingHeld
	case !moved && len(left.Jumbo) > 0 && left.Movable == 0 && len(left.Migrations) == 0:
		return false, ErrJumbo
	case moved:
		patience = orphanPatience
	}
	if now.Sub(w.changed) >= patience {
		return false, ErrNoProgress
	}
	return false, nil
}

// advanced reports whether something happened between two looks. A migration that goes on for long is work too, but only its end counts:
// one that hangs looks the same.
func advanced(before, now Remaining) bool {
	return before.Chunks != now.Chunks || before.Documents != now.Documents || before.Orphans != now.Orphans ||
		len(before.Migrations) != len(now.Migrations)
}

// eta is how long it takes to move what is left at the rate so far; 0 when nothing was moved yet.
func (w *waiting) eta(now time.Time) time.Duration {
	moved, left := float64(w.first.Bytes-w.last.Bytes), float64(w.last.Bytes)
	if w.first.Bytes == 0 { // sizes are not known: chunks are all there is to count
		moved, left = float64(w.first.Chunks-w.last.Chunks), float64(w.last.Chunks)
	}
	if moved <= 0 {
		return 0
	}
	return time.Duration(float64(now.Sub(w.began)) * left / moved).Round(time.Second)
}
