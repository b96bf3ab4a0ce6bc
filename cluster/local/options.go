package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/mongobin"
	"github.com/geoshard/geoshard/topology"
)

// Defaults of Options. They suit a laptop: small caches, quick failover.
const (
	DefaultName = "geoshard"
	// DefaultElectionTimeout is a fifth of MongoDB's own 10 s, so that failover can be watched.
	DefaultElectionTimeout = 2 * time.Second
	DefaultOplogSizeMB     = 64
	DefaultCacheSizeGB     = 0.25 // the least that mongod accepts
)

// StateDirEnv names the environment variable with the directory that holds the clusters' directories.
const StateDirEnv = "GEOSHARD_STATE_DIR"

// Options say which cluster to start. Only Topology is required.
type Options struct {
	// Name tells clusters on one machine apart; it is also the name of the cluster's directory. Empty = DefaultName.
	Name     string
	Topology *topology.Topology `json:"-"`
	// Grown is what Cluster.Grow makes of it: the same with more datacenters, shards or members. All that it has was laid out at the start, except that
	// the processes of what it adds do not run yet. nil = the cluster does not grow.
	Grown *topology.Topology `json:"-"`
	// Dir is the directory that holds the clusters' directories. Empty = $GEOSHARD_STATE_DIR, else
	// geoshard/clusters in the user's cache directory.
	Dir string
	// WANScale multiplies every round-trip time. 0 = 1; negative = no delays at all.
	WANScale float64
	// ElectionTimeout is the replica sets' electionTimeoutMillis. 0 = DefaultElectionTimeout.
	ElectionTimeout time.Duration
	// Auth makes clients log in: the members know each other by a keyfile, and there is one user, AdminUser. TLS encrypts all connections
	// with certificates that are made for this cluster alone.
	Auth, TLS bool
	// Tools are the server's binaries. The zero value = find them, or fetch them into the user's cache.
	Tools mongobin.Tools
	// OplogSizeMB is the size of each member's oplog. 0 = DefaultOplogSizeMB. Give it room for lag experiments.
	OplogSizeMB int
	// CacheSizeGB is each member's storage cache. 0 = DefaultCacheSizeGB.
	CacheSizeGB float64
	// Progress hears what has been reached. nil = nobody. It is called from one goroutine at a time and must not block.
	Progress func(Event) `json:"-"`

	// electionSpread overrides what the layout says of every member, for the test that compares. 0 = it does not.
	electionSpread float64
}

// An Event is one thing that a start has reached.
type Event struct {
	// Elapsed is the time since the start began.
	Elapsed time.Duration
	// Text says what was reached, for example "primary of nyc is at home in NYC".
	Text string
}

// String returns the line that users see.
func (e Event) String() string { return fmt.Sprintf("%6.2fs %s", e.Elapsed.Seconds(), e.Text) }

// validName keeps names usable as directory names on every system.
var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)

func (o Options) withDefaults(ctx context.Context) (Options, error) {
	if !childMainCalled.Load() {
		return o, hint.New(errors.New("start cluster: local.ChildMain was not called"),
			"call local.ChildMain() first thing in main or TestMain: the query router runs in a re-executed copy of the program")
	}
	if o.Topology == nil {
		return o, errors.New("start cluster: no topology given")
	}
	var err error
	if o.Name, o.Dir, err = place(o.Name, o.Dir); err != nil {
		return o, err
	}
	o.WANScale = cmp.Or(o.WANScale, 1)
	o.ElectionTimeout = cmp.Or(o.ElectionTimeout, DefaultElectionTimeout)
	o.OplogSizeMB = cmp.Or(o.OplogSizeMB, DefaultOplogSizeMB)
	o.CacheSizeGB = cmp.Or(o.CacheSizeGB, DefaultCacheSizeGB)
	if o.Tools.Mongod == "" {
		if o.Tools, err = mongobin.Ensure(ctx, mongobin.Options{}); err != nil {
			return o, fmt.Errorf("find the server's binaries: %w", err)
		}
	}
	return o, nil
}

// place returns a cluster's name and the directory that holds its directory, for Options.Name and Options.Dir.
func place(name, dir string) (string, string, error) {
	name = cmp.Or(name, DefaultName)
	if !validName.MatchString(name) {
		return "", "", hint.New(fmt.Errorf("bad cluster name %q", name),
			"use letters, digits, '-' and '_', at most 63 of them")
	}
	root, err := rootDir(dir)
	return name, root, err
}

// rootDir returns the directory that holds the clusters' directories.
func rootDir(dir string) (string, error) {
	if dir = cmp.Or(dir, os.Getenv(StateDirEnv)); dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", hint.New(fmt.Errorf("find the cache directory: %w", err), "set "+StateDirEnv)
		}
		dir = filepath.Join(cache, "geoshard", "clusters")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the state directory: %w", err)
	}
	return abs, nil
}
