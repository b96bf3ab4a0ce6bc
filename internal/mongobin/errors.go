package mongobin

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/geoshard/geoshard/hint"
)

// What can go wrong, to branch on with errors.Is. Each comes wrapped in an error that has a hint.
var (
	// ErrNotFound: no usable mongod in the environment, in PATH or in the cache.
	ErrNotFound = errors.New("no usable mongod found")
	// ErrTooOld: the program is older than serverversion.Oldest.
	ErrTooOld = errors.New("too old")
	// ErrWrongArchitecture: the program is for another processor or operating system.
	ErrWrongArchitecture = errors.New("built for another machine")
	// ErrNotExecutable: the file is there, but is not a program that this user may run.
	ErrNotExecutable = errors.New("not executable")
	// ErrMissingLibraries: the program needs shared libraries that this machine does not have; the message names them.
	ErrMissingLibraries = errors.New("missing shared libraries")
	// ErrMismatch: mongod and mongos are not of one release.
	ErrMismatch = errors.New("mongod and mongos differ in release")
	// ErrNoRouter: there is no mongos of that mongod's release, and the development query router does not know the release either.
	ErrNoRouter = errors.New("no query router for this release")
	// ErrCorrupt: a file is not what its publisher says it is, or not the program that its name promises.
	ErrCorrupt = errors.New("corrupt")
	// ErrTruncated: a download ended early.
	ErrTruncated = errors.New("download ended early")
	// ErrNoArchive: MongoDB publishes no archive for this machine.
	ErrNoArchive = errors.New("no archive for this machine")
	// ErrUnreachable: a download site does not answer.
	ErrUnreachable = errors.New("cannot be reached")
	// ErrCacheReadOnly: the cache directory cannot be written.
	ErrCacheReadOnly = errors.New("cache is not writable")
	// ErrNoSpace: the disk that holds the cache is full.
	ErrNoSpace = errors.New("no space left for the cache")
)

const ownBinary = "set GEOSHARD_MONGOD (and GEOSHARD_MONGOS) to binaries of your own"

// fileError explains why the cache could not be written. Errors that are about neither rights nor space pass as they are.
func fileError(op, path string, err error) error {
	var inner *fs.PathError
	if errors.As(err, &inner) && inner.Path == path {
		err = inner.Err // the path is said already
	}
	elsewhere := "point XDG_CACHE_HOME (or the system's own setting for caches) to a directory that can be written, or " + ownBinary
	switch {
	case errors.Is(err, diskFull):
		return hint.Errorf("free 400 MB there, or "+elsewhere, "%s %s: %w: %w", op, path, ErrNoSpace, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOTDIR):
		return hint.Errorf(elsewhere, "%s %s: %w: %w", op, path, ErrCacheReadOnly, err)
	}
	return fmt.Errorf("%s %s: %w", op, path, err)
}
