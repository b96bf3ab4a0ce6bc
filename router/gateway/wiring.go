package gateway

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/geoshard/geoshard/consistency"
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
	upstreams  []*upstream    // of all pools
	metrics    []placeMetrics // by DC
	transports transports
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
	if w.settings.Budget == 0 {
		w.settings.Budget = consistency.Budget(world, g.o.ElectionTimeout)
	}
	w.reader = router.NewReader(table, w.here, keys)
	w.transports = newTransports(&g.o, g.upstreamTLS.Client())
	known := map[string]*upstream{}
	if old != nil {
		if g.o.UpstreamTLS == (TLSFiles{}) { // else connections hold the authorities that they were made with
			w.transports = old.transports
		}
		for _, u := range old.upstreams {
			known[u.key] = u
		}
	}
	w.pools, w.metrics = []*pool{{}}, []placeMetrics{g.metrics.of("none")}
	for _, dc := range w.table.DCs() {
		id := w.table.Datacenter(dc)
		p := &pool{}
		for _, text := range w.table.Upstreams(dc) {
			base := baseURL(text)
			u := &upstream{url: base, key: string(id) + " " + base.String(), now: g.o.Now, tries: map[*try]struct{}{}}
			u.usable.Store(true)
			p.all = append(p.all, cmp.Or(known[u.key], u))
		}
		w.pools, w.upstreams, w.metrics = append(w.pools, p), append(w.upstreams, p.all...), append(w.metrics, g.metrics.of(string(id)))
	}
	return w, nil
}

// baseURL reads what the topology has checked already: nothing but scheme, host and path.
func baseURL(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/"), strings.TrimSuffix(u.RawPath, "/")
	return u
}
