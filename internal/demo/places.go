package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cart/server"
	"github.com/geoshard/geoshard/internal/serve"
	"github.com/geoshard/geoshard/router/directory"
	"github.com/geoshard/geoshard/router/gateway"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/wan"
)

// headerLocation is where a trusted proxy, here everybody on this machine, says where on Earth a client is: "latitude,longitude" in degrees.
const headerLocation = "X-Client-Location"

const (
	// budget is how long a gateway holds a request while a shard elects: several elections, so that a busy machine costs time and no answers.
	budget = 30 * time.Second
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
	client                 *mongo.Client
	// marked counts the carts that the inventory service has marked.
	marked atomic.Int64
}

// A service is a goroutine with an owner.
type service struct {
	stop context.CancelFunc
	done sync.WaitGroup
	err  error // once done
}

func launch(run func(context.Context) error) *service {
	ctx, stop := context.WithCancel(context.Background())
	s := &service{stop: stop}
	s.done.Go(func() { s.err = run(ctx) })
	return s
}

// end stops a service and waits for it. It is idempotent.
func (s *service) end(context.Context) error {
	s.stop()
	s.done.Wait()
	return s.err
}

// listen opens the addresses of all shops and gateways: the topology names them, so they are there before it. What connects before its server runs waits.
func (w *World) listen(ctx context.Context, links *wan.Network) error {
	on := func() (net.Listener, error) {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err == nil {
			w.later(func(context.Context) error { return unless(net.ErrClosed, l.Close()) })
		}
		return l, err
	}
	for _, dc := range w.homes {
		p := &place{dc: dc}
		var err error
		if p.shopListen, err = on(); err != nil {
			return fmt.Errorf("listen for the shop in %s: %w", dc, err)
		}
		if p.gateListen, err = on(); err != nil {
			return fmt.Errorf("listen for the gateway in %s: %w", dc, err)
		}
		address := p.shopListen.Addr().String()
		if p.front, err = links.Front("shop/"+string(dc), dc, address); err != nil {
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
		Namespace: carts.Name, Budget: budget, Cookie: topology.AffinityCookie{PlainHTTP: true},
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
func (w *World) open(ctx context.Context, links *wan.Network) error {
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
		if err := w.openGateway(w.places[dc], links); err != nil {
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

func (w *World) openShop(ctx context.Context, p *place) error {
	uri, err := w.cluster.URI(p.dc)
	if err != nil {
		return err
	}
	p.shop, err = server.Open(ctx, server.Options{
		Target: server.Target{URI: uri, World: w.topology}, DataCenter: p.dc, Listener: p.shopListen, Keys: w.keys, Drain: drainWithin, Every: lookEvery,
		Marked: func(carts int64) { p.marked.Add(carts) },
	})
	if err != nil {
		return err
	}
	w.later(launch(func(ctx context.Context) error {
		return unless(serve.ErrUnfinished, p.shop.Run(ctx)) // the requests are of this process
	}).end)
	return nil
}

// connect connects to the query router of a place's datacenter, as a program there would. It ends with the world.
func (w *World) connect(p *place) error {
	uri, err := w.cluster.URI(p.dc)
	if err != nil {
		return err
	}
	if p.client, err = mongo.Connect(options.Client().ApplyURI(uri).SetAppName("geoshard-demo")); err != nil {
		return err
	}
	w.later(p.client.Disconnect)
	return nil
}

func (w *World) openGateway(p *place, links *wan.Network) error {
	if err := w.connect(p); err != nil {
		return err
	}
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
		Dial:    links.Dialer(p.dc).DialContext, CheckWithin: checkWithin,
	})
	if err != nil {
		return err
	}
	front, err := gateway.NewServer(p.gateway, gateway.ServeOptions{Listener: p.gateListen, Drain: drainWithin})
	if err != nil {
		return err
	}
	running := launch(front.Serve)
	w.later(func(ctx context.Context) error {
		_ = running.end(ctx) // at most that requests did not end in time: they are of this process
		p.gateway.Close()
		return nil
	})
	return nil
}
