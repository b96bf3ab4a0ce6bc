package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/serve"
)

// TLSFiles name certificates that are read anew at each reload. Empty names mean none.
type TLSFiles = serve.TLSFiles

// Bounds of connections from clients.
const (
	// DefaultConnections bounds the connections from clients; more of them wait to be accepted.
	DefaultConnections = 20_000
	// DefaultDrain is how long requests under way may take when the gateway is told to stop.
	DefaultDrain = 30 * time.Second

	// DefaultHeaderWithin is how long a client may take to send a request's header.
	DefaultHeaderWithin = 10 * time.Second

	mostHeader    = 64 << 10
	clientIdleFor = 2 * time.Minute
	mostStreams   = 250
	// writeWithin ends HTTP/2 connections that take nothing.
	writeWithin = 30 * time.Second
)

// ServeOptions say where a gateway listens. Listener is required.
type ServeOptions struct {
	Listener net.Listener
	// TLS are the gateway's certificate, and the authorities of its clients' if they need any. Empty = plain HTTP.
	TLS TLSFiles
	// H2C also takes HTTP/2 without TLS.
	H2C bool
	// AdminListener is where the admin handler listens, always without TLS; nil = nowhere. Admin is what answers there.
	AdminListener net.Listener
	Admin         http.Handler
	// Connections bounds the connections from clients. 0 = DefaultConnections.
	Connections int
	// HeaderWithin is how long a client may take to send a request's header; then its connection ends. 0 = DefaultHeaderWithin.
	HeaderWithin time.Duration
	// Drain is how long requests under way may take at the end. 0 = DefaultDrain.
	Drain time.Duration
}

// A Server is a gateway with its listeners.
type Server struct {
	g    *Gateway
	o    ServeOptions
	live *serve.TLS
}

// NewServer prepares a gateway's listeners.
func NewServer(g *Gateway, o ServeOptions) (*Server, error) {
	if o.Listener == nil {
		return nil, errors.New("gateway: Listener is required")
	}
	set(&o.Connections, DefaultConnections)
	set(&o.Drain, DefaultDrain)
	set(&o.HeaderWithin, DefaultHeaderWithin)
	if o.TLS.Authorities != "" && o.TLS.Certificate == "" {
		return nil, hint.New(errors.New("clients need certificates, and the gateway has none"), "name the gateway's certificate and key too")
	}
	live, err := serve.NewTLS(o.TLS)
	return &Server{g: g, o: o, live: live}, err
}

// ReloadTLS reads the gateway's certificate anew, for the connections to come.
func (s *Server) ReloadTLS() error { return s.live.Reload() }

// Serve runs the gateway until the context ends, and then lets the requests under way end.
func (s *Server) Serve(ctx context.Context) error {
	base, breakOff := context.WithCancel(context.WithoutCancel(ctx)) // of requests; ends WebSockets, which the server has let go of
	defer breakOff()
	front := s.server()
	front.BaseContext = func(net.Listener) context.Context { return base }
	servers := []serve.Server{{Server: front, On: netutil.LimitListener(s.o.Listener, s.o.Connections)}}
	run, end := context.WithCancel(context.WithoutCancel(ctx)) // checks go on while requests end
	defer end()
	if s.o.AdminListener != nil {
		admin := &http.Server{Handler: s.o.Admin, ReadHeaderTimeout: s.o.HeaderWithin, ReadTimeout: time.Minute, MaxHeaderBytes: mostHeader, IdleTimeout: clientIdleFor,
			ErrorLog: discard}
		servers = append(servers, serve.Server{Server: admin, On: netutil.LimitListener(s.o.AdminListener, 100)})
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.g.Run(run) })
	group.Go(func() error {
		defer end()
		defer breakOff()
		return serve.Run(ctx, s.o.Drain, servers...)
	})
	return group.Wait()
}

func (s *Server) server() *http.Server {
	var handler http.Handler = s.g
	if s.g.o.Traces != nil {
		handler = otelhttp.NewHandler(handler, "gateway", otelhttp.WithTracerProvider(s.g.o.Traces), otelhttp.WithPropagators(propagator))
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: s.o.HeaderWithin, IdleTimeout: clientIdleFor, MaxHeaderBytes: mostHeader,
		ErrorLog:  slog.NewLogLogger(s.g.o.Log.Handler(), slog.LevelDebug),
		HTTP2:     &http.HTTP2Config{MaxConcurrentStreams: mostStreams, WriteByteTimeout: writeWithin, SendPingTimeout: clientIdleFor, PingTimeout: pingWithin},
		Protocols: new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(s.o.TLS.Certificate != "")
	server.Protocols.SetUnencryptedHTTP2(s.o.H2C)
	if s.o.TLS.Certificate != "" {
		server.TLSConfig = s.live.Server()
	}
	return server
}
