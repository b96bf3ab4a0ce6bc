package demo

import (
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
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/cart/api"
	"github.com/geoshard/geoshard/cart/inventory"
	"github.com/geoshard/geoshard/cart/shipping"
	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/serve"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

// DefaultListen is on this machine alone.
const DefaultListen = "127.0.0.1:8080"

const (
	readHeaderWithin = 5 * time.Second
	readWithin       = 15 * time.Second
	idleFor          = time.Minute
	// drainWithin is how long requests under way may take when the instance is told to stop.
	drainWithin  = 10 * time.Second
	mostHeaders  = 16 << 10
	aboveTimeout = 5 * time.Second // so that a request that times out still gets its answer
)

// ServeOptions say which instance to run. DataCenter is required.
type ServeOptions struct {
	Target     Target
	DataCenter topology.DatacenterID
	// Listen is empty for DefaultListen. An address beyond this machine needs TLS (CertFile and KeyFile) or Insecure.
	Listen            string
	CertFile, KeyFile string
	Insecure          bool
	// Timeout bounds a request; 0 = api.DefaultTimeout.
	Timeout time.Duration
	// Wait is how long a read may wait for a copy as new as its token; 0 = gintoken.DefaultWait.
	Wait time.Duration
	// TokenKeyFile is empty for keys that end with the process: then tokens hold with this instance alone.
	TokenKeyFile string
	// Log hears what happens; nil = nobody.
	Log *slog.Logger
	// Traces is where spans go; nil = nowhere.
	Traces trace.TracerProvider
	// Ready is told the address; nil = nobody.
	Ready func(address string)
}

// ErrOpenToAll means that an instance would listen beyond this machine without TLS.
var ErrOpenToAll = errors.New("this address can be reached from other machines, and there is no TLS")

// Serve runs an instance until the context ends, and ends the requests under way in peace.
func Serve(ctx context.Context, o ServeOptions) error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Listen == "" {
		o.Listen = DefaultListen
	}
	if o.Timeout <= 0 {
		o.Timeout = api.DefaultTimeout
	}
	if o.CertFile == "" && !o.Insecure && !serve.OnThisMachine(o.Listen) {
		return hint.New(fmt.Errorf("listen on %s: %w", o.Listen, ErrOpenToAll), "give --tls-certificate-file and --tls-key-file, or --insecure if something in front has TLS")
	}
	t, err := o.Target.complete(ctx, o.DataCenter)
	if err != nil {
		return err
	}
	if t.World != nil {
		if dc, ok := t.World.Datacenter(o.DataCenter); !ok || dc.Role == topology.RoleVoter {
			return hint.New(fmt.Errorf("%w: %s", topology.ErrUnknownDatacenter, o.DataCenter), "carts are at home in "+names(homes(t.World)))
		}
	}
	keys, err := o.keys()
	if err != nil {
		return err
	}
	s, witness, err := t.connect(o.DataCenter, o.Traces)
	if err != nil {
		return err
	}
	defer func() { _ = s.Client().Disconnect(context.WithoutCancel(ctx)) }() // the requests have ended
	return o.serve(ctx, s, witness, keys)
}

func (o ServeOptions) keys() (*signing.Keyring, error) {
	if o.TokenKeyFile == "" {
		o.Log.Warn("causal tokens hold with this instance alone: give all instances one --token-key-file")
		return signing.NewOwnKeyring("own")
	}
	return signing.ReadKeyFile(o.TokenKeyFile, "token keys", "cartdemo key NAME")
}

func (o ServeOptions) serve(ctx context.Context, s *store.Store, witness *consistency.Witness, keys *signing.Keyring) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	handler, err := api.New(api.Options{Store: s, Witness: witness, Keys: keys, Timeout: o.Timeout, Wait: o.Wait, PlainHTTP: o.CertFile == "", Log: o.Log, Metrics: registry, Traces: o.Traces})
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
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: readHeaderWithin, ReadTimeout: readWithin, WriteTimeout: o.Timeout + aboveTimeout, IdleTimeout: idleFor,
		MaxHeaderBytes: mostHeaders, TLSConfig: encrypted, ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
	}
	stock := &inventory.Instance{Shop: s, Read: durable, Write: durable, Listen: o.hearInventory(registry)}
	parcels := &shipping.Process{Carts: s, Profile: durable, Listen: o.hearShipping(registry)}

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { stock.Run(ctx); return nil })
	group.Go(func() error { parcels.Run(ctx); return nil })
	group.Go(func() error { return serve.Run(ctx, drainWithin, serve.Server{Server: server, On: listener}) })
	o.Log.Info("serving", "dataCenter", o.DataCenter, "address", listener.Addr().String(), "tls", o.CertFile != "")
	if o.Ready != nil {
		o.Ready(listener.Addr().String())
	}
	return group.Wait()
}

// tls is nil without a certificate. One that is renewed needs no restart.
func (o ServeOptions) tls() (*tls.Config, error) {
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

func (o ServeOptions) hearInventory(registry *prometheus.Registry) func(inventory.Event) {
	marked := prometheus.NewCounter(prometheus.CounterOpts{Name: "cartdemo_marked_carts_total", Help: "Carts whose items a notice has invalidated."})
	failed := prometheus.NewCounter(prometheus.CounterOpts{Name: "cartdemo_inventory_errors_total", Help: "Looks of the inventory service that failed."})
	registry.MustRegister(marked, failed)
	return func(e inventory.Event) {
		if e.Err != nil {
			failed.Inc()
			o.Log.Error("inventory", "error", e.Err)
			return
		}
		marked.Add(float64(e.Marked))
		o.Log.Info("inventory", "notice", e.Notice.ID, "sku", e.Notice.SKU, "marked", e.Marked, "settled", e.Settled)
	}
}

func (o ServeOptions) hearShipping(registry *prometheus.Registry) func(shipping.Round) {
	priced := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "cartdemo_shipping_total", Help: "Prices of shipping, by what became of them."}, []string{"outcome"})
	registry.MustRegister(priced)
	return func(r shipping.Round) {
		priced.WithLabelValues("written").Add(float64(r.Priced))
		priced.WithLabelValues("overtaken").Add(float64(r.Overtaken))
		if r.Err != nil {
			priced.WithLabelValues("failed").Inc()
			o.Log.Error("shipping", "error", r.Err)
		}
	}
}
