package gateway

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

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
	settings   topology.Router
	here       router.DC
	pools      []*pool        // by DC; empty where no application is
	endpoints  []*url.URL     // by DC; nil where there is no gateway
	metrics    []placeMetrics // by DC
	transports transports
	trusted    []netip.Prefix
	geo        string // the header that trusted proxies may set, besides the usual ones
	budget     time.Duration
	via        string
}

// newWiring makes a wiring. Upstreams that the old one has too, if there is one, keep what is known of them.
func (g *Gateway) newWiring(world *topology.Topology, keys *signing.Keyring, old *wiring) (*wiring, error) {
	table, err := router.NewTable(world)
	if err != nil {
		return nil, err
	}
	w := &wiring{world: world, table: table, settings: table.Settings(), here: table.DC(g.o.Here), via: pseudonym(g.o.Here)}
	if len(table.Upstreams(w.here)) == 0 {
		return nil, hint.New(fmt.Errorf("%w: %q", ErrNotHere, g.o.Here), "give the datacenter of this gateway upstreams in the topology's router section")
	}
	w.reader = router.NewReader(table, w.here, keys)
	w.budget = w.settings.Budget
	w.geo = http.CanonicalHeaderKey(w.settings.Trust.Country + w.settings.Trust.Location) // one of them is empty
	for _, text := range w.settings.Trust.Proxies {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("trusted proxies: %w", err)
		}
		w.trusted = append(w.trusted, prefix.Masked())
	}
	if err := w.places(g, old); err != nil {
		return nil, err
	}
	w.transports = g.transportsFor(old)
	return w, nil
}

// places makes what there is of each datacenter.
func (w *wiring) places(g *Gateway, old *wiring) error {
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
			base, err := baseURL(text)
			if err != nil {
				return fmt.Errorf("upstream of %s: %w", id, err)
			}
			u := newUpstream(base, id, g.o.Now)
			if before := known[u.key()]; before != nil {
				u = before
			}
			p.all = append(p.all, u)
		}
		var endpoint *url.URL
		if text := w.table.Endpoint(dc); text != "" {
			var err error
			if endpoint, err = baseURL(text); err != nil {
				return fmt.Errorf("endpoint of %s: %w", id, err)
			}
		}
		w.pools, w.endpoints, w.metrics = append(w.pools, p), append(w.endpoints, endpoint), append(w.metrics, g.metrics.of(string(id)))
	}
	return nil
}

// baseURL reads what the topology has checked already: nothing but scheme, host and path.
func baseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is no base URL: want http:// or https://, a host, and perhaps a path", u.Redacted())
	}
	u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/"), strings.TrimSuffix(u.RawPath, "/")
	return u, nil
}

// upstreams are those of all datacenters.
func (w *wiring) upstreams() (all []*upstream) {
	for _, p := range w.pools {
		all = append(all, p.all...)
	}
	return all
}

// trusts reports whether a peer may say where a client is, and by which way its request came.
func (w *wiring) trusts(remote string) bool {
	if len(w.trusted) == 0 {
		return false
	}
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	address := peer.Addr().Unmap().WithZone("")
	for _, prefix := range w.trusted {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}
