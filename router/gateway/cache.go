package gateway

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/geoshard/geoshard/router"
)

// Bounds of what is remembered of looked-up records.
const (
	mostRemembered = 100_000
	// foundFor is how long the home of a record is believed. A wrong one costs a request to the wrong datacenter, whose answer corrects it.
	foundFor = 10 * time.Minute
	// missingFor is short: a record that is missing now may be made in a moment.
	missingFor = time.Second
	// mostLookups run at once; what comes on top is not looked up. It keeps strangers who guess identifiers from the database.
	mostLookups = 64
	// lookupWithin is long enough for a read at one time of all shards, which waits for the slowest of them.
	lookupWithin = 8 * time.Second
)

// A FreshDirectory can also ask where a record is at home now, however far copies are behind. Where a Directory is none, its answers are taken as they are.
type FreshDirectory interface {
	router.Directory
	// HomeNow returns router.ErrNoSuchRecord for a record that does not exist.
	HomeNow(ctx context.Context, id string) (home string, err error)
}

// A directory looks records up, and remembers what it found.
type directory struct {
	of      router.Directory // nil = nothing is looked up
	now     func() time.Time
	found   *lru.Cache[string, place]
	known   atomic.Int64 // records in found, for the hot path
	running atomic.Int64
	flight  singleflight.Group
	asked   func(outcome string) // metrics
}

// A place is what was found of a record; home is empty for one that is missing.
type place struct {
	home  string
	until time.Time
}

func newDirectory(of router.Directory, now func() time.Time, asked func(string)) *directory {
	found, _ := lru.New[string, place](mostRemembered) // the size is positive
	return &directory{of: of, now: now, found: found, asked: asked}
}

// remembered is where a record was found before.
func (d *directory) remembered(id string) (home string, ok bool) {
	if d.known.Load() == 0 {
		return "", false
	}
	p, ok := d.found.Get(id)
	return p.home, ok && p.home != "" && !d.now().After(p.until)
}

// remember notes where a record is.
func (d *directory) remember(id, home string) {
	d.found.Add(id, place{home, d.now().Add(foundFor)})
	d.known.Store(int64(d.found.Len()))
}

// forget drops what was remembered of a record that turned out to be elsewhere.
func (d *directory) forget(id string) {
	d.found.Remove(id)
	d.known.Store(int64(d.found.Len()))
}

// home looks a record up in copies nearby.
func (d *directory) home(ctx context.Context, id string) (string, error) {
	if home, ok := d.remembered(id); ok {
		return home, nil
	}
	return d.lookup(ctx, "near ", id, d.of.Home)
}

// homeNow looks a record up where it is written.
func (d *directory) homeNow(ctx context.Context, id string) (string, error) {
	if fresh, ok := d.of.(FreshDirectory); ok {
		return d.lookup(ctx, "now ", id, fresh.HomeNow)
	}
	return d.lookup(ctx, "near ", id, d.of.Home)
}

// lookup asks once for all that want to know the same. What is missing is remembered too, for a moment.
func (d *directory) lookup(ctx context.Context, where, id string, ask router.DirectoryFunc) (string, error) {
	key := where + id
	if p, ok := d.found.Get("missing " + key); ok && !d.now().After(p.until) {
		return "", router.ErrNoSuchRecord
	}
	result := d.flight.DoChan(key, func() (any, error) {
		defer d.running.Add(-1)
		if d.running.Add(1) > mostLookups {
			d.asked("refused")
			return "", errors.New("too many lookups at once")
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupWithin) // the others wait too
		defer cancel()
		return ask(ctx, id)
	})
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case r := <-result:
		home, _ := r.Val.(string)
		switch {
		case r.Err == nil:
			d.asked("found")
			d.remember(id, home)
		case errors.Is(r.Err, router.ErrNoSuchRecord):
			d.asked("missing")
			d.found.Add("missing "+key, place{until: d.now().Add(missingFor)})
		default:
			d.asked("failed")
		}
		return home, r.Err
	}
}
