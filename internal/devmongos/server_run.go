package devmongos

import (
	"context"
	"fmt"
	"maps"
	"net"
	"sync"
	"time"
)

// A server is one running query router: the parts that answer commands, and the clients that send them.
type server struct {
	*backend
	cfg          Config
	core         *core
	catalog      *catalogue
	defaults     *concernDefaults
	cursors      *cursors
	transactions *transactions
	commands     map[string]handler
	authorize    func(context.Context, *request) error
	clients      clientCount
}

// newServer puts the parts together. Each knows only those that stand above it here; parts_test.go holds them to it.
func newServer(cfg Config, core *core, configs *replicaSet) *server {
	s := &server{backend: core.backend, cfg: cfg, core: core, catalog: newCatalogue(core, configs), defaults: &concernDefaults{configs: configs}}
	s.clients.started = time.Now()
	r := &router{s.catalog, s.defaults}
	s.cursors = newCursors(s.catalog)
	reads := &reads{r, s.cursors}
	writes := &writes{r, reads}
	definitions := &definitions{reads}
	s.transactions = newTransactions(s.catalog, s.defaults, (&statements{reads}).commands(writes))
	s.commands = map[string]handler{}
	logins := &logins{configs: configs}
	s.authorize = logins.authorize
	answers := &answers{cfg, core, logins, &s.clients, s.commands}
	sharding := &sharding{r}
	for _, table := range []map[string]handler{
		s.cursors.commands(), reads.commands(), writes.commands(), (&explanations{reads}).commands(), definitions.commands(),
		(&statistics{r}).commands(), sharding.commands(), logins.forgetting(sharding.users()), (&chunks{r}).commands(), s.transactions.commands(),
		logins.commands(), answers.commands(), answers.sessions(),
	} {
		maps.Copy(s.commands, table)
	}
	return s
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
	b := &backend{base: base, log: log, dial: cfg.Dial, budget: cfg.FailoverBudget}
	if b.guard, err = newGuard(cfg); err != nil {
		return err
	}
	core := newCore(cfg.Core, b)
	defer core.close()
	configs := newReplicaSet(core, cfg.ConfigServers)
	defer configs.close()
	s := newServer(cfg, core, configs)
	defer s.catalog.close()

	if err := core.prepare(ctx, configs, cfg.ConfigServers); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("prepare router core %s: %w", cfg.Core, err)
	}
	if err := s.refresh(ctx); err != nil {
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
	tasks.Go(func() { s.cursors.reap(background) })
	tasks.Go(func() { s.keepFresh(background) })
	tasks.Go(func() { s.transactions.reap(background) })
	log.Info("serving clients", "address", listener.Addr().String())
	return s.serve(ctx, cancel, s.guard.listen(listener))
}

// refreshInterval is how old the list of shards and the default concerns may grow, as with a mongos. Routing tables are not
// refreshed by time: shards say when they are out of date.
const refreshInterval = 30 * time.Second

// keepFresh looks for changes that nobody tells the router of, until ctx ends.
func (s *server) keepFresh(ctx context.Context) {
	every(ctx, refreshInterval, func(time.Time) {
		if err := s.refresh(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("metadata not refreshed, the last known holds", "error", err)
		}
	})
}

func (s *server) refresh(ctx context.Context) error {
	if err := s.catalog.loadShards(ctx); err != nil {
		return err
	}
	_, _, err := s.defaults.refresh(ctx)
	return err
}
