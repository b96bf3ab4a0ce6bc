package router_test

import (
	"bytes"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

var now = time.Unix(1_790_000_000, 0)

func preset(t testing.TB, name string) *topology.Topology {
	t.Helper()
	src, err := configs.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	w, err := topology.Parse(name, src)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func table(t testing.TB, w *topology.Topology) *router.Table {
	t.Helper()
	made, err := router.NewTable(w)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func key(t testing.TB, id string, b byte) signing.Key {
	t.Helper()
	k, err := signing.NewKey(id, bytes.Repeat([]byte{b}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func keys(t testing.TB, first signing.Key, verifying ...signing.Key) *signing.Keyring {
	t.Helper()
	k, err := signing.NewKeyring(first, verifying...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// A hot decision is one that gateways make for each request.
type hot struct {
	name   string
	q      router.Query
	h      router.Health
	cookie string // opened first, to be the query's home
	handle string
}

func hotDecisions(t testing.TB, tab *router.Table, ring *signing.Keyring) []hot {
	nyc, lon := tab.DC("NYC"), tab.DC("LON")
	sealed := router.SealCookie(ring, "LON", now.Add(time.Hour))
	sick := router.Health{Down: router.DCSet(0).With(lon), Primaries: []router.DC{nyc, nyc, router.Electing}, RTT: []time.Duration{0, 0, time.Millisecond, time.Second}}
	return []hot{
		{name: "write by cookie", q: router.Query{Here: nyc, Class: router.Write, Source: router.SourceCookie}, cookie: sealed},
		{name: "write by cookie, owner lost", q: router.Query{Here: nyc, Class: router.Write}, cookie: sealed, h: sick},
		{name: "read by cookie", q: router.Query{Here: nyc, Class: router.Read}, cookie: sealed},
		{name: "write by handle", q: router.Query{Here: nyc, Class: router.Write}, handle: "SYD.01K4B4B2V8G3T0000000000000"},
		{name: "new by country", q: router.Query{Here: nyc, Class: router.New, Country: "AU"}},
		{name: "new by an unlisted country", q: router.Query{Here: nyc, Class: router.New, Country: "FJ"}},
		{name: "new by position", q: router.Query{Here: nyc, Class: router.New, Lat: 37.77, Long: -122.42, HasPlace: true}},
		{name: "new by round trip", q: router.Query{Here: lon, Class: router.New}, h: sick},
	}
}

func (d *hot) decide(tab *router.Table, ring *signing.Keyring) (router.Decision, bool) {
	ok := true
	switch {
	case d.cookie != "":
		d.q.Home, ok = router.OpenCookie(ring, d.cookie, now)
	case d.handle != "":
		d.q.Home, _, ok = router.ParseHandle(d.handle)
	}
	return tab.Decide(&d.q, &d.h), ok
}

func TestDecisionsAllocateNothing(t *testing.T) {
	tab, ring := table(t, preset(t, "nyc-lon-syd")), keys(t, key(t, "new", 2), key(t, "old", 1))
	for _, d := range hotDecisions(t, tab, ring) {
		if got := testing.AllocsPerRun(1000, func() {
			if _, ok := d.decide(tab, ring); !ok {
				t.Fatalf("%s: the cookie or handle is refused", d.name)
			}
		}); got > forgotten {
			t.Errorf("%s: got %v allocations, want %d", d.name, got, forgotten)
		}
	}
	t.Logf("1,000 decisions of each kind, at most %d allocations", forgotten)
}

func BenchmarkDecide(b *testing.B) {
	tab, ring := table(b, preset(b, "nyc-lon-syd")), keys(b, key(b, "new", 2), key(b, "old", 1))
	for _, d := range hotDecisions(b, tab, ring) {
		b.Run(d.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := d.decide(tab, ring); !ok {
					b.Fatal("refused")
				}
			}
		})
	}
}

// Reading a request comes before each decision of a gateway.
func BenchmarkRead(b *testing.B) {
	ring := keys(b, key(b, "k", 1))
	tab := routed(b, nil)
	reader := router.NewReader(tab, tab.DC("NYC"), ring)
	for name, r := range map[string][]string{
		"path":   {"PUT", "/v1/carts/" + handle + "/items"},
		"header": {"PUT", "/other", "X-Geoshard-Handle", handle},
		"cookie": {"PUT", "/other", "Cookie", "theme=dark; geoshard_home=" + router.SealCookie(ring, "LON", now.Add(time.Hour))},
	} {
		b.Run(name, func(b *testing.B) {
			req := httptest.NewRequest(r[0], r[1], nil)
			for i := 2; i < len(r); i += 2 {
				req.Header.Set(r[i], r[i+1])
			}
			b.ReportAllocs()
			for b.Loop() {
				if got := reader.Read(req, now); got.Query.Home != "LON" {
					b.Fatalf("got %+v", got)
				}
			}
		})
	}
}
