package mongobin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/serverversion"
)

// Tools are the server programs to run.
type Tools struct {
	// Mongod is the path of the server.
	Mongod string `json:"mongod"`
	// Mongos is the path of the query router of the same release; "" where there is none.
	Mongos string `json:"mongos"`
	// Version is the server's version, such as "6.0.5".
	Version string `json:"version"`
}

// Options say where to look and from where to fetch. The zero value is ready to use.
type Options struct {
	// CacheDir is the directory that holds one directory for each version; "" = geoshard/mongodb in the user's cache directory.
	CacheDir string
	// Version is the version to install, such as "6.0.27". It gets a place of its own,
	// pinned/VERSION in CacheDir, where Find does not look: who wants it names its mongod in
	// GEOSHARD_MONGOD. "" = the newest that there is for this machine, for everybody.
	Version string
	// BaseURL is the root of the download site; "" = GEOSHARD_MONGODB_MIRROR, else MongoDB's own.
	BaseURL string
	// Archive is the path of the archive below BaseURL; "" = the one for this machine.
	Archive string
	// SHA256 is the archive's expected checksum in hexadecimal digits; "" = none is known beforehand. The checksum that is
	// published beside the archive has to agree in any case.
	SHA256 string
	// Progress receives what is being done; nil = nobody is told. Printer makes one for a terminal or a log.
	Progress func(Event)

	// Replaced by tests.
	create       func(path string) (io.WriteCloser, error)
	pip          []string      // nil = python3 -m pip
	stallTimeout time.Duration // 0 = defaultStall
}

// routerlessRelease is the only release whose mongod can be used without a mongos: internal/devmongos knows no other.
const routerlessRelease = "6.0"

// Find returns the programs that are already on this machine. A program that GEOSHARD_MONGOD or GEOSHARD_MONGOS names has to be usable, or
// Find fails with the reason; one in PATH or in the cache that is not usable is passed over, and Progress is told why. The error is
// ErrNotFound when nothing is left.
func Find(ctx context.Context, o Options) (Tools, error) {
	if path := os.Getenv("GEOSHARD_MONGOD"); path != "" {
		return o.chosen(ctx, path)
	}
	candidates := o.cached()
	if path, err := exec.LookPath("mongod"); err == nil {
		candidates = slices.Insert(candidates, 0, path)
	}
	missing := ErrNotFound
	for _, mongod := range candidates {
		t, err := o.inspect(ctx, mongod, os.Getenv("GEOSHARD_MONGOS"))
		if err == nil {
			return t, nil
		}
		if ctx.Err() != nil {
			return Tools{}, err
		}
		if errors.Is(err, ErrMissingLibraries) && o.inCache(mongod) {
			return Tools{}, err // fetching it again would not bring the libraries
		}
		o.note("passed over: %v", err)
		missing = fmt.Errorf("%w; %w", missing, err)
	}
	return Tools{}, hint.Errorf("run: geoshard mongodb install; or "+ownBinary, "find mongod: %w", missing)
}

// Ensure returns what Find returns and, where that is nothing, what Install fetches.
func Ensure(ctx context.Context, o Options) (Tools, error) {
	t, err := Find(ctx, o)
	if !errors.Is(err, ErrNotFound) {
		return t, err
	}
	if _, err := Install(ctx, o); err != nil {
		return Tools{}, err
	}
	return Find(ctx, o) // GEOSHARD_MONGOS may name the router to use
}

// chosen inspects the programs that the user named.
func (o Options) chosen(ctx context.Context, mongod string) (t Tools, err error) {
	abs, err := filepath.Abs(mongod)
	if err != nil {
		return t, fmt.Errorf("resolve GEOSHARD_MONGOD %s: %w", mongod, err)
	}
	if t, err = o.pair(ctx, abs, os.Getenv("GEOSHARD_MONGOS")); err != nil {
		return Tools{}, fmt.Errorf("use GEOSHARD_MONGOD: %w", err)
	}
	return t, nil
}

// inspect is pair, and refuses a mongod that no query router fits: it would be in the way of one that is complete.
func (o Options) inspect(ctx context.Context, mongod, mongos string) (Tools, error) {
	t, err := o.pair(ctx, mongod, mongos)
	if err != nil {
		return Tools{}, err
	}
	if t.Mongos == "" && !strings.HasPrefix(t.Version, routerlessRelease+".") {
		return Tools{}, hint.Errorf("install the mongos of that release, or run: geoshard mongodb install",
			"check %s: %w: %s has no mongos beside it, and only %s works without one", mongod, ErrNoRouter, t.Version, routerlessRelease)
	}
	return t, nil
}

// pair checks a mongod and the mongos that the user named for it; without one (""), it finds the mongos beside it, else in PATH.
func (o Options) pair(ctx context.Context, mongod, mongos string) (Tools, error) {
	v, err := probe(ctx, mongod, "db")
	if err != nil {
		return Tools{}, err
	}
	t := Tools{Mongod: mongod, Version: v.String()}
	if mongos != "" {
		if err := sameRelease(ctx, mongos, v); err != nil {
			return Tools{}, fmt.Errorf("use GEOSHARD_MONGOS: %w", err)
		}
		t.Mongos, err = filepath.Abs(mongos)
		return t, err
	}
	beside := filepath.Join(filepath.Dir(mongod), mongosFile)
	inPath, _ := exec.LookPath("mongos") // "" when there is none
	for _, path := range []string{beside, inPath} {
		if _, err := os.Stat(path); err != nil {
			continue
		}
		err := sameRelease(ctx, path, v)
		if err == nil {
			t.Mongos = path
			break
		}
		o.note("passed over: %v", err)
	}
	return t, ctx.Err()
}

// sameRelease returns an error around ErrMismatch unless the mongos is of the mongod's release.
func sameRelease(ctx context.Context, mongos string, mongod serverversion.Version) error {
	v, err := probe(ctx, mongos, "mongos")
	if err != nil {
		return err
	}
	if v.Release() != mongod.Release() {
		return hint.Errorf("use a mongod and a mongos of one release, or run: geoshard mongodb install", "check %s: %w: mongos is %s, mongod is %s", mongos, ErrMismatch, v, mongod)
	}
	return nil
}

func (o Options) send(e Event) {
	if o.Progress != nil {
		o.Progress(e)
	}
}

func (o Options) note(format string, args ...any) { o.send(Event{Text: fmt.Sprintf(format, args...)}) }
