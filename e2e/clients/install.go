package clients

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// CacheDirEnv names the environment variable with the directory that holds the installed clients.
const CacheDirEnv = "GEOSHARD_CLIENTS_DIR"

// ErrMissing means that a program that the clients need is not on this machine, or is too old.
var ErrMissing = errors.New("missing on this machine")

// lockPoll is how often a process looks whether the other one has finished installing.
const lockPoll = 200 * time.Millisecond

// ensure returns the directory of one installed client and lets fill install it into a fresh directory if it is not there yet.
// It appears under its name only when it is whole, so an interrupted installation leaves nothing that is mistaken for one; a lock makes processes that
// want the same one at once wait for the first.
func ensure(ctx context.Context, name string, fill func(dir string) error) (string, error) {
	root, err := cacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", fmt.Errorf("make the clients' directory: %w", err)
	}
	lock := flock.New(dir + ".lock")
	if _, err := lock.TryLockContext(ctx, lockPoll); err != nil {
		return "", fmt.Errorf("lock the installation of %s: %w", name, err)
	}
	defer lock.Unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil // the other process has installed it meanwhile
	}
	fresh := filepath.Join(root, ".geoshard-installing-"+name) // a name that nobody else uses: what is there is ours to remove
	if err := os.RemoveAll(fresh); err != nil {
		return "", fmt.Errorf("remove a half installation: %w", err)
	}
	if err := fill(fresh); err != nil {
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	if err := os.Rename(fresh, dir); err != nil {
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	return dir, nil
}

func cacheDir() (string, error) {
	if dir := os.Getenv(CacheDirEnv); dir != "" {
		return filepath.Abs(dir)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache directory: %w (set %s)", err, CacheDirEnv)
	}
	return filepath.Join(cache, "geoshard", "clients"), nil
}

// program finds a program on the PATH; the error is an ErrMissing.
func program(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, ErrMissing)
	}
	return path, nil
}

// run runs an installer's command; the error has the end of what it said.
func run(ctx context.Context, path string, args ...string) error {
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(path), args[0], err, tail(out))
	}
	return nil
}
