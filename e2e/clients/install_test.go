package clients

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// filler installs one file, and counts how often it was asked.
func filler(installed *atomic.Int32) func(string) error {
	return func(dir string) error {
		installed.Add(1)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "tool"), nil, 0o600)
	}
}

func TestEnsureInstallsOnce(t *testing.T) {
	t.Setenv(CacheDirEnv, t.TempDir())
	var installed atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			dir, err := ensure(t.Context(), "tool-1", filler(&installed))
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := os.Stat(filepath.Join(dir, "tool")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := installed.Load(); got != 1 {
		t.Errorf("installed %d times, want once", got)
	}
}

func TestEnsureAfterAnInterruption(t *testing.T) {
	root := t.TempDir()
	t.Setenv(CacheDirEnv, root)
	broken := errors.New("broken off")
	_, err := ensure(t.Context(), "tool-1", func(dir string) error {
		if err := os.MkdirAll(filepath.Join(dir, "half"), 0o755); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatalf("got %v, want %v", err, broken)
	}
	var installed atomic.Int32
	dir, err := ensure(t.Context(), "tool-1", filler(&installed))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "half")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the half installation is still there: %v", err)
	}
}

func TestEnsureStopsWaiting(t *testing.T) {
	t.Setenv(CacheDirEnv, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	_, err := ensure(t.Context(), "tool-1", func(string) error {
		cancel() // the other one waits for this installation, and gives up
		_, err := ensure(ctx, "tool-1", func(string) error { return errors.New("installed twice at once") })
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestMissingProgram(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for name, get := range map[string]func(context.Context) (*Client, error){"mongosh": Mongosh, "pymongo": PyMongo} {
		if _, err := get(t.Context()); !errors.Is(err, ErrMissing) {
			t.Errorf("%s: got %v, want %v", name, err, ErrMissing)
		}
	}
}
