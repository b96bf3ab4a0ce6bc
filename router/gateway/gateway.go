package gateway

import (
	"context"
	"log/slog"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"github.com/geoshard/geoshard/internal/serve"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

// A Gateway is the proxy of one datacenter: an http.Handler. Run has to run beside it.
type Gateway struct {
	o           Options
	upstreamTLS *serve.TLS
	wiring      atomic.Pointer[wiring]
	keys        atomic.Pointer[signing.Keyring]
	health      health
	queue       holdQueue
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
	g := &Gateway{o: o, rewired: make(chan struct{}, 1), queue: holdQueue{now: o.Now, mostBytes: o.ReplayBytes}}
	var err error
	if g.upstreamTLS, err = serve.NewTLS(o.UpstreamTLS); err != nil {
		return nil, err
	}
	if g.metrics, err = newMetrics(o.Registerer, g); err != nil {
		return nil, err
	}
	g.queue.metrics = g.metrics
	g.directory = newDirectory(o.Directory, o.Now, func(outcome string) { g.metrics.lookups.WithLabelValues(outcome).Inc() })
	w, err := g.newWiring(o.World, o.Keys, nil)
	if err != nil {
		g.metrics.unregister()
		return nil, err
	}
	g.install(w, o.Keys)
	return g, nil
}

func (g *Gateway) install(w *wiring, keys *signing.Keyring) {
	g.queue.most.Store(int64(w.settings.Queue))
	g.keys.Store(keys)
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
	g.install(w, keys)
	if w.transports != old.transports {
		old.transports.close() // what is under way keeps its connection
	}
	return nil
}

// Reloaded notes what came of reading the configuration anew, also for a caller who did not get as far as Reload.
func (g *Gateway) Reloaded(err error) {
	g.reloaded.Store(&reload{g.o.Now(), err})
	if err != nil {
		g.metrics.reloads.WithLabelValues("refused").Inc()
		g.o.Log.Error("the configuration was not taken; the old one stays", "error", err)
		return
	}
	g.metrics.reloads.WithLabelValues("taken").Inc()
	g.o.Log.Info("the configuration was read")
}

// transportsFor keeps the connections of the old wiring, unless the authorities for upstreams are others: connections hold what they were made with.
func (g *Gateway) transportsFor(old *wiring) transports {
	if old != nil && g.o.UpstreamTLS == (TLSFiles{}) {
		return old.transports
	}
	return newTransports(&g.o, g.upstreamTLS.Client())
}

// Run checks the upstreams and follows the primaries until the context ends. It returns when all that it started has ended.
func (g *Gateway) Run(ctx context.Context) error {
	var all sync.WaitGroup
	if g.o.Client != nil {
		f := &follower{router: g.o.Client, members: g.o.Members, log: g.o.Log, changed: g.seen}
		all.Go(func() { f.run(ctx) })
	}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-g.rewired:
			g.checkUntilRewired(ctx)
		}
	}
	all.Wait()
	return nil
}

// checkUntilRewired checks the upstreams of the present wiring.
func (g *Gateway) checkUntilRewired(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.check(ctx, g.wiring.Load())
	}()
	select {
	case <-ctx.Done():
	case <-g.rewired:
		select {
		case g.rewired <- struct{}{}: // for Run
		default: // there is another one already
		}
	}
	stop()
	<-done
}

// Close ends idle connections and takes the metrics back. The servers and Run have ended by then.
func (g *Gateway) Close() {
	g.wiring.Load().transports.close()
	g.metrics.unregister()
}

// propagator writes the headers of W3C Trace Context.
var propagator = propagation.TraceContext{}

// inject tells the upstream of the trace. Without traces of its own the gateway passes on what came.
func (g *Gateway) inject(p *httputil.ProxyRequest) {
	if g.o.Traces != nil {
		propagator.Inject(p.In.Context(), propagation.HeaderCarrier(p.Out.Header))
	}
}

// buffers are for copying bodies.
var buffers = &bufferPool{pool: sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}}

type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) Get() []byte { return *p.pool.Get().(*[]byte) }

func (p *bufferPool) Put(b []byte) { p.pool.Put(&b) }

// discard is where the proxy tells of answers that broke off: the metrics count them.
var discard = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
