package devmongos

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/geoshard/geoshard/internal/pace"
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
	return pace.Pause(ctx, min(paceMost, paceStep<<min(p.attempts-2, 6)))
}

// attempts repeats something at the pace of a pacer, until the time is over. What it gives is the context that ends with it.
func attempts(ctx context.Context, limit time.Duration) iter.Seq[context.Context] {
	return func(yield func(context.Context) bool) {
		budget, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		for p := (pacer{}); yield(budget) && p.wait(budget); {
		}
	}
}

// sideBySide does something for each of a list at once, and waits for all.
func sideBySide[T, R any](list []T, do func(T) (R, error)) ([]R, []error) {
	results, errs := make([]R, len(list)), make([]error, len(list))
	var all sync.WaitGroup
	for i, item := range list {
		all.Go(func() { results[i], errs[i] = do(item) })
	}
	all.Wait()
	return results, errs
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
