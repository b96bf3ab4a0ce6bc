package testkit

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

// A Write is one write of a load, the nth of a writer: it returns the key that it is counted under in the [Ledger].
type Write func(ctx context.Context, writer, n int) (key string, err error)

// A Load writes side by side until it is stopped, and counts what was acknowledged.
type Load struct {
	Ledger
	ctx     context.Context
	cancel  context.CancelFunc
	writing sync.WaitGroup
}

// Drive begins a load of so many writers, each of which rests for pace between two writes. It ends with [Load.Stop], or with the test. The context of a
// write does not end with the load: the last writes are finished, so that their outcome is known. A write that may never end has to bound itself.
func Drive(t testing.TB, writers int, pace time.Duration, write Write) *Load {
	t.Helper()
	l := &Load{}
	l.ctx, l.cancel = context.WithCancel(t.Context())
	for writer := range writers {
		l.writing.Go(func() {
			for n := 0; l.ctx.Err() == nil; n++ {
				key, err := write(context.WithoutCancel(l.ctx), writer, n)
				l.Note(key, 1, err)
				if !Pause(l.ctx, pace) {
					return
				}
			}
		})
	}
	t.Cleanup(l.Stop)
	return l
}

// Stop ends the load and waits for its last writes. It may be repeated.
func (l *Load) Stop() {
	l.cancel()
	l.writing.Wait()
}

// GoesOn waits until so many more writes are acknowledged; the test ends, with the last error of a write, when that does not come within [Patience].
func (l *Load) GoesOn(t testing.TB, more int) {
	t.Helper()
	want := l.Acknowledged() + more
	EventuallyNil(t, Patience, fmt.Sprintf("%d more writes are acknowledged", more), func(context.Context) error {
		got := l.Acknowledged()
		if got >= want {
			return nil
		}
		failed, last := l.Failed()
		return fmt.Errorf("%d are missing; %d writes failed so far, the last: %v", want-got, failed, last)
	})
}
