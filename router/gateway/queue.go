package gateway

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// errQueueFull means that as many requests wait already as may.
var errQueueFull = errors.New("too many requests wait already")

var errBudget = errors.New("the time for new tries is over")

// The pauses between two tries of a held request: short enough that an election costs its own time and not ours, long enough that a thousand held
// requests do not trample a primary that has just been elected.
const (
	firstPause = 25 * time.Millisecond
	mostPause  = 500 * time.Millisecond
)

// A holdQueue bounds the requests that wait for a datacenter to answer again, and the bytes that are kept to send requests anew.
type holdQueue struct {
	now         func() time.Time
	metrics     *metrics
	most        atomic.Int64
	mostBytes   int64
	held, bytes atomic.Int64
}

// enter takes a place for a request that is going to wait.
func (q *holdQueue) enter() error {
	if q.held.Add(1) > q.most.Load() {
		q.held.Add(-1)
		return errQueueFull
	}
	return nil
}

func (q *holdQueue) leave() { q.held.Add(-1) }

// A hold is the waiting of one request for its next try.
type hold struct {
	deadline time.Time // of new tries
	holding  bool
	since    time.Time
}

// wait waits for the try that follows so many: for a pause of at least after, or until a change. It returns an error when the request has waited long
// enough, or may not wait.
func (h *hold) wait(ctx context.Context, q *holdQueue, tries int, after time.Duration, changed <-chan struct{}) error {
	left := h.deadline.Sub(q.now())
	if left <= 0 {
		return errBudget
	}
	if !h.holding {
		if err := q.enter(); err != nil {
			q.metrics.full.Inc()
			return err
		}
		h.holding, h.since = true, q.now()
		q.metrics.held.Inc()
	}
	return wait(ctx, min(pauseOf(tries-1, after), left), changed)
}

// end gives the place in the queue back.
func (h *hold) end(q *holdQueue) {
	if h.holding {
		h.holding = false
		q.leave()
		q.metrics.heldFor.Observe(q.now().Sub(h.since).Seconds())
	}
}

// keep takes room for a body. Where there is none, the request is streamed, and not sent again.
func (q *holdQueue) keep(n int64) bool {
	if q.bytes.Add(n) > q.mostBytes {
		q.bytes.Add(-n)
		return false
	}
	return true
}

func (q *holdQueue) release(n int64) { q.bytes.Add(-n) }

// pauseOf is how long the wait before a try may be: it doubles, and is spread so that requests that were stopped together do not come back together. What
// the upstream asked for by Retry-After is its lower bound.
func pauseOf(try int, retryAfter time.Duration) time.Duration {
	pause := firstPause << min(try, 10)
	pause = min(pause, mostPause)
	pause = pause/2 + rand.N(pause/2+1)
	return max(pause, retryAfter)
}

// herd spreads the requests that a change wakes all at once.
const herd = 20 * time.Millisecond

// wait returns nil after a pause, or a little after a change of the health, whichever comes first.
func wait(ctx context.Context, pause time.Duration, changed <-chan struct{}) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	case <-changed:
	}
	timer.Reset(rand.N(herd))
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
