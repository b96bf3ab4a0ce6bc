package api

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/consistency/gintoken"
	"github.com/geoshard/geoshard/signing"
)

const (
	// DefaultTimeout bounds a request: a tuned election and a retry fit into it, and a checkout across an ocean. While no primary is there for longer, the client, or
	// the gateway in front, is told to send the request again rather than kept waiting. The inventory's grace has to be longer.
	DefaultTimeout = 5 * time.Second
	// DefaultBodyLimit is far above any request of the shop.
	DefaultBodyLimit = 16 << 10
)

// Options say what an instance serves. Store, Witness and Keys are required.
type Options struct {
	Store *store.Store
	// Witness watches the store's client.
	Witness *consistency.Witness
	// Keys seal the causal tokens; all instances have the same.
	Keys *signing.Keyring
	// Timeout bounds a request, BodyLimit its body in bytes. 0 = the defaults.
	Timeout   time.Duration
	BodyLimit int64
	// Wait is how long a read may wait for a copy that is as new as its token; 0 = gintoken.DefaultWait.
	Wait time.Duration
	// PlainHTTP lets the token's cookie travel without TLS.
	PlainHTTP bool
	// Log hears of each request; nil = nobody.
	Log *slog.Logger
	// Metrics is where the metrics of /metrics are; nil = a registry of its own.
	Metrics *prometheus.Registry
	// Traces is where spans go; nil = nowhere.
	Traces trace.TracerProvider
	// Now is the clock; nil = time.Now.
	Now func() time.Time
}

// ErrIncomplete means that a required option is missing.
var ErrIncomplete = errors.New("api: Store, Witness and Keys are required")

type api struct {
	Options
	seconds  *prometheus.HistogramVec
	database *prometheus.HistogramVec
	document []byte
}

// New returns the API of one datacenter.
func New(o Options) (http.Handler, error) {
	if o.Store == nil || o.Witness == nil || o.Keys == nil {
		return nil, ErrIncomplete
	}
	document, err := Document()
	if err != nil {
		return nil, err
	}
	a := &api{Options: o, document: document}
	a.setDefaults()
	if err := a.measure(); err != nil {
		return nil, err
	}
	engine, err := a.routes()
	if err != nil {
		return nil, err
	}
	return otelhttp.NewHandler(engine, "cartdemo", otelhttp.WithTracerProvider(a.Traces)), nil
}

func (a *api) setDefaults() {
	if a.Timeout <= 0 {
		a.Timeout = DefaultTimeout
	}
	if a.BodyLimit <= 0 {
		a.BodyLimit = DefaultBodyLimit
	}
	if a.Log == nil {
		a.Log = slog.New(slog.DiscardHandler)
	}
	if a.Metrics == nil {
		a.Metrics = prometheus.NewRegistry()
	}
	if a.Traces == nil {
		a.Traces = noop.NewTracerProvider()
	}
	if a.Now == nil {
		a.Now = time.Now
	}
}

// measure registers the metrics. The buckets reach from a local read to the timeout.
func (a *api) measure() error {
	buckets := []float64{.001, .0025, .005, .01, .025, .05, .1, .2, .3, .5, 1, 2.5, 5, 10, 25}
	a.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "cartdemo_request_seconds", Help: "How long requests took.", Buckets: buckets}, []string{"method", "route", "status"})
	a.database = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "cartdemo_database_seconds", Help: "How long the database's commands took that requests waited for.", Buckets: buckets}, []string{"command"})
	return errors.Join(a.Metrics.Register(a.seconds), a.Metrics.Register(a.database))
}

func (a *api) routes() (*gin.Engine, error) {
	token, err := gintoken.New(gintoken.Options{
		Client: a.Store.Client(), Keys: a.Keys, Home: a.Store.DataCenter(), Wait: a.Wait, PlainHTTP: a.PlainHTTP, Now: a.Now,
		Refuse: a.fail,
	})
	if err != nil {
		return nil, err
	}
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash = false
	engine.ContextWithFallback = true // spans and values of the request are seen through gin's context
	_ = engine.SetTrustedProxies(nil) // clients say nothing about themselves that is believed
	engine.Use(a.observe, gin.CustomRecoveryWithWriter(nil, a.recovered), a.limit)
	engine.NoRoute(func(c *gin.Context) { a.fail(c, errNoRoute) })
	engine.NoMethod(func(c *gin.Context) { a.fail(c, errNoMethod) })

	do := func(handle func(*gin.Context) error) gin.HandlerFunc {
		return func(c *gin.Context) {
			if err := handle(c); err != nil {
				a.fail(c, err)
			}
		}
	}
	engine.GET("/healthz", do(a.health))
	engine.GET("/readyz", do(a.ready))
	engine.GET("/openapi.json", a.openAPI)
	metrics := promhttp.HandlerFor(a.Metrics, promhttp.HandlerOpts{})
	engine.GET("/metrics", func(c *gin.Context) {
		a.stamp(c)
		metrics.ServeHTTP(c.Writer, c.Request)
	})

	v1 := engine.Group("/v1", token)
	v1.POST("/carts", do(a.createCart))
	v1.GET("/carts", do(a.listCarts))
	v1.GET("/carts/:handle", do(a.getCart))
	v1.PATCH("/carts/:handle", do(a.patchCart))
	v1.DELETE("/carts/:handle", do(a.abandonCart))
	v1.POST("/carts/:handle/items", do(a.addItem))
	v1.PUT("/carts/:handle/items/:sku", do(a.setItem))
	v1.DELETE("/carts/:handle/items/:sku", do(a.removeItem))
	v1.POST("/carts/:handle/checkout", do(a.checkout))
	v1.GET("/orders", do(a.listOrders))
	v1.GET("/orders/:handle", do(a.getOrder))
	v1.GET("/catalogue", do(a.listProducts))
	v1.GET("/catalogue/:sku", do(a.getProduct))
	v1.GET("/stock", do(a.listStock))
	v1.GET("/analytics", do(a.analytics))
	v1.GET("/notices", do(a.listNotices))
	v1.POST("/notices", do(a.publish))
	return engine, nil
}
