package gateway

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/geoshard/geoshard/internal/serve"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

// A Gateway is the proxy of one datacenter: an http.Handler. Run has to run beside it.
type Gateway struct {
	o           Options
	upstreamTLS *serve.TLS
	wiring      atomic.Pointer[wiring]
	health      health
	held, kept  bound // requests that wait for their next try, and bytes of bodies to be sent again
	directory   *directory
	metrics     *metrics
	underWay    atomic.Int64

	reloading sync.Mutex
	rewired   chan struct{} // has one element when a wiring is new
	reloaded  atomic.Pointer[reload]
}

// A reload is what came of the last one.
type reload struct {
	At  time.Time
	Err error
}

// New makes a gateway. It asks nobody: until Run has looked, everything counts as well.
func New(o Options) (*Gateway, error) {
	if o.World == nil || o.Here == "" {
		return nil, ErrIncomplete
	}
	o.setDefaults()
	g := &Gateway{o: o, rewired: make(chan struct{}, 1), health: health{shards: map[topology.ShardID]sighting{}}}
	g.kept.most.Store(o.ReplayBytes)
	var err error
	if g.upstreamTLS, err = serve.NewTLS(o.UpstreamTLS); err != nil {
		return nil, err
	}
	if g.metrics, err = newMetrics(o.Registerer, g); err != nil {
		return nil, err
	}
	g.directory = newDirectory(o.Directory, o.Now, func(outcome string) { g.metrics.lookups.WithLabelValues(outcome).Inc() })
	w, err := g.newWiring(o.World, o.Keys, nil)
	if err != nil {
		g.metrics.unregister()
		return nil, err
	}
	g.install(w)
	return g, nil
}

func (g *Gateway) install(w *wiring) {
	g.held.most.Store(int64(w.settings.Queue))
	g.wiring.Store(w)
	g.assess()
	select {
	case g.rewired <- struct{}{}:
	default: // Run has not seen the last one yet
	}
}

// Reload takes another topology, and reads the files of the upstreams' TLS anew. If that fails the gateway goes on as it was, and says why. Requests
// under way end as they began.
func (g *Gateway) Reload(world *topology.Topology, keys *signing.Keyring) error {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	err := g.reload(world, keys)
	g.Reloaded(err)
	return err
}

func (g *Gateway) reload(world *topology.Topology, keys *signing.Keyring) error {
	if world == nil {
		return ErrIncomplete
	}
	if err := g.upstreamTLS.Reload(); err != nil {
		return err
	}
	old := g.wiring.Load()
	w, err := g.newWiring(world, keys, old)
	if err != nil {
		return err
	}
	g.install(w)
	if w.transports != old.transports {
		old.transports.close() // what is under way keeps its connection
	}
	return nil
}

// Reloaded notes what came of reading the configuration anew, also for a caller who did not get as far as Reload.
func (g *Gateway) Reloaded(err error) {
	g.reloaded.Store(&reload{g.o.Now().UTC(), err})
	if err != nil {
		g.metrics.reloads.WithLabelValues("refused").Inc()
		g.o.Log.Error("the configuration was not taken; the old one stays", "error", err)
	} else {
		g.metrics.reloads.WithLabelValues("taken").Inc()
		g.o.Log.Info("the configuration was read")
	}
}

// Run checks the upstreams and follows the primaries until the context ends. It returns when all that it started has ended.
func (g *Gateway) Run(ctx context.Context) error {
	var all sync.WaitGroup
	if g.o.Client != nil {
		f := &follower{g: g, watched: map[topology.ShardID]watchedShard{}}
		all.Go(func() { f.run(ctx) })
	}
	stop := func() {} // ends the checks of the wiring before
	for {
		select {
		case <-ctx.Done():
			stop()
			all.Wait()
			return nil
		case <-g.rewired:
			stop()
			stop = g.check(ctx, g.wiring.Load())
		}
	}
}

// Close ends idle connections and takes the metrics back. The servers and Run have ended by then.
func (g *Gateway) Close() {
	g.wiring.Load().transports.close()
	g.metrics.unregister()
}

// buffers are for copying bodies.
var buffers = &bufferPool{sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}}

type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) Get() []byte { return *p.pool.Get().(*[]byte) }

func (p *bufferPool) Put(b []byte) { p.pool.Put(&b) }

// discard is where the proxy tells of answers that broke off: the metrics count them.
var discard = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
