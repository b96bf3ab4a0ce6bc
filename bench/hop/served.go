package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/router/gateway"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

// The roles in which the program starts itself, each in a process of its own.
const (
	roleApplication = "application"
	roleBare        = "bare"
	roleGateway     = "gateway"
)

// serve plays a role until the context ends: args are its name, where to listen, and what it needs.
func serve(ctx context.Context, args []string) error {
	if len(args) < 2 {
		return errors.New("a role needs its name and an address")
	}
	switch args[0] {
	case roleApplication:
		return serveApplication(ctx, args[1:])
	case roleBare:
		return serveBare(ctx, args[1], args[2:])
	case roleGateway:
		return serveGateway(ctx, args[1], args[2])
	default:
		return fmt.Errorf("unknown role %q", args[0])
	}
}

// places are the datacenters, in the order of the applications' addresses.
var places = []string{"NYC", "LON", "SYD"}

// answerBody is as long as a small cart.
var answerBody = []byte(`{"handle":"NYC.01K4B4B2V8G3T0000000000000","items":[{"sku":"tea","quantity":2,"price":350},{"sku":"milk","quantity":1,"price":120}],"status":"open","version":7}`)

// serveApplication stands for the application in all datacenters: it reads the request and answers the same.
func serveApplication(ctx context.Context, addresses []string) error {
	group, ctx := errgroup.WithContext(ctx)
	for i, address := range addresses {
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // a client that goes away is no answer's problem
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set(servedBy, places[i])
			_, _ = w.Write(answerBody)
		})
		group.Go(func() error { return listen(ctx, address, handler) })
	}
	return group.Wait()
}

// listen serves until the context ends.
func listen(ctx context.Context, address string, handler http.Handler) error {
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) }}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // the run is over
	defer stop()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// serveBare is a ReverseProxy with the least that cookie routing needs: it reads the home from the cookie, without checking a signature.
func serveBare(ctx context.Context, address string, applications []string) error {
	targets := map[string]*url.URL{}
	for i, a := range applications {
		targets[places[i]] = &url.URL{Scheme: "http", Host: a}
	}
	proxy := &httputil.ReverseProxy{
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true, IdleConnTimeout: 90 * time.Second},
		Rewrite: func(p *httputil.ProxyRequest) {
			target := targets[places[0]]
			if c, err := p.In.Cookie(cookieName); err == nil {
				if parts := strings.SplitN(c.Value, ".", 4); len(parts) == 4 && targets[parts[2]] != nil {
					target = targets[parts[2]]
				}
			}
			p.SetURL(target)
			p.SetXForwarded()
		},
	}
	return listen(ctx, address, proxy)
}

// cookieName is the affinity cookie's.
const cookieName = "geoshard_home"

// cookieSecret signs the cookies of one run. It protects nothing.
const cookieSecret = "only for measuring, known to all"

func cookieKeys() (*signing.Keyring, error) {
	key, err := signing.NewKey("bench", []byte(cookieSecret))
	if err != nil {
		return nil, err
	}
	return signing.NewKeyring(key)
}

// serveGateway is the gateway as `geoshard router serve` runs it, in New York, without a database: it judges by the upstreams' checks.
func serveGateway(ctx context.Context, address, config string) error {
	text, err := os.ReadFile(config)
	if err != nil {
		return err
	}
	world, err := topology.Parse(config, text)
	if err != nil {
		return err
	}
	keys, err := cookieKeys()
	if err != nil {
		return err
	}
	g, err := gateway.New(gateway.Options{World: world, Here: topology.DatacenterID(places[0]), Keys: keys})
	if err != nil {
		return err
	}
	defer g.Close()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server, err := gateway.NewServer(g, gateway.ServeOptions{Listener: listener, Drain: time.Second})
	if err != nil {
		return err
	}
	return server.Serve(ctx)
}
