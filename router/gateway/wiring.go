package gateway

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

// A wiring is all that follows from one topology. A request keeps the one that it began with; a reload makes another.
type wiring struct {
	world      *topology.Topology
	table      *router.Table
	reader     *router.Reader
	keys       *signing.Keyring
	settings   topology.Router
	here       router.DC
	pools      []*pool        // by DC; empty where no application is
	endpoints  []*url.URL     // by DC; empty where there is no gateway
	metrics    []placeMetrics // by DC
	transports transports
	geo        string // the header that trusted proxies may set, besides the usual ones
	via        string
}

// newWiring makes a wiring. Upstreams that the old one has too, if there is one, keep what is known of them.
func (g *Gateway) newWiring(world *topology.Topology, keys *signing.Keyring, old *wiring) (*wiring, error) {
	table, err := router.NewTable(world)
	if err != nil {
		return nil, err
	}
	w := &wiring{world: world, table: table, keys: keys, settings: table.Settings(), here: table.DC(g.o.Here), via: pseudonym + string(g.o.Here)}
	if len(table.Upstreams(w.here)) == 0 {
		return nil, hint.New(fmt.Errorf("%w: %q", ErrNotHere, g.o.Here), "give the datacenter of this gateway upstreams in the topology's router section")
	}
	w.reader = router.NewReader(table, w.here, keys)
	w.geo = http.CanonicalHeaderKey(w.settings.Trust.Country + w.settings.Trust.Location) // one of them is empty
	w.places(g, old)
	if old != nil && g.o.UpstreamTLS == (TLSFiles{}) {
		w.transports = old.transports
	} else { // connections hold the authorities for upstreams that they were made with
		w.transports = newTransports(&g.o, g.upstreamTLS.Client())
	}
	return w, nil
}

// places makes what there is of each datacenter.
func (w *wiring) places(g *Gateway, old *wiring) {
	known := map[string]*upstream{}
	if old != nil {
		for _, u := range old.upstreams() {
			known[u.key()] = u
		}
	}
	w.pools, w.endpoints, w.metrics = []*pool{{}}, []*url.URL{nil}, []placeMetrics{g.metrics.of("none")}
	for _, dc := range w.table.DCs() {
		id := w.table.Datacenter(dc)
		p := &pool{}
		for _, text := range w.table.Upstreams(dc) {
			u := newUpstream(baseURL(text), id, g.o.Now)
			p.all = append(p.all, cmp.Or(known[u.key()], u))
		}
		w.pools, w.endpoints, w.metrics = append(w.pools, p), append(w.endpoints, baseURL(w.table.Endpoint(dc))), append(w.metrics, g.metrics.of(string(id)))
	}
}

// baseURL reads what the topology has checked already: nothing but scheme, host and path. An empty text is an empty URL.
func baseURL(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/"), strings.TrimSuffix(u.RawPath, "/")
	return u
}

// upstreams are those of all datacenters.
func (w *wiring) upstreams() (all []*upstream) {
	for _, p := range w.pools {
		all = append(all, p.all...)
	}
	return all
}
