package gateway

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// The pauses between two tries of a held request: short enough that an election costs its own time and not ours, long enough that a thousand held
// requests do not trample a primary that has just been elected.
const (
	firstPause = 25 * time.Millisecond
	mostPause  = 500 * time.Millisecond
	// herd spreads the requests that a change wakes all at once.
	herd = 20 * time.Millisecond
)

// A bound counts what is taken of something that there is not more of.
type bound struct{ taken, most atomic.Int64 }

// take is false, and takes nothing, where there is not enough left.
func (b *bound) take(n int64) bool {
	if b.taken.Add(n) > b.most.Load() {
		b.give(n)
		return false
	}
	return true
}

func (b *bound) give(n int64) { b.taken.Add(-n) }

// wait waits for the next try: for a pause of at least after, or until a little after a change. It is false when the request has waited long enough, or may not wait.
func (x *exchange) wait(ctx context.Context, after time.Duration) bool {
	g := x.g
	now, changed := g.o.Now(), g.health.changed()
	left := x.deadline.Sub(now)
	if left <= 0 {
		return false
	}
	if x.heldSince.IsZero() {
		if !g.held.take(1) {
			g.metrics.full.Inc()
			return false
		}
		x.heldSince = now
		g.metrics.held.Inc()
	}
	// The pause doubles, and is spread so that requests that were stopped together do not come back together. What the upstream asked for by Retry-After is its lower
	// bound.
	pause := min(firstPause<<min(x.tries-1, 10), mostPause)
	pause = max(pause/2+rand.N(pause/2+1), after)
	timer := time.NewTimer(min(pause, left))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-changed:
			changed = nil // once
			timer.Reset(rand.N(herd))
		}
	}
}

// release gives the place among the held requests back.
func (x *exchange) release() {
	if !x.heldSince.IsZero() {
		x.g.held.give(1)
		x.g.metrics.heldFor.Observe(x.g.o.Now().Sub(x.heldSince).Seconds())
		x.heldSince = time.Time{}
	}
}
