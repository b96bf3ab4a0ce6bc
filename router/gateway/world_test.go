package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/router/gateway"
	"github.com/geoshard/geoshard/topology"
	"os"
)

func TestMain(m *testing.M) {
	code := clustertest.Main(m)
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// places are the datacenters of the tests' world.
var places = []topology.DatacenterID{"NYC", "LON", "SYD"}

const declared = `version: 1
datacenters:
  NYC: {name: New York, at: [40.71, -74.01], countries: [US, CA], endpoint: "http://nyc.example:8081"}
  LON: {name: London, at: [51.51, -0.13], countries: [GB, IE], endpoint: "http://lon.example:8082/shop"}
  SYD: {name: Sydney, at: [-33.87, 151.21], countries: [AU, NZ], endpoint: "http://syd.example:8083"}
links:
  - {between: [NYC, LON], rtt: 76ms}
  - {between: [NYC, SYD], rtt: 200ms}
  - {between: [LON, SYD], rtt: 265ms}
shards:
  nyc: {members: [{dc: NYC, priority: 10}, {dc: LON, priority: 5}, {dc: SYD, priority: 0}]}
  lon: {members: [{dc: LON, priority: 10}, {dc: NYC, priority: 5}, {dc: SYD, priority: 0}]}
  syd: {members: [{dc: SYD, priority: 10}, {dc: LON, priority: 5}, {dc: NYC, priority: 0}]}
zones:
  NYC: {shards: [nyc]}
  LON: {shards: [lon]}
  SYD: {shards: [syd]}
namespaces:
  shop.carts: {key: {dataCenter: 1, cartId: 1}, zoneBy: dataCenter, unknown: reject}
router:
  namespace: shop.carts
  upstreams:
    NYC: [%s]
    LON: [%s]
    SYD: [%s]
  routes:
    - {path: "/v1/carts/{handle}/quote", methods: [POST], class: read}
    - {path: "/v1/carts/{handle}/visit", methods: [GET], class: write}
    - {path: "/v1/carts/{handle}/away/{rest...}", class: write, mode: redirect}
    - {path: "/v1/carts/{handle}", methods: [GET, HEAD], class: read}
    - {path: "/v1/carts", methods: [POST], class: new}
    - {path: "/v1/carts/{handle}", methods: [PATCH, DELETE], class: write}
    - {path: "/v1/carts/{handle}/{rest...}", class: write}
  cookie: {secure: false}
%s`

// worldOf is the tests' world with upstreams in the order of places; further is added to its router section.
func worldOf(t testing.TB, upstreams [3][]string, further string) *topology.Topology {
	t.Helper()
	var texts [3]string
	for i, urls := range upstreams {
		for j, u := range urls {
			if j > 0 {
				texts[i] += ", "
			}
			texts[i] += fmt.Sprintf("%q", u)
		}
	}
	world, err := topology.Parse("test.yaml", fmt.Appendf(nil, declared, texts[0], texts[1], texts[2], further))
	if err != nil {
		t.Fatal(err)
	}
	return world
}

// An application stands for the shop in one datacenter. It answers with what it was asked.
type application struct {
	*httptest.Server
	dc topology.DatacenterID

	mu      sync.Mutex
	handler http.HandlerFunc // guarded by mu; nil = echo
	asked   []*http.Request  // guarded by mu; without checks
	bodies  []string         // guarded by mu
	ready   bool             // guarded by mu
	forgets bool             // guarded by mu; asked stays empty
}

func newApplication(t testing.TB, dc topology.DatacenterID) *application {
	t.Helper()
	a := &application{dc: dc, ready: true}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	handler, ready := a.handler, a.ready
	a.mu.Unlock()
	if r.URL.Path == "/readyz" {
		if !ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return
	}
	a.mu.Lock()
	if !a.forgets {
		a.asked = append(a.asked, r.Clone(context.WithoutCancel(r.Context())))
	}
	a.mu.Unlock()
	w.Header().Set("X-Served-By", string(a.dc))
	if handler != nil {
		handler(w, r)
		return
	}
	a.echo(w, r)
}

func (a *application) echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	a.bodies = append(a.bodies, string(body))
	a.mu.Unlock()
	fmt.Fprintf(w, "%s %s %s %s", a.dc, r.Method, r.URL.RequestURI(), body)
}

func (a *application) does(h http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.handler = h
}

func (a *application) isReady(ready bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ready = ready
}

func (a *application) requests() []*http.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]*http.Request(nil), a.asked...)
}

// routedApps are a gateway with an application in each datacenter.
type routedApps struct {
	t      testing.TB
	apps   [3]*application
	world  *topology.Topology
	gate   *gateway.Gateway
	front  *httptest.Server
	client *http.Client
}

// newRoutedApps starts three applications and a gateway in NYC. change may change its options, further its router section.
func newRoutedApps(t testing.TB, further string, change ...func(*gateway.Options)) *routedApps {
	t.Helper()
	s := &routedApps{t: t}
	var upstreams [3][]string
	for i, dc := range places {
		s.apps[i] = newApplication(t, dc)
		upstreams[i] = []string{s.apps[i].URL}
	}
	s.world = worldOf(t, upstreams, further)
	s.gate, s.front, s.client = gatewayOf(t, s.world, change...)
	return s
}

func gatewayOf(t testing.TB, world *topology.Topology, change ...func(*gateway.Options)) (*gateway.Gateway, *httptest.Server, *http.Client) {
	t.Helper()
	o := gateway.Options{World: world, Here: "NYC", CheckEvery: 50 * time.Millisecond}
	for _, f := range change {
		f(&o)
	}
	gate, err := gateway.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- gate.Run(ctx) }()
	front := httptest.NewServer(gate)
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		front.Close()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		gate.Close()
	})
	client := &http.Client{Transport: transport, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return gate, front, client
}

// An answer is one that was read to its end.
type answer struct {
	*http.Response
	text string
}

func (s *routedApps) ask(method, path, body string, headers ...string) answer {
	s.t.Helper()
	a, err := s.try(method, path, body, headers...)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

func (s *routedApps) try(method, path, body string, headers ...string) (answer, error) {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequest(method, s.front.URL+path, reader)
	if err != nil {
		return answer{}, err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return read(s.client.Do(r))
}

func read(res *http.Response, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(res.Body)
	return answer{res, b.String()}, err
}

// serve runs a handler on an address of its own.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

const id = "01K4B4B2V8G3T0000000000000"
