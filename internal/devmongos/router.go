package devmongos

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A router is one running query router.
type router struct {
	cfg Config
	log *slog.Logger
	// base ends when commands have to end: after the grace of a stop.
	base     context.Context
	clock    clusterTime
	commands map[string]handler

	guard    guard
	configs  *replicaSet
	core     *core
	catalog  *catalogue
	cursors  *cursorTable
	sessions coreSessions
	// transactions are those that clients have begun here.
	transactions *transactionTable
	defaults     *concernDefaults
	started      time.Time
	// clients is the number of connections being served; connectionID the last one given.
	clients      atomic.Int64
	connectionID atomic.Int64
}

// Run prepares the core and serves clients until ctx ends; then it waits for running commands for Config.StopGrace and returns nil.
// It may be run again over the same core. Errors: ErrVersion, ErrForeignCore (both with a Hint), or what kept it from starting.
func Run(ctx context.Context, cfg Config) error {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	log := cfg.Logger.With("dc", string(cfg.DC))
	if cfg.Name != "" {
		log = log.With("router", cfg.Name)
	}
	log.Info("devmongos: development query router, for development clusters only", "core", cfg.Core, "config", cfg.ConfigServers)

	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	r := &router{cfg: cfg, log: log, base: base, commands: commandTable(), cursors: newCursorTable(), transactions: newTransactionTable(), started: time.Now()}
	if r.guard, err = newGuard(cfg); err != nil {
		return err
	}
	r.core = newCore(r)
	defer r.core.close()
	r.configs = newReplicaSet(r, cfg.ConfigServers)
	defer r.configs.close()
	r.catalog = newCatalogue(r)
	defer r.catalog.close()
	r.defaults = &concernDefaults{router: r}

	if err := r.prepareCore(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("prepare router core %s: %w", cfg.Core, err)
	}
	if err := r.refresh(ctx); err != nil {
		return fmt.Errorf("read the cluster's metadata: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen for clients: %w", err)
	}
	background, stopBackground := context.WithCancel(base)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer stopBackground()
	tasks.Go(func() { r.reapCursors(background) })
	tasks.Go(func() { r.keepFresh(background) })
	tasks.Go(func() { r.reapTransactions(background) })
	log.Info("serving clients", "address", listener.Addr().String())
	return r.serve(ctx, cancel, r.guard.listen(listener))
}

// refreshInterval is how old the list of shards and the default concerns may grow, as with a mongos. Routing tables are not
// refreshed by time: shards say when they are out of date.
const refreshInterval = 30 * time.Second

// keepFresh looks for changes that nobody tells the router of, until ctx ends.
func (r *router) keepFresh(ctx context.Context) {
	tick := time.NewTicker(refreshInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := r.refresh(ctx); err != nil && ctx.Err() == nil {
				r.log.Warn("metadata not refreshed, the last known holds", "error", err)
			}
		}
	}
}

func (r *router) refresh(ctx context.Context) error {
	if err := r.catalog.loadShards(ctx); err != nil {
		return err
	}
	_, _, err := r.defaults.refresh(ctx)
	return err
}
