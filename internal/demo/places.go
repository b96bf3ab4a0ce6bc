package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cart/server"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/internal/serve"
	"github.com/geoshard/geoshard/router/directory"
	"github.com/geoshard/geoshard/router/gateway"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

// headerLocation is where a trusted proxy, here everybody on this machine, says where on Earth a client is: "latitude,longitude" in degrees.
const headerLocation = "X-Client-Location"

const (
	// slowness is by how much a busy machine may be slower than what is foreseen: it is to cost time, and no answers.
	slowness = 2
	// drainWithin is how long requests under way may take when the world ends.
	drainWithin = time.Second
	// checkWithin is twice the gateway's default: shops on a busy machine are late without being gone.
	checkWithin = 2 * gateway.DefaultCheckWithin
	// lookEvery is how often inventory services and shipping processes look; quicker than by default, since people watch.
	lookEvery = 500 * time.Millisecond
)

// A place is one datacenter: its shop and the gateway in front of it.
type place struct {
	dc topology.DatacenterID
	// direct and gate are the base URLs of shop and gateway; front is the shop's address for other datacenters' gateways.
	direct, gate, front    string
	shopListen, gateListen net.Listener
	shop                   *server.Instance
	gateway                *gateway.Gateway
	// uri is that of the datacenter's query router, client is connected to it, as a program there would be.
	uri    string
	client *mongo.Client
	// marked counts the carts that the inventory service has marked.
	marked atomic.Int64
}

// launch runs a service beside everything else. end stops it and waits for it; it is called once.
func launch(run func(context.Context) error) (end func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	return func(context.Context) error {
		stop()
		return <-ended
	}
}

// listen opens the addresses of all shops and gateways: the topology names them, so they are there before it. What connects before its server runs waits.
func (w *World) listen(ctx context.Context) error {
	for _, dc := range w.homes {
		on := func(what string) (net.Listener, error) {
			l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
			if err != nil {
				return nil, fmt.Errorf("listen for the %s in %s: %w", what, dc, err)
			}
			w.later(func(context.Context) error { return unless(net.ErrClosed, l.Close()) })
			return l, nil
		}
		p := &place{dc: dc}
		var err error
		if p.shopListen, err = on("shop"); err != nil {
			return err
		}
		if p.gateListen, err = on("gateway"); err != nil {
			return err
		}
		address := p.shopListen.Addr().String()
		if p.front, err = w.links.Front("shop/"+string(dc), dc, address); err != nil {
			return err
		}
		p.direct, p.gate = "http://"+address, "http://"+p.gateListen.Addr().String()
		w.places[dc] = p
	}
	return nil
}

func unless(expected, err error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// route gives the declared world its router section and the gateways' addresses.
func (w *World) route(declared *topology.Topology) error {
	carts, _ := declared.Namespace(database + ".carts")
	w.field = carts.ZoneBy
	r := &topology.Router{
		Namespace: carts.Name, Budget: slowness * consistency.Budget(declared, w.options.electionTimeout()), Cookie: topology.AffinityCookie{PlainHTTP: true},
		Trust: topology.Trust{Proxies: []string{"127.0.0.0/8"}, Location: headerLocation},
		Routes: []topology.Route{
			{Path: "/v1/carts/{handle}", Methods: []string{http.MethodGet}, Class: topology.ClassRead},
			{Path: "/v1/carts", Methods: []string{http.MethodPost}, Class: topology.ClassNew},
			{Path: "/v1/carts/{handle}", Methods: []string{http.MethodPatch, http.MethodDelete}, Class: topology.ClassWrite},
			{Path: "/v1/carts/{handle}/{rest...}", Class: topology.ClassWrite},
			// A notice is a new record of the datacenter that gets it.
			{Path: "/v1/notices", Methods: []string{http.MethodPost}, Class: topology.ClassNew},
		},
	}
	for i, dc := range declared.Datacenters {
		if p := w.places[dc.ID]; p != nil {
			declared.Datacenters[i].Endpoint = p.gate
			r.Upstreams = append(r.Upstreams, topology.Upstream{DC: dc.ID, URLs: []string{"http://" + p.front}})
		}
	}
	declared.Router = r
	w.topology = declared
	return declared.Validate()
}

// open starts the shops and the gateways, and returns when each gateway serves.
func (w *World) open(ctx context.Context) error {
	var err error
	if w.keys, err = signing.NewOwnKeyring("demo"); err != nil {
		return err
	}
	for _, dc := range w.homes {
		if err := w.openShop(ctx, w.places[dc]); err != nil {
			return fmt.Errorf("open the shop in %s: %w", dc, err)
		}
	}
	for _, dc := range w.homes {
		if err := w.openGateway(w.places[dc]); err != nil {
			return fmt.Errorf("open the gateway in %s: %w", dc, err)
		}
	}
	for _, dc := range w.homes {
		if err := w.awaitServing(ctx, dc); err != nil {
			return err
		}
		w.options.Progress(fmt.Sprintf("shop, inventory service and gateway serve in %s", dc))
	}
	return nil
}

func (w *World) openShop(ctx context.Context, p *place) (err error) {
	if p.uri, err = w.cluster.URI(p.dc); err != nil {
		return err
	}
	p.shop, err = server.Open(ctx, server.Options{
		Target: server.Target{URI: p.uri, World: w.topology}, DataCenter: p.dc, Listener: p.shopListen, Keys: w.keys, Drain: drainWithin, Every: lookEvery,
		Marked: func(carts int64) { p.marked.Add(carts) },
	})
	if err != nil {
		return err
	}
	w.later(launch(func(ctx context.Context) error {
		return unless(serve.ErrUnfinished, p.shop.Run(ctx)) // the requests are of this process
	}))
	return nil
}

func (w *World) openGateway(p *place) (err error) {
	if p.client, err = mongo.Connect(options.Client().ApplyURI(p.uri).SetAppName("geoshard-demo")); err != nil {
		return err
	}
	w.later(p.client.Disconnect)
	members, err := w.cluster.Dialer(p.dc)
	if err != nil {
		return err
	}
	homes, err := directory.New(directory.Options{Client: p.client, World: w.topology, Namespace: w.topology.Router.Namespace, Here: p.dc})
	if err != nil {
		return err
	}
	p.gateway, err = gateway.New(gateway.Options{
		World: w.topology, Here: p.dc, Keys: w.keys, Directory: homes, Client: p.client, Explain: true,
		Members: func() *options.ClientOptions { return options.Client().SetDialer(members) },
		Dial:    w.links.Dialer(p.dc).DialContext, CheckWithin: checkWithin,
	})
	if err != nil {
		return err
	}
	front, err := gateway.NewServer(p.gateway, gateway.ServeOptions{Listener: p.gateListen, Drain: drainWithin})
	if err != nil {
		return err
	}
	end := launch(front.Serve)
	w.later(func(ctx context.Context) error {
		_ = end(ctx) // at most that requests did not end in time: they are of this process
		p.gateway.Close()
		return nil
	})
	return nil
}
