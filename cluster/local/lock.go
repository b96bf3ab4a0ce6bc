package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/hint"
)

const (
	lockEnd = ".lock" // NAME.lock beside the directory NAME
	// lockText is the content of our lock files: another file of that name is not removed.
	lockText = "geoshard: the lock of a cluster\n"
)

// A nameLock is held by the supervisor for its life; the system lets go of it however the supervisor ends.
type nameLock struct {
	file *flock.Flock
	path string
}

// lockName returns ErrRunning when another supervisor, here or in another process, holds the name, and ErrForeign when somebody else's
// file has the name of the lock.
func lockName(root, name string) (*nameLock, error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, hint.New(fmt.Errorf("make state directory: %w", err), "set "+StateDirEnv+" to a directory that can be written")
	}
	path := filepath.Join(root, name+lockEnd)
	for {
		if err := writeNew(path, []byte(lockText)); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, hint.New(fmt.Errorf("lock cluster %s: %w", name, err), "set "+StateDirEnv+" to a directory that can be written")
		}
		if err := examineLock(path); err != nil {
			return nil, err
		}
		file := flock.New(path, flock.SetFlag(os.O_RDONLY))
		locked, err := file.TryLock()
		if errors.Is(err, fs.ErrNotExist) {
			continue // its holder has just let go
		}
		if err != nil {
			return nil, fmt.Errorf("lock cluster %s: %w", name, err)
		}
		if !locked {
			_ = file.Close()
			return nil, hint.New(fmt.Errorf("start cluster %s: %w", name, cluster.ErrRunning),
				"attach to it, stop it with `geoshard cluster down --name "+name+"`, or choose another --name")
		}
		// The holder before us may have removed the file between our opening and locking it; then we hold nothing.
		if sameFile(file, path) {
			return &nameLock{file: file, path: path}, nil
		}
		_ = file.Close()
	}
}

// examineLock returns ErrForeign for a file that is not, or may not become, one of our locks. An empty one may: older versions made
// such, and one may be about to be written.
func examineLock(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at lock: %w", err)
	case !info.Mode().IsRegular():
		return foreign(path, "it is no regular file, and the lock of the cluster would have that name")
	}
	// Windows lets nobody read a locked file: then it is taken for a lock, which it is.
	if text, err := os.ReadFile(path); err == nil && string(text) != lockText && len(text) > 0 {
		return foreign(path, "the lock of the cluster would have that name")
	}
	return nil
}

func sameFile(held *flock.Flock, path string) bool {
	have, _ := held.Stat()
	now, _ := os.Stat(path)
	return os.SameFile(have, now) // one that is not there is none of the same
}

// release removes the lock file while it is still held, then lets go. A file without our text stays, empty as it was found. (Windows
// removes no open file: there it stays, unlocked.)
func (l *nameLock) release() error {
	if text, err := readRegular(l.path); err == nil && string(text) == lockText && sameFile(l.file, l.path) {
		_ = os.Remove(l.path)
	}
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("unlock cluster: %w", err)
	}
	return nil
}
