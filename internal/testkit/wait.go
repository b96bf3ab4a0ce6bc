package testkit

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/geoshard/geoshard/internal/pace"
)

const (
	// Patience bounds a wait for a state that has to come, where nothing better is known: several elections with
	// their catch-up on a machine that is busy with other tests.
	Patience = 3 * time.Minute

	// firstLook and lookEvery are the pauses between two looks: short at first, for most states come at once.
	firstLook, lookEvery = 5 * time.Millisecond, 100 * time.Millisecond
)

// Await looks until it gets nil, or until ctx ends: then the error wraps the end of ctx and says what was waited for,
// and the last answer.
func Await(ctx context.Context, what string, look func(context.Context) error) error {
	began := time.Now()
	var last error
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval, pauses.RandomizationFactor = firstLook, lookEvery, 0
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := look(ctx)
		if err != nil && (last == nil || ctx.Err() == nil) { // what the end of ctx has broken off says nothing
			last = err
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(0))
	if err != nil {
		return fmt.Errorf("%s: not within %s: %w; last: %w", what, time.Since(began).Round(time.Millisecond), context.Cause(ctx), last)
	}
	return nil
}

// Eventually waits until a condition holds; the test ends when it does not within that time. It returns how long that took.
func Eventually(t testing.TB, within time.Duration, what string, holds func() bool) time.Duration {
	t.Helper()
	return EventuallyNil(t, within, what, func(context.Context) error {
		if holds() {
			return nil
		}
		return errors.New("it does not hold yet")
	})
}

// EventuallyNil waits until a look returns no error; the test ends, with the last error, when that does not come within
// that time. It returns how long that took.
func EventuallyNil(t testing.TB, within time.Duration, what string, look func(context.Context) error) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	began := time.Now()
	if err := Await(ctx, what, look); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

// Pause waits that long, to pace a load or to choose a moment; it never stands for a state. It reports false when ctx
// ended first.
func Pause(ctx context.Context, long time.Duration) bool { return pace.Pause(ctx, long) }
