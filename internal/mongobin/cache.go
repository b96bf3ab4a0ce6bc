package mongobin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/serverversion"
)

// tempPrefix begins the names of directories of an installation under way; digits follow. Whoever holds the lock may remove all of them: their
// owner is dead.
const tempPrefix = ".geoshard-fetch-"

// lockPoll is how often a waiting process tries the lock: the wait is for a download, so a tenth of a second is nothing.
const lockPoll = 100 * time.Millisecond

// cacheDir is the cache: by default one that all checkouts of this user share.
func (o Options) cacheDir() (string, error) {
	if o.CacheDir != "" {
		return filepath.Abs(o.CacheDir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", hint.Errorf("set HOME or XDG_CACHE_HOME", "find the user's cache directory: %w", err)
	}
	return filepath.Join(dir, "geoshard", "mongodb"), nil
}

// cached lists the mongods in the cache, the newest version first.
func (o Options) cached() []string {
	dir, _ := o.cacheDir() // "" for none at all
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var versions []serverversion.Version
	for _, e := range entries {
		if v, err := serverversion.Parse(e.Name()); err == nil && (o.Version == "" || o.Version == v.String()) {
			versions = append(versions, v)
		}
	}
	slices.SortFunc(versions, func(a, b serverversion.Version) int { return slices.Compare(b[:], a[:]) })
	var paths []string
	for _, v := range versions {
		paths = append(paths, mongodIn(filepath.Join(dir, v.String())))
	}
	return paths
}

// mongodIn is the server of a directory of programs.
func mongodIn(dir string) string { return filepath.Join(dir, mongodFile) }

func (o Options) inCache(path string) bool {
	dir, err := o.cacheDir()
	return err == nil && strings.HasPrefix(path, dir+string(filepath.Separator))
}

// Install fetches MongoDB into the cache, unless a usable one is there already, and returns it. Processes that install at the same time
// take turns, and the later ones find what the first one fetched. An interrupted installation leaves at most a temporary directory, which the next
// one removes.
func Install(ctx context.Context, o Options) (t Tools, err error) {
	dir, err := o.cacheDir()
	if err != nil {
		return t, err
	}
	if o.Version != "" {
		v, err := serverversion.Parse(o.Version)
		if err != nil {
			return t, hint.Errorf("give a whole version, such as "+archiveVersion, "install MongoDB: %w", err)
		}
		dir = filepath.Join(dir, "pinned")
		o.Version, o.CacheDir = v.String(), dir
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return t, fileError("create", dir, err)
	}
	unlock, err := o.lock(ctx, dir)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := removeStale(dir); err != nil {
		return t, err
	}
	for _, mongod := range o.cached() {
		if t, err := o.inspect(ctx, mongod, ""); err == nil || ctx.Err() != nil {
			return t, err
		}
	}
	return o.fetchInto(ctx, dir)
}

// fetchInto fetches into a temporary directory and moves the result to its place in the cache. The lock is held.
func (o Options) fetchInto(ctx context.Context, dir string) (t Tools, err error) {
	temp, err := os.MkdirTemp(dir, tempPrefix)
	if err != nil {
		return t, fileError("create", dir, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	programs := filepath.Join(temp, "programs")
	if err := os.Mkdir(programs, 0o755); err != nil {
		return t, fileError("create", programs, err)
	}
	version, err := o.fetch(ctx, temp, programs)
	if err != nil {
		return t, err
	}
	// Programs that only lack libraries are kept: once those are installed there is nothing left to fetch.
	unusable := checkFetched(ctx, programs, version)
	if unusable != nil && !errors.Is(unusable, ErrMissingLibraries) {
		return t, unusable
	}
	final := filepath.Join(dir, version.String())
	if err := replaceDir(programs, final, filepath.Join(temp, "replaced")); err != nil {
		return t, fileError("install", final, err)
	}
	if unusable != nil {
		// Seen at its place, so that the message names a path that stays.
		_, unusable = probe(ctx, mongodIn(final), "db")
		return t, unusable
	}
	o.note("installed MongoDB %s in %s", version, final)
	return o.inspect(ctx, mongodIn(final), "")
}

// checkFetched runs the fetched programs before they get their place.
func checkFetched(ctx context.Context, programs string, version serverversion.Version) error {
	mongod := mongodIn(programs)
	v, err := probe(ctx, mongod, "db")
	if err != nil {
		return err
	}
	if v != version {
		return hint.Errorf(ownBinary, "check %s: %w: it is version %s, and %s was fetched", mongod, ErrCorrupt, v, version)
	}
	return nil
}

// errOthers means that a directory which an installation would replace has more in it than an installation.
var errOthers = errors.New("it holds what geoshard did not install")

// replaceDir renames from to to, and an installation that was at to before to aside. Anything else at to stays, and is an error.
func replaceDir(from, to, aside string) error {
	entries, err := os.ReadDir(to)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if name := strings.TrimSuffix(e.Name(), exeSuffix); e.IsDir() != (name == ownLibraries) || !e.IsDir() && name != "mongod" && name != "mongos" {
			return fmt.Errorf("%w: %s", errOthers, e.Name())
		}
	}
	if err := os.Rename(to, aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(from, to)
}

// lock takes the cache's lock and returns what gives it back.
func (o Options) lock(ctx context.Context, dir string) (unlock func() error, err error) {
	path := filepath.Join(dir, ".lock")
	l := flock.New(path)
	locked, err := l.TryLock()
	if err == nil && !locked {
		o.note("waiting for another process that is fetching MongoDB into %s", dir)
		_, err = l.TryLockContext(ctx, lockPoll)
	}
	if err != nil {
		return nil, fileError("lock", path, err)
	}
	return l.Unlock, nil
}

func removeStale(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		number, ours := strings.CutPrefix(e.Name(), tempPrefix)
		if ours && e.IsDir() && number != "" && strings.Trim(number, "0123456789") == "" {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	if err != nil {
		return fileError("clean", dir, err)
	}
	return nil
}

// newFile opens a file of an installation for writing.
func newFile(path string) (io.WriteCloser, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
}

// writeFile copies r into a new file and tells the progress; total is -1 where nobody knows the size.
func (o Options) writeFile(path, text string, total int64, r io.Reader) (err error) {
	create := newFile
	if o.create != nil {
		create = o.create
	}
	f, err := create(path)
	if err != nil {
		return fileError("create", path, err)
	}
	w := &countingWriter{Writer: f, event: Event{Text: text, Total: total}, send: o.send}
	n, err := io.Copy(w, r)
	if err == nil && total >= 0 && n != total {
		err = io.ErrUnexpectedEOF
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fileError("write", path, err)
	}
	return nil
}
