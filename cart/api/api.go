package api

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/goccy/go-yaml"
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
	// bodyLimit is far above any request of the shop.
	bodyLimit = 16 << 10
)

// Options say what an instance serves. Store, Witness and Keys are required.
type Options struct {
	Store *store.Store
	// Witness watches the store's client.
	Witness *consistency.Witness
	// Keys seal the causal tokens; all instances have the same.
	Keys *signing.Keyring
	// Timeout bounds a request; 0 = DefaultTimeout.
	Timeout time.Duration
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
	a.Log = cmp.Or(a.Log, slog.New(slog.DiscardHandler))
	a.Metrics = cmp.Or(a.Metrics, prometheus.NewRegistry())
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
	engine.Use(a.observe, gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, reason any) {
		a.fail(c, fmt.Errorf("%w: %v", errPanicked, reason))
	}), a.limit)
	engine.NoRoute(func(c *gin.Context) { a.fail(c, errNoRoute) })
	engine.NoMethod(func(c *gin.Context) { a.fail(c, errNoMethod) })

	a.handle(&engine.RouterGroup, []route{{"GET /healthz", a.health}, {"GET /readyz", a.ready}})
	engine.GET("/openapi.json", a.openAPI)
	metrics := promhttp.HandlerFor(a.Metrics, promhttp.HandlerOpts{})
	engine.GET("/metrics", func(c *gin.Context) {
		a.stamp(c)
		metrics.ServeHTTP(c.Writer, c.Request)
	})
	a.handle(engine.Group("/v1", token), []route{
		{"POST /carts", a.createCart},
		{"GET /carts", a.listCarts},
		{"GET /carts/:handle", a.getCart},
		{"PATCH /carts/:handle", a.patchCart},
		{"DELETE /carts/:handle", a.abandonCart},
		{"POST /carts/:handle/items", a.addItem},
		{"PUT /carts/:handle/items/:sku", a.setItem},
		{"DELETE /carts/:handle/items/:sku", a.removeItem},
		{"POST /carts/:handle/checkout", a.checkout},
		{"GET /orders", a.listOrders},
		{"GET /orders/:handle", a.getOrder},
		{"GET /catalogue", a.listProducts},
		{"GET /catalogue/:sku", a.getProduct},
		{"GET /stock", a.listStock},
		{"GET /analytics", a.analytics},
		{"GET /notices", a.listNotices},
		{"POST /notices", a.publish},
	})
	return engine, nil
}

// A route is a method with a path, and what answers it; where that gives an error, a problem does. Their order is that of the header Allow.
type route struct {
	name   string
	answer func(*gin.Context) error
}

func (a *api) handle(group *gin.RouterGroup, routes []route) {
	for _, r := range routes {
		method, path, _ := strings.Cut(r.name, " ")
		group.Handle(method, path, func(c *gin.Context) {
			if err := r.answer(c); err != nil {
				a.fail(c, err)
			}
		})
	}
}

//go:embed openapi.yaml
var openapi []byte

// Document is the OpenAPI document as JSON.
func Document() ([]byte, error) {
	document, err := yaml.YAMLToJSON(openapi)
	if err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	return document, nil
}

func (a *api) openAPI(c *gin.Context) {
	a.stamp(c)
	c.Data(http.StatusOK, "application/json", a.document)
}
