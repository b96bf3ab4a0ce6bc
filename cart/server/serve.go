package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/cart/api"
	"github.com/geoshard/geoshard/cart/inventory"
	"github.com/geoshard/geoshard/cart/shipping"
	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/serve"
	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/placement"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

const (
	// DefaultListen is on this machine alone.
	DefaultListen = "127.0.0.1:8080"
	// DefaultDrain is how long requests under way may take when the instance is told to stop.
	DefaultDrain = 10 * time.Second

	readHeaderWithin = 5 * time.Second
	readWithin       = 15 * time.Second
	idleFor          = time.Minute
	mostHeaders      = 16 << 10
	aboveTimeout     = 5 * time.Second // so that a request that times out still gets its answer
)

// Options say which instance to run. DataCenter is required.
type Options struct {
	Target     Target
	DataCenter topology.DatacenterID
	// Listen is empty for DefaultListen. An address beyond this machine needs TLS (CertFile and KeyFile) or Insecure.
	Listen            string
	CertFile, KeyFile string
	Insecure          bool
	// Listener is answered on instead of Listen; nil = none.
	Listener net.Listener
	// Timeout bounds a request; 0 = api.DefaultTimeout.
	Timeout time.Duration
	// Wait is how long a read may wait for a copy as new as its token; 0 = gintoken.DefaultWait.
	Wait time.Duration
	// Drain is how long requests under way may take at the end; 0 = DefaultDrain.
	Drain time.Duration
	// Every is how often the inventory service and the shipping process look; 0 = their own defaults.
	Every time.Duration
	// TokenKeyFile is empty for keys that end with the process: then tokens hold with this instance alone.
	TokenKeyFile string
	// Keys are taken instead of a TokenKeyFile; nil = none.
	Keys *signing.Keyring
	// Log hears what happens; nil = nobody.
	Log *slog.Logger
	// Traces is where spans go; nil = nowhere.
	Traces trace.TracerProvider
	// Ready is told the address; nil = nobody.
	Ready func(address string)
	// Marked is told how many carts the inventory service has marked; nil = nobody.
	Marked func(carts int64)
}

// ErrOpenToAll means that an instance would listen beyond this machine without TLS.
var ErrOpenToAll = errors.New("this address can be reached from other machines, and there is no TLS")

// An Instance is one datacenter's part of the shop: it is connected and listens, and answers once it runs.
type Instance struct {
	o        Options
	store    *store.Store
	server   serve.Server
	stock    *inventory.Instance
	parcels  *shipping.Process
	stocking context.Context // the life of the inventory service
	pricing  context.Context // the life of the shipping process

	// StopInventory and StopShipping stop a service by itself, while the rest goes on.
	StopInventory, StopShipping context.CancelFunc
}

// Run runs an instance until the context ends, and ends the requests under way in peace.
func Run(ctx context.Context, o Options) error {
	i, err := Open(ctx, o)
	if err != nil {
		return err
	}
	return i.Run(ctx)
}

// Open makes an instance ready to run. Only Run closes it.
func Open(ctx context.Context, o Options) (*Instance, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	t, err := o.Target.complete(ctx, o.DataCenter)
	if err != nil {
		return nil, err
	}
	if t.World != nil {
		if dc, ok := t.World.Datacenter(o.DataCenter); !ok || dc.Role == topology.RoleVoter {
			return nil, hint.New(fmt.Errorf("%w: %s", topology.ErrUnknownDatacenter, o.DataCenter), "carts are at home in "+spelling.List(placement.Homes(t.World)))
		}
	}
	if o.Keys, err = o.keys(); err != nil {
		return nil, err
	}
	s, witness, err := t.connect(o.DataCenter, o.Traces)
	if err != nil {
		return nil, err
	}
	i := &Instance{o: o, store: s}
	if err := i.prepare(ctx, witness); err != nil {
		i.close(ctx)
		return nil, err
	}
	return i, nil
}

func (o *Options) setDefaults() error {
	o.Log, o.Listen, o.Drain = cmp.Or(o.Log, slog.New(slog.DiscardHandler)), cmp.Or(o.Listen, DefaultListen), cmp.Or(o.Drain, DefaultDrain)
	if o.Timeout <= 0 {
		o.Timeout = api.DefaultTimeout
	}
	if o.Listener == nil && o.CertFile == "" && !o.Insecure && !serve.OnThisMachine(o.Listen) {
		return hint.New(fmt.Errorf("listen on %s: %w", o.Listen, ErrOpenToAll), "give --tls-certificate-file and --tls-key-file, or --insecure if something in front has TLS")
	}
	return nil
}

func (o *Options) keys() (*signing.Keyring, error) {
	switch {
	case o.Keys != nil:
		return o.Keys, nil
	case o.TokenKeyFile != "":
		return signing.ReadKeyFile(o.TokenKeyFile, "token keys", "cartdemo key NAME")
	default:
		o.Log.Warn("causal tokens hold with this instance alone: give all instances one --token-key-file")
		return signing.NewOwnKeyring("own")
	}
}

// prepare makes the API and its two services.
func (i *Instance) prepare(ctx context.Context, witness *consistency.Witness) error {
	o := i.o
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	handler, err := api.New(api.Options{Store: i.store, Witness: witness, Keys: o.Keys, Timeout: o.Timeout, Wait: o.Wait, PlainHTTP: o.CertFile == "", Log: o.Log, Metrics: registry, Traces: o.Traces})
	if err != nil {
		return err
	}
	durable, err := consistency.Lookup("durable") // a mark that was rolled back behind the position would be a cart that was missed
	if err != nil {
		return err
	}
	encrypted, err := o.tls()
	if err != nil {
		return err
	}
	i.stock = &inventory.Instance{Shop: i.store, Read: durable, Write: durable, Every: o.Every, Listen: o.hearInventory(registry)}
	i.parcels = &shipping.Process{Carts: i.store, Profile: durable, Every: o.Every, Listen: o.hearShipping(registry)}
	i.server = serve.Server{On: o.Listener, Server: &http.Server{
		Handler: handler, ReadHeaderTimeout: readHeaderWithin, ReadTimeout: readWithin, WriteTimeout: o.Timeout + aboveTimeout, IdleTimeout: idleFor,
		MaxHeaderBytes: mostHeaders, TLSConfig: encrypted, ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
	}}
	if i.server.On == nil {
		if i.server.On, err = (&net.ListenConfig{}).Listen(ctx, "tcp", o.Listen); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
	}
	i.stocking, i.StopInventory = context.WithCancel(context.WithoutCancel(ctx))
	i.pricing, i.StopShipping = context.WithCancel(context.WithoutCancel(ctx))
	return nil
}

// Run answers until the context ends, ends the requests under way in peace, and closes the instance.
func (i *Instance) Run(ctx context.Context) error {
	defer i.close(ctx)
	group, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, i.StopInventory)()
	defer context.AfterFunc(ctx, i.StopShipping)()
	group.Go(func() error { i.stock.Run(i.stocking); return nil })
	group.Go(func() error { i.parcels.Run(i.pricing); return nil })
	group.Go(func() error { return serve.Run(ctx, i.o.Drain, i.server) })
	address := i.server.On.Addr().String()
	i.o.Log.Info("serving", "dataCenter", i.o.DataCenter, "address", address, "tls", i.o.CertFile != "")
	if i.o.Ready != nil {
		i.o.Ready(address)
	}
	return group.Wait()
}

// close disconnects; the requests have ended.
func (i *Instance) close(ctx context.Context) {
	_ = i.store.Client().Disconnect(context.WithoutCancel(ctx))
}

// tls is nil without a certificate. One that is renewed needs no restart.
func (o *Options) tls() (*tls.Config, error) {
	if o.CertFile == "" {
		return nil, nil
	}
	own, err := serve.NewTLS(serve.TLSFiles{Certificate: o.CertFile, Key: o.KeyFile})
	if err != nil {
		return nil, err
	}
	return own.Following(func(err error) {
		if err != nil {
			o.Log.Warn("the certificate has changed and cannot be read; the old one goes on", "error", err)
			return
		}
		o.Log.Info("the certificate has been read again")
	}), nil
}

func (o *Options) hearInventory(registry *prometheus.Registry) func(inventory.Event) {
	made := promauto.With(registry)
	marked := made.NewCounter(prometheus.CounterOpts{Name: "cartdemo_marked_carts_total", Help: "Carts whose items a notice has invalidated."})
	failed := made.NewCounter(prometheus.CounterOpts{Name: "cartdemo_inventory_errors_total", Help: "Looks of the inventory service that failed."})
	return func(e inventory.Event) {
		if e.Err != nil {
			failed.Inc()
			o.Log.Error("inventory", "error", e.Err)
			return
		}
		marked.Add(float64(e.Marked))
		if o.Marked != nil {
			o.Marked(e.Marked)
		}
		o.Log.Info("inventory", "notice", e.Notice.ID, "sku", e.Notice.SKU, "marked", e.Marked, "settled", e.Settled)
	}
}

func (o *Options) hearShipping(registry *prometheus.Registry) func(shipping.Round) {
	priced := promauto.With(registry).NewCounterVec(prometheus.CounterOpts{Name: "cartdemo_shipping_total", Help: "Prices of shipping, by what became of them."}, []string{"outcome"})
	return func(r shipping.Round) {
		priced.WithLabelValues("written").Add(float64(r.Priced))
		priced.WithLabelValues("overtaken").Add(float64(r.Overtaken))
		if r.Err != nil {
			priced.WithLabelValues("failed").Inc()
			o.Log.Error("shipping", "error", r.Err)
		}
	}
}
