package pace

import (
	"context"
	"time"
)

// Every does a job at once, and then again at each tick, until the context ends. A job that takes longer than a tick is late for the next one, not done
// twice at a time.
func Every(ctx context.Context, tick time.Duration, job func()) {
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	for ctx.Err() == nil {
		job()
		select {
		case <-ctx.Done():
		case <-ticks.C:
		}
	}
}

// Pause waits that long. It is false when the context ended first.
func Pause(ctx context.Context, long time.Duration) bool {
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
