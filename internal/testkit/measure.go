package testkit

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// quietWithin bounds the wait for the machine.
const quietWithin = 15 * time.Minute

// Measures is called by a test that compares times with a bound, such as the delay of a link. While it runs no other
// test of this machine that measures does: two of them would see each other's load. What else runs goes on, so a bound
// has to allow for it; see CONTRIBUTING.md.
func Measures(t testing.TB) {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), quietWithin)
	defer cancel()
	lock, err := turn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lock.Close() })
	if waited := time.Since(began); waited > time.Second {
		t.Logf("waited %s for a turn to measure", waited.Round(time.Second))
	}
}

// turn waits for the lock; closing it ends the turn.
func turn(ctx context.Context) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(os.TempDir(), "geoshard-tests-measure.lock"), flock.SetPermissions(0o666))
	if _, err := lock.TryLockContext(ctx, lookEvery); err != nil {
		return nil, fmt.Errorf("a turn to measure: %w", err)
	}
	return lock, nil
}
