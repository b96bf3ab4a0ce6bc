package routing_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

// writesOf counts, at the drivers of the shops in all datacenters, the statements that wrote carts, and those of them that had to leave the datacenter of their
// shop: their key was at home elsewhere.
func writesOf(s *routedShop) (cross, all uint64) {
	for _, dc := range places {
		for _, shape := range s.places[dc].guard.Report().Shapes {
			for _, write := range []string{"update shop.carts", "findAndModify shop.carts", "insert shop.carts"} {
				if strings.HasPrefix(shape.Shape, write) {
					cross += shape.Cross
					all += shape.Sent
				}
			}
		}
	}
	return cross, all
}

// With clients anywhere and carts anywhere, two thirds of the writes leave the datacenter in which the shop got the request. Through the gateways none does: the request goes to
// the shop at the cart's home.
func writesStayAtHomeWithTheRouter(t *testing.T, s *routedShop) {
	m := newMarket(t, s, testkit.Count(t, "carts", 30, 300))
	rate, within := testkit.Count(t, "requests a second", 40, 200), time.Duration(testkit.Count(t, "seconds", 4, 60))*time.Second
	seed := testkit.Seed(t)
	share := func(name string, base func(*place) string) float64 {
		m.base = base
		crossBefore, before := writesOf(s)
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		m.shop(ctx, rate, 16, 2.0/3, seed)
		cross, all := writesOf(s)
		cross, all = cross-crossBefore, all-before
		if all == 0 {
			t.Fatalf("%s: nothing was written", name)
		}
		t.Logf("%s: %d of %d writes left their datacenter: %.1f %%", name, cross, all, 100*float64(cross)/float64(all))
		return float64(cross) / float64(all)
	}
	without := share("without the router", func(p *place) string { return p.shop })
	with := share("with the router", func(p *place) string { return p.gate })
	if with > 0.01 {
		t.Errorf("with the router: got a share of %.3f, want about 0", with)
	}
	if without < 0.5 || without > 0.85 {
		t.Errorf("without the router: got a share of %.3f, want about 2/3", without)
	}
	m.compare()
}

// A new cart is at home where its client is, and stays there when the client travels.
func travellersCartStaysAtHome(t *testing.T, s *routedShop) {
	m := newMarket(t, s, 1)
	b := m.baskets[0]
	for _, at := range []topology.DatacenterID{"NYC", "LON", "SYD", "NYC"} {
		status, got, h, problem := m.send(s.places[at].gate, "POST", "/v1/carts/"+b.handle+"/items", `{"sku":"mug","quantity":1}`, newKey(), "")
		if status >= 300 || status == 0 {
			t.Fatalf("in %s: %d %s", at, status, problem)
		}
		b.items["mug"]++
		mode := "forward"
		if at == b.home {
			mode = "local"
		}
		if got.Handle.DataCenter != b.home || h.Get("X-Geoshard-Datacenter") != string(b.home) || h.Get("X-Geoshard-Mode") != mode {
			t.Errorf("in %s: the cart is at home in %s, served by %s (%s), want %s (%s)", at, got.Handle.DataCenter, h.Get("X-Geoshard-Datacenter"),
				h.Get("X-Geoshard-Mode"), b.home, mode)
		}
		// What was written is read in the traveller's own datacenter, with the token of the write.
		status, read, h2, problem := m.send(s.places[at].gate, "GET", "/v1/carts/"+b.handle, "", "", h.Get("X-Geoshard-Token"))
		if status != 200 || read.Version < got.Version || h2.Get("X-Geoshard-Datacenter") != string(at) {
			t.Errorf("read in %s: %d %s, version %d of %d, served by %s", at, status, problem, read.Version, got.Version, h2.Get("X-Geoshard-Datacenter"))
		}
	}
	m.compare()
}
