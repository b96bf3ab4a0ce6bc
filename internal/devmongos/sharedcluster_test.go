package devmongos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/geoshard/geoshard/internal/testkit"
)

// shared is the cluster of all tests that break nothing; see sharedSmall. Tests that take it do not run side by side.
var shared struct {
	cluster *smallCluster
	users   map[string]bool // names of the tests that have taken it
	log     routerLog
	stop    func() error
}

// sharedSmall returns the cluster of all tests that break nothing, with one member in each shard. Each gives itself databases of its own; one that comes again
// (go test -count) finds a new cluster. TestMain ends it.
func sharedSmall(t *testing.T) *smallCluster {
	t.Helper()
	if shared.users[t.Name()] {
		if err := CloseShared(); err != nil {
			t.Fatalf("close the shared cluster: %v", err)
		}
	}
	if shared.cluster == nil {
		if err := startShared(t); err != nil {
			t.Fatalf("start the shared cluster: %v", err)
		}
	}
	shared.users[t.Name()] = true
	shared.log.reset()
	t.Cleanup(func() { shared.log.show(t) })
	return shared.cluster
}

func startShared(t *testing.T) error {
	dir, err := os.MkdirTemp("", "geoshard-devmongos-") // not the test's: the cluster outlives the first one
	if err != nil {
		return err
	}
	c := &smallCluster{dir: dir, shards: map[string]*shardSet{}}
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	began := time.Now()
	var stop func() error
	if err = c.start(ctx, 1); err == nil {
		stop, err = c.startRouter(ctx, &shared.log)
	}
	if err != nil {
		c.killAll()
		return errors.Join(err, os.RemoveAll(dir))
	}
	t.Logf("shared cluster: started in %s", time.Since(began).Round(time.Millisecond))
	shared.cluster, shared.users, shared.stop = c, map[string]bool{}, stop
	return nil
}

// CloseShared ends the shared cluster, if it was started, for TestMain, which is in the external test package.
func CloseShared() error {
	c := shared.cluster
	if c == nil {
		return nil
	}
	err := shared.stop()
	c.killAll()
	shared.cluster, shared.users = nil, nil
	return errors.Join(err, os.RemoveAll(c.dir))
}

// A routerLog keeps what a router says, for a test that fails.
type routerLog struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (l *routerLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *routerLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}

func (l *routerLog) show(t *testing.T) {
	t.Helper()
	if !t.Failed() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	t.Logf("router's log:\n%s", l.text.String()[max(0, l.text.Len()-20_000):])
}

// startRouter runs the router until it is stopped.
func (c *smallCluster) startRouter(ctx context.Context, log *routerLog) (stop func() error, err error) {
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cancel, ended, err := serve(ctx, Config{Listen: c.router, Name: "test", ConfigServers: c.config, Core: c.core, Logger: logger})
	return func() error {
		cancel()
		return <-ended
	}, err
}

// serve runs a router until it is cancelled, and returns when it listens.
func serve(ctx context.Context, cfg Config) (cancel context.CancelFunc, ended <-chan error, err error) {
	running, cancel := context.WithCancel(context.Background())
	end := make(chan error, 1)
	go func() { end <- Run(running, cfg) }()
	waiting, give := context.WithCancelCause(ctx)
	defer give(nil)
	err = testkit.Await(waiting, "the router listens", func(context.Context) error {
		select {
		case err := <-end:
			end <- err
			give(fmt.Errorf("the router ended: %w", err))
			return err
		default:
		}
		nc, err := net.Dial("tcp", cfg.Listen)
		if err == nil {
			_ = nc.Close()
		}
		return err
	})
	return cancel, end, err
}
