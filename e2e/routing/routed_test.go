package routing_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.uber.org/goleak"

	"github.com/geoshard/geoshard/cart/api"
	"github.com/geoshard/geoshard/cart/server"
	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/router/directory"
	"github.com/geoshard/geoshard/router/gateway"
	"github.com/geoshard/geoshard/router/homeguard"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/wan"
)

// electionTimeout and budget are the same in every run: a soak is longer, not stricter.
const electionTimeout, budget = 2 * time.Second, 10 * time.Second

// scale shrinks the links: 7.6, 20 and 26.5 ms. What is tested here are ways and outcomes.
const scale = 0.1

// places are the datacenters.
var places = []topology.DatacenterID{"NYC", "LON", "SYD"}

// section is what the preset's file gets in addition.
const section = `
router:
  namespace: shop.carts
  upstreams:
    NYC: ["http://%s"]
    LON: ["http://%s"]
    SYD: ["http://%s"]
  routes:
    - {path: "/v1/carts/{handle}", methods: [GET], class: read}
    - {path: "/v1/carts", methods: [POST], class: new}
    - {path: "/v1/carts/{handle}", methods: [PATCH, DELETE], class: write}
    - {path: "/v1/carts/{handle}/{rest...}", class: write}
  cookie: {secure: false}
  budget: %s
`

// A place is one datacenter: its shop, and the gateway in front of it.
type place struct {
	dc topology.DatacenterID
	// shop is the shop's own address, gate the gateway's.
	shop, gate string
	gateway    *gateway.Gateway
	store      *store.Store
	guard      *homeguard.Guard
}

// A routedShop is the cluster, and in each datacenter a shop with its gateway.
type routedShop struct {
	t       *testing.T // that began it
	cluster *local.Cluster
	network *wan.Network // the links between the gateways and the shops
	world   *topology.Topology
	places  map[topology.DatacenterID]*place
}

func TestMain(m *testing.M) {
	local.ChildMain()
	gin.SetMode(gin.ReleaseMode)
	code := m.Run()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// Everything runs in one world. Each part leaves it as it found it.
func TestTheRoutedShop(t *testing.T) {
	s := &routedShop{t: t, places: map[topology.DatacenterID]*place{}}
	if err := s.start(t.Context()); err != nil {
		t.Fatalf("start: %v", err)
	}
	for _, part := range []struct {
		name string
		run  func(*testing.T, *routedShop)
	}{
		{"writes stay at home with the router", writesStayAtHomeWithTheRouter},
		{"a traveller's cart stays at home", travellersCartStaysAtHome},
		{"a cart is rehomed under writes", cartIsRehomedUnderWrites},
		{"failover costs time and no errors", failoverCostsTimeAndNoErrors},
	} {
		t.Run(part.name, func(t *testing.T) {
			s.awaitWhole(t)
			part.run(t, s)
		})
	}
	s.awaitWhole(t)
}

// later notes what is done when the test ends, in the opposite order.
func (s *routedShop) later(f func() error) {
	s.t.Cleanup(func() {
		if err := f(); err != nil {
			s.t.Error(err)
		}
	})
}

func (s *routedShop) start(ctx context.Context) error {
	began := time.Now()
	fronts, handlers, err := s.shops()
	if err != nil {
		return err
	}
	text, err := configs.Read(configs.Default)
	if err != nil {
		return err
	}
	text = append(text, fmt.Sprintf(section, fronts[0], fronts[1], fronts[2], budget)...)
	if s.world, err = topology.Parse(configs.Default, text); err != nil {
		return err
	}
	s.cluster = clustertest.Own(s.t, local.Options{Name: "routing", Topology: s.world, WANScale: scale, ElectionTimeout: electionTimeout})
	uri, err := s.cluster.URI(places[0])
	if err != nil {
		return err
	}
	if err := server.Setup(ctx, server.SetupOptions{Target: server.Target{URI: uri, World: s.world}, Stock: 1_000_000}); err != nil {
		return err
	}
	for i, dc := range places {
		if err := s.open(s.places[dc], handlers[i]); err != nil {
			return fmt.Errorf("%s: %w", dc, err)
		}
	}
	s.t.Logf("with shops and gateways after %s", time.Since(began).Round(time.Millisecond))
	return nil
}

// A door lets requests to a shop that is opened later.
type door struct {
	mu   sync.RWMutex
	shop http.Handler // guarded by mu
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.RLock()
	shop := d.shop
	d.mu.RUnlock()
	if shop == nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	shop.ServeHTTP(w, r)
}

// shops are the listeners of the shops, each behind a front in the network: the topology names the fronts, so they are there before it.
func (s *routedShop) shops() (fronts []string, doors []*door, err error) {
	preset, err := configs.Read(configs.Default)
	if err != nil {
		return nil, nil, err
	}
	declared, err := topology.Parse(configs.Default, preset)
	if err != nil {
		return nil, nil, err
	}
	if s.network, err = wan.New(wan.Options{Datacenters: places, Links: declared.Links, Scale: scale}); err != nil {
		return nil, nil, err
	}
	s.later(s.network.Close)
	for _, dc := range places {
		d := &door{}
		server := httptest.NewServer(d)
		s.later(func() error { server.Close(); return nil })
		address := strings.TrimPrefix(server.URL, "http://")
		front, err := s.network.Front("shop/"+string(dc), dc, address)
		if err != nil {
			return nil, nil, err
		}
		fronts, doors = append(fronts, front), append(doors, d)
		s.places[dc] = &place{dc: dc, shop: server.URL}
	}
	return fronts, doors, nil
}

// open opens a datacenter's shop and starts its gateway.
func (s *routedShop) open(p *place, d *door) error {
	uri, err := s.cluster.URI(p.dc)
	if err != nil {
		return err
	}
	witness := consistency.NewWitness()
	opts := witness.Attach(options.Client().ApplyURI(uri))
	if p.guard, err = homeguard.New(homeguard.Options{World: s.world, Here: p.dc}); err != nil {
		return err
	}
	client, err := mongo.Connect(opts.SetMonitor(p.guard.Monitor(opts.Monitor)))
	if err != nil {
		return err
	}
	s.later(func() error { return client.Disconnect(context.Background()) })
	if p.store, err = store.New(store.Options{Client: client, DataCenter: p.dc}); err != nil {
		return err
	}
	tokens, err := ownKeys()
	if err != nil {
		return err
	}
	shop, err := api.New(api.Options{Store: p.store, Witness: witness, Keys: tokens, PlainHTTP: true})
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.shop = shop
	d.mu.Unlock()
	return s.serve(p, uri)
}

var secret = bytes.Repeat([]byte{7}, 32)

// ownKeys sign tokens and cookies.
func ownKeys() (*signing.Keyring, error) {
	key, err := signing.NewKey("k", secret)
	if err != nil {
		return nil, err
	}
	return signing.NewKeyring(key)
}

// serve starts a gateway, which has its own client, as a process of its own would.
func (s *routedShop) serve(p *place, uri string) error {
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return err
	}
	s.later(func() error { return client.Disconnect(context.Background()) })
	members, err := s.cluster.Dialer(p.dc)
	if err != nil {
		return err
	}
	homes, err := directory.New(directory.Options{Client: client, World: s.world, Namespace: "shop.carts", Here: p.dc})
	if err != nil {
		return err
	}
	keys, err := ownKeys()
	if err != nil {
		return err
	}
	p.gateway, err = gateway.New(gateway.Options{
		World: s.world, Here: p.dc, Keys: keys, Directory: homes, Client: client,
		Members: func() *options.ClientOptions { return options.Client().SetDialer(members) },
		Dial:    s.network.Dialer(p.dc).DialContext,
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p.gate = "http://" + listener.Addr().String()
	server, err := gateway.NewServer(p.gateway, gateway.ServeOptions{Listener: listener, Drain: time.Second})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	s.later(func() error {
		stop()
		err := <-done
		p.gateway.Close()
		return err
	})
	return nil
}

// awaitWhole waits until all members work, all primaries are at home and every gateway sees every shop.
func (s *routedShop) awaitWhole(t testing.TB) {
	t.Helper()
	clustertest.AwaitWhole(t, s.cluster)
	testkit.EventuallyNil(t, testkit.Patience, "every gateway sees every shop", func(context.Context) error {
		for _, p := range s.places {
			for _, seen := range p.gateway.Table().Datacenters {
				if !seen.Up {
					return fmt.Errorf("the gateway in %s does not see %s", p.dc, seen.ID)
				}
			}
		}
		return nil
	})
}
