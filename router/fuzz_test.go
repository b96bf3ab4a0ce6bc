package router_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/topology"
)

// FuzzRequest: whatever a client and its proxies send, nothing panics; an existing record has the owner that its home has, and no other; a redirect goes to
// an endpoint of the topology; a cookie is believed if it was signed.
func FuzzRequest(f *testing.F) {
	ring := keys(f, key(f, "k", 1))
	tab := routed(f, func(r *topology.Router) {
		r.Trust = topology.Trust{Proxies: []string{"10.0.0.0/8"}, Location: "X-Where"}
	})
	reader := router.NewReader(tab, tab.DC("NYC"), ring)
	sealed := router.SealCookie(ring, "SYD", now.Add(time.Hour))
	f.Add("GET", "/v1/carts/"+handle, "", "", "", "", "10.1.2.3:4", uint16(0))
	f.Add("POST", "/v1/carts", "geoshard_home="+sealed, "", "LON", "37.77,-122.42", "10.1.2.3:4", uint16(2))
	f.Add("PUT", "/v1/carts/"+handle+"/items/%zz?handle=x", "geoshard_home=k.zz.%4", handle, "", "NaN,Inf", "[fd00::1%eth0]:4", uint16(0xffff))
	f.Add("DELETE", "/v1/regions/%00/report?handle=%", "geoshard_home=\"", "a\r\nb.01K4B4B2V8G3T0000000000000", "\x00", "91,181", "", uint16(4))
	f.Add("CONNECT", "//evil.example/..;/\\?#", "a=b;;=;geoshard_home", "01K4B4B2V8G3T0000000000000", "nyc", ",", "10.0.0.1", uint16(8))
	endpoints := []string{}
	for _, dc := range tab.DCs() {
		endpoints = append(endpoints, tab.Endpoint(dc)+"/")
	}
	f.Fuzz(func(t *testing.T, method, target, cookie, named, place, where, peer string, sick uint16) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return // no server hands it on
		}
		r := &http.Request{Method: method, URL: u, RemoteAddr: peer, Header: http.Header{"Cookie": {cookie}, "X-Geoshard-Handle": {named}, "X-Geoshard-Place": {place}, "X-Where": {where}}}
		got := reader.Read(r, now)
		if got.Query.Source == router.SourceCookie && got.Query.Home != "SYD" {
			t.Fatalf("the home %q comes from a cookie that was never sealed", got.Query.Home)
		}
		if (got.Query.HasPlace || got.Query.Country != "") && !strings.HasPrefix(peer, "10.") && !strings.HasPrefix(peer, "[::ffff:") {
			t.Fatalf("the peer %q is believed", peer)
		}
		h := router.Health{Down: router.DCSet(sick & 0xe), Primaries: []router.DC{router.DC(sick >> 4 & 3), router.DC(sick >> 6 & 3), router.Electing}}
		for _, redirect := range []bool{false, true} {
			got.Query.Redirect = redirect
			d := tab.Decide(&got.Query, &h)
			if d.Mode == router.ModeUnknown || d.Reason == router.ReasonUnknown || int(d.To) > 3 || int(d.Owner) > 3 {
				t.Fatalf("%+v: decided as %+v", got, d)
			}
			if want, _ := tab.Owner(got.Query.Home); got.Query.Home != "" && got.Query.Class != router.New && d.Owner != want {
				t.Fatalf("%+v: the owner is %s, want %s", got, tab.Datacenter(d.Owner), tab.Datacenter(want))
			}
			if told, _ := tab.Explain(&got.Query, &h); told != d {
				t.Fatalf("%+v: explained as %+v, decided as %+v", got, told, d)
			}
			to := tab.RedirectURL(d.To, u)
			if d.To != router.NoDC && !slices.ContainsFunc(endpoints, func(e string) bool { return strings.HasPrefix(to, e) }) {
				t.Fatalf("%s: redirected to %s", target, to)
			}
			if parsed, err := url.Parse(to); err != nil || strings.ContainsAny(to, "\r\n\x00") || d.To != router.NoDC && parsed.Host != "127.0.0.1:808"+string(rune('0'+d.To)) {
				t.Fatalf("%s: redirected to %q: %v", target, to, err)
			}
		}
	})
}

// FuzzOpen: no text opens but those that were sealed.
func FuzzOpen(f *testing.F) {
	ring := keys(f, key(f, "k", 1))
	sealed := router.SealCookie(ring, "LON", now.Add(time.Hour))
	for _, seed := range []string{sealed, sealed[1:], "k.." + sealed, "k.zz.%4.AAAAAAAAAAAAAAAAAAAAAA", "", "....", "k.7.LON.AAAAAAAAAAAAAAAAAAAAAA"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if home, ok := router.OpenCookie(ring, text, now); ok && text != sealed {
			t.Fatalf("%q opens as %q", text, home)
		}
	})
}

// FuzzParseHandle: what is taken has one spelling.
func FuzzParseHandle(f *testing.F) {
	for _, seed := range []string{handle, "", ".", "LON.01k4b4b2v8g3t0000000000000", "\x00.01K4B4B2V8G3T0000000000000", strings.Repeat("A", 5000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if home, id, ok := router.ParseHandle(text); ok && (home+"."+id != text || home == "" || id == "" || len(id) > 128 || url.PathEscape(id) != id || strings.ContainsAny(text, "\r\n\x00")) {
			t.Fatalf("%q is taken as %q, %q", text, home, id)
		}
	})
}
