package testkit_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/geoshard/geoshard/internal/testkit"
)

// One value asks for a soak; anything else does not, so that GEOSHARD_SOAK=0 says what it seems to say.
func TestSoakHasOneMeaning(t *testing.T) {
	for value, want := range map[string]bool{"1": true, "": false, "0": false, "yes": false} {
		t.Setenv("GEOSHARD_SOAK", value)
		if got := testkit.Soak(); got != want {
			t.Errorf("GEOSHARD_SOAK=%q: got %v, want %v", value, got, want)
		}
		if n, want := testkit.Count(t, "things", 3, 40), map[bool]int{true: 40, false: 3}[want]; n != want {
			t.Errorf("GEOSHARD_SOAK=%q: count %d, want %d", value, n, want)
		}
	}
}

func TestSeedIsRepeated(t *testing.T) {
	t.Setenv("GEOSHARD_SEED", "42")
	if got := testkit.Seed(t); got != 42 {
		t.Errorf("got %d, want 42", got)
	}
}

// A wait ends with the state, and one that ends in vain says what was wanted and the last answer, not the end of the wait itself.
func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, looks := time.Now(), 0
		err := testkit.Await(t.Context(), "three looks", func(context.Context) error {
			if looks++; looks < 3 {
				return errors.New("too few")
			}
			return nil
		})
		if err != nil || looks != 3 {
			t.Errorf("got %v after %d looks, want nil after 3", err, looks)
		}
		if took := time.Since(began); took > 200*time.Millisecond {
			t.Errorf("three looks took %s", took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		refused := errors.New("refused")
		err := testkit.Await(ctx, "a primary", func(ctx context.Context) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return refused
		})
		if !errors.Is(err, refused) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "a primary: not within 1m0s") {
			t.Errorf("got %v, want what was waited for and the last answer", err)
		}
	})
}

func TestPauseEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if testkit.Pause(ctx, time.Hour) {
		t.Error("a pause of an hour is over")
	}
	if !testkit.Pause(t.Context(), time.Nanosecond) {
		t.Error("the pause ended early")
	}
}

// A test that measures waits for the one that does.
func TestMeasuresIsExclusive(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	done := make(chan struct{})
	t.Run("at the same time", func(t *testing.T) {
		t.Run("first", func(t *testing.T) {
			testkit.Measures(t)
			t.Cleanup(func() { close(done) })
			t.Run("another", func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				if got := testkit.TryMeasure(ctx); got == nil {
					t.Error("two tests measure at the same time")
				}
			})
		})
		testkit.Measures(t)
		select {
		case <-done:
		default:
			t.Error("the second one had its turn before the first had ended")
		}
	})
}
