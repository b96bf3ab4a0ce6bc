package devmongos

import (
	"context"
	"time"
)

// A pacer spaces out repeated attempts: the first repetition comes at once, as one refresh is mostly enough.
type pacer struct{ attempts int }

const (
	paceStep = 5 * time.Millisecond
	paceMost = 200 * time.Millisecond
)

// wait returns false when ctx has ended.
func (p *pacer) wait(ctx context.Context) bool {
	p.attempts++
	if p.attempts == 1 {
		return ctx.Err() == nil
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(min(paceMost, paceStep<<min(p.attempts-2, 6))):
		return true
	}
}

// every does something again and again until ctx ends.
func every(ctx context.Context, interval time.Duration, do func(now time.Time)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			do(now)
		}
	}
}
