package dashboard

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/internal/serve"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

//go:embed assets
var assets embed.FS

// ErrIncomplete means that a required option is missing.
var ErrIncomplete = errors.New("dashboard: World and Token are required")

// Options say what a page shows. World and Token are required.
type Options struct {
	World World
	// Token is what requests that change something have to send. Take one of NewToken.
	Token string
	// Keys open the causal tokens of the shop, to show what is in them; nil = tokens are shown closed.
	Keys *signing.Keyring
	// Hosts are further names by which the page may be asked for, besides addresses and localhost.
	Hosts []string
	// Quiet is true to begin without the steady traffic, which the page can switch on.
	Quiet bool
}

// A Dashboard is the page and what keeps it up to date: an http.Handler. Run has to run beside it.
type Dashboard struct {
	o       Options
	world   World
	hub     *hub
	handler http.Handler
	client  *client.Client
	origins *http.CrossOriginProtection
	turns   chan struct{} // actions under way
	woken   chan struct{}
	steady  atomic.Bool // there is steady traffic
	// life is that of the actions, which go on when their page has gone; end ends it.
	life context.Context
	end  context.CancelFunc

	mu sync.Mutex
	// oftenUntil is until when the members are asked more often. It and what follows is guarded by mu.
	oftenUntil time.Time
	failovers  *failovers
	shoppers   []*shopper
}

const (
	// mostActions are under way at once; each may wait for servers.
	mostActions = 16
	// mostBody is far above any request of the page.
	mostBody = 4 << 10
)

// New makes a dashboard. It asks nobody before Run.
func New(o Options) (*Dashboard, error) {
	if o.World == nil || o.Token == "" {
		return nil, ErrIncomplete
	}
	d := &Dashboard{
		o: o, world: o.World, hub: newHub(), client: client.New(o.World), origins: http.NewCrossOriginProtection(),
		turns: make(chan struct{}, mostActions), woken: make(chan struct{}, 1), failovers: newFailovers(o.World.Topology()),
	}
	d.life, d.end = context.WithCancel(context.Background())
	d.steady.Store(!o.Quiet)
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /api/events", d.events)
	mux.Handle("POST /api/", d.acting(d.actions()))
	d.handler = d.guarded(mux)
	return d, nil
}

// ServeHTTP answers the page's requests.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.handler.ServeHTTP(w, r) }

// Steady switches the steady traffic on or off, as the page's button does.
func (d *Dashboard) Steady(on bool) {
	d.steady.Store(on)
	d.hub.set("traffic", map[string]bool{"on": on})
}

// Run keeps the page up to date until the context ends. It returns when all that it started has ended, and every page's stream with it.
func (d *Dashboard) Run(ctx context.Context) error {
	d.setup([]productView{})
	d.Steady(d.steady.Load())
	d.hub.set("failovers", []failover{})
	d.showShoppers()
	var all sync.WaitGroup
	for _, job := range []func(context.Context){d.watch, d.place, d.refresh, d.traffic, d.goods} {
		all.Go(func() { job(ctx) })
	}
	<-ctx.Done()
	d.hub.close()
	d.end()
	all.Wait()
	for range mostActions {
		d.turns <- struct{}{} // when all turns are taken here no action is under way, and none begins
	}
	d.client.Close()
	return ctx.Err()
}

const (
	readHeaderWithin = 5 * time.Second
	idleFor          = time.Minute
	// drainWithin is how long actions under way may take at the end.
	drainWithin = 3 * time.Second
)

// Serve runs a dashboard and answers on the listener until the context ends.
func Serve(ctx context.Context, d *Dashboard, listener net.Listener) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	var ran sync.WaitGroup
	ran.Go(func() { _ = d.Run(running) }) // its error is the context's
	server := &http.Server{Handler: d, ReadHeaderTimeout: readHeaderWithin, IdleTimeout: idleFor, MaxHeaderBytes: 16 << 10}
	err := serve.Run(ctx, drainWithin, serve.Server{Server: server, On: listener})
	stop()
	ran.Wait()
	if errors.Is(err, serve.ErrUnfinished) {
		return nil // what was left waited for servers that do not answer
	}
	return err
}

// A World is the running demonstration that the page shows.
type World interface {
	client.World
	Cluster() cluster.Cluster
}

// served are the datacenters with a gateway, in the order of the topology.
func served(w World) (ids []topology.DatacenterID) {
	for _, dc := range w.Topology().Datacenters {
		if w.Gateway(dc.ID) != "" {
			ids = append(ids, dc.ID)
		}
	}
	return ids
}
