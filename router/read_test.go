package router_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/topology"
)

const handle = "LON.01K4B4B2V8G3T0000000000000"

// routed is the reference world with a router section.
func routed(t testing.TB, edit func(*topology.Router)) *router.Table {
	t.Helper()
	w := preset(t, "nyc-lon-syd")
	w.Router = &topology.Router{
		Routes: []topology.Route{
			{Path: "/v1/carts/{handle}", Methods: []string{"GET"}, Class: topology.ClassRead},
			{Path: "/v1/carts/{handle}/quote", Methods: []string{"POST"}, Class: topology.ClassRead},
			{Path: "/v1/carts/{handle}/touch", Methods: []string{"GET"}, Class: topology.ClassWrite},
			{Path: "/v1/carts", Methods: []string{"POST"}, Class: topology.ClassNew},
			{Path: "/v1/regions/{home}/report", Class: topology.ClassRead},
			{Path: "/v1/carts/{handle}/{rest...}", Class: topology.ClassWrite, Mode: topology.RouteRedirect},
		},
		Trust: topology.Trust{Proxies: []string{"10.0.0.0/8", "fd00::/8"}, Country: "CF-IPCountry"},
	}
	if edit != nil {
		edit(w.Router)
	}
	return table(t, w)
}

func request(method, target string, header ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func TestRequestsAreClassifiedByTheFirstRouteThatMatches(t *testing.T) {
	reader := router.NewReader(routed(t, nil), 1, nil)
	for line, want := range map[string]string{
		"GET /":                                    "-1 read",
		"HEAD /v1/carts/" + handle:                 "0 read LON",
		"POST /":                                   "-1 write",
		"BREW /":                                   "-1 write",
		"GET /v1/carts/" + handle:                  "0 read LON",
		"PUT /v1/carts/" + handle:                  "-1 write LON", // the path names the record, whatever the method
		"POST /v1/carts/" + handle + "/quote":      "1 read LON",
		"GET /v1/carts/" + handle + "/touch":       "2 write LON",
		"POST /v1/carts":                           "3 new",
		"GET /v1/carts":                            "-1 read",
		"POST /v1/carts/":                          "-1 write",
		"GET /v1/regions/SYD/report":               "4 read SYD",
		"GET /v1/regions/S%59D/report":             "4 read SYD",
		"PUT /v1/carts/" + handle + "/items/1/2":   "5 write LON redirect",
		"PUT /v1/carts/" + handle + "/":            "5 write LON redirect",
		"GET /v1/carts/01K4B4B2V8G3T0000000000000": "0 read lookup",
		"GET /v1/carts/a%2Fb":                      "0 read bad-handle",
		"GET /v1/carts/LON.a%20b":                  "0 read bad-handle",
		"PUT /v1/carts/LON.":                       "-1 write bad-handle",
		"GET //v1/carts/" + handle:                 "-1 read",
		"GET /v1/../v1/carts/" + handle:            "-1 read",
	} {
		method, target, _ := strings.Cut(line, " ")
		got := reader.Read(request(method, target), now)
		text := fmt.Sprint(got.Route, " ", got.Query.Class)
		if got.Query.Home != "" {
			text += " " + got.Query.Home
		}
		if got.Lookup {
			text += " lookup"
		}
		if got.Query.Unroutable != router.ReasonUnknown {
			text += " " + got.Query.Unroutable.String()
		}
		if got.Query.Redirect {
			text += " redirect"
		}
		if text != want {
			t.Errorf("%s: got %s, want %s", line, text, want)
		}
	}
}

// A pattern matches the paths that net/http's own matcher does.
func TestPatternsMatchAsInTheStandardLibrary(t *testing.T) {
	part := rapid.SampledFrom([]string{"a", "b", "c", "a%2Fb", "%61", "%C3%A9", "x.y"})
	matched, all := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		pattern := "/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "é", "{x}", "{handle}"}), 0, 3).Draw(rt, "pattern"), "/")
		if rapid.Bool().Draw(rt, "rest") {
			pattern = strings.TrimSuffix(pattern, "/") + "/{rest...}"
		}
		if _, err := topology.ParsePath(pattern); err != nil || pattern == "/" { // {x} twice; net/http's / is every path
			rt.Skip()
		}
		path := "/" + strings.Join(rapid.SliceOfN(part, 0, 4).Draw(rt, "path"), "/")
		want, wantHandle := false, ""
		mux := http.NewServeMux()
		mux.HandleFunc(pattern, func(_ http.ResponseWriter, r *http.Request) { want, wantHandle = true, r.PathValue("handle") })
		mux.ServeHTTP(httptest.NewRecorder(), request("POST", path))
		w := preset(t, "nyc-lon-syd")
		w.Router = &topology.Router{Routes: []topology.Route{{Path: pattern, Class: topology.ClassRead}}}
		got := router.NewReader(table(t, w), 1, nil).Read(request("POST", path), now)
		var named router.Request
		named.Take(wantHandle, router.SourcePath)
		if (got.Route == 0) != want || got.ID != named.ID || got.Query.Home != named.Query.Home || got.Query.Unroutable != named.Query.Unroutable {
			rt.Fatalf("%s, %s: got %v, %+v, want %v, the record of %q: %+v", pattern, path, got.Route == 0, got, want, wantHandle, named)
		}
		all++
		if want {
			matched++
		}
	})
	t.Logf("%d of %d matched", matched, all)
}

func TestTheFirstPlaceWithAHandleCounts(t *testing.T) {
	ring := keys(t, key(t, "k", 1))
	sealed := router.SealCookie(ring, "NYC", now.Add(time.Hour))
	forged := router.SealCookie(keys(t, key(t, "k", 2)), "NYC", now.Add(time.Hour))
	syd := "SYD.01K4B4B2V8G3T0000000000000"
	for _, c := range []struct {
		name   string
		handle []topology.HandlePlace
		r      *http.Request
		want   router.Query
	}{
		{"path before cookie", nil, request("GET", "/v1/carts/"+handle, "Cookie", "geoshard_home="+sealed), router.Query{Home: "LON", Source: router.SourcePath}},
		{"header before query", nil, request("GET", "/x?handle="+handle, "X-Geoshard-Handle", syd), router.Query{Home: "SYD", Source: router.SourceHeader}},
		{"query", nil, request("GET", "/x?a=b&handle="+handle), router.Query{Home: "LON", Source: router.SourceQuery}},
		{"cookie", nil, request("GET", "/x", "Cookie", "a=b; geoshard_home="+sealed), router.Query{Home: "NYC", Source: router.SourceCookie}},
		{"cookie first where it is said so", []topology.HandlePlace{topology.HandleInCookie, topology.HandleInPath}, request("GET", "/v1/carts/"+handle, "Cookie", "geoshard_home="+sealed), router.Query{Home: "NYC", Source: router.SourceCookie}},
		{"a forged cookie is none", nil, request("GET", "/x", "Cookie", "geoshard_home="+forged), router.Query{}},
		{"a forged cookie beside the real one", nil, request("GET", "/x", "Cookie", "geoshard_home="+forged+"; geoshard_home="+sealed), router.Query{Home: "NYC", Source: router.SourceCookie}},
		{"a cookie of a home that is no more", nil, request("GET", "/x", "Cookie", "geoshard_home="+router.SealCookie(ring, "PAR", now.Add(time.Hour))), router.Query{}},
		{"a bare identifier leaves the home to the cookie", nil, request("GET", "/v1/carts/7", "Cookie", "geoshard_home="+sealed, "X-Geoshard-Handle", syd), router.Query{Home: "NYC", Source: router.SourceCookie}},
		{"two headers are none", nil, request("GET", "/x", "X-Geoshard-Handle", syd, "X-Geoshard-Handle", handle), router.Query{}},
		{"places that are not looked at", []topology.HandlePlace{topology.HandleInQuery}, request("GET", "/v1/carts/"+handle, "X-Geoshard-Handle", syd), router.Query{}},
	} {
		tab := routed(t, func(r *topology.Router) { r.Handle = c.handle })
		got := router.NewReader(tab, 1, ring).Read(c.r, now).Query
		c.want.Here, c.want.Class = 1, router.Read
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: want -, got +:\n%s", c.name, diff)
		}
	}
}

func TestOnlyATrustedPeerSaysWhereTheClientIs(t *testing.T) {
	country := routed(t, nil)
	place := routed(t, func(r *topology.Router) {
		r.Trust = topology.Trust{Proxies: []string{"192.0.2.0/24"}, Location: "X-Where"}
	})
	nobody := routed(t, func(r *topology.Router) { r.Trust = topology.Trust{} })
	for _, c := range []struct {
		name   string
		table  *router.Table
		peer   string
		header []string
		want   router.Query
	}{
		{"trusted", country, "10.1.2.3:44", []string{"CF-IPCountry", "AU"}, router.Query{Country: "AU"}},
		{"trusted over IPv6", country, "[fd00::7]:44", []string{"CF-IPCountry", "AU"}, router.Query{Country: "AU"}},
		{"trusted in IPv6's clothes", country, "[::ffff:10.1.2.3]:44", []string{"CF-IPCountry", "AU"}, router.Query{Country: "AU"}},
		{"not trusted", country, "192.0.2.1:44", []string{"CF-IPCountry", "AU"}, router.Query{}},
		{"not trusted, whatever it says of itself", country, "192.0.2.1:44", []string{"CF-IPCountry", "AU", "X-Forwarded-For", "10.1.2.3", "Forwarded", "for=10.1.2.3"}, router.Query{}},
		{"no address", country, "@", []string{"CF-IPCountry", "AU"}, router.Query{}},
		{"two values", country, "10.1.2.3:44", []string{"CF-IPCountry", "AU", "CF-IPCountry", "US"}, router.Query{}},
		{"another header", country, "10.1.2.3:44", []string{"X-Where", "1,2"}, router.Query{}},
		{"position", place, "192.0.2.1:44", []string{"X-Where", "37.77, -122.42"}, router.Query{Lat: 37.77, Long: -122.42, HasPlace: true}},
		{"position and country", place, "192.0.2.1:44", []string{"X-Where", "37.77,-122.42", "CF-IPCountry", "AU"}, router.Query{Lat: 37.77, Long: -122.42, HasPlace: true}},
		{"half a position", place, "192.0.2.1:44", []string{"X-Where", "37.77"}, router.Query{}},
		{"nobody by default", nobody, "127.0.0.1:44", []string{"CF-IPCountry", "AU", "X-Where", "1,2"}, router.Query{}},
	} {
		r := request("POST", "/v1/carts", c.header...)
		r.RemoteAddr = c.peer
		got := router.NewReader(c.table, 1, nil).Read(r, now).Query
		c.want.Here, c.want.Class = 1, router.New
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: want -, got +:\n%s", c.name, diff)
		}
	}
}

func TestTheCookieIsTheBrowsersOwn(t *testing.T) {
	ring := keys(t, key(t, "k", 1))
	c := router.NewReader(routed(t, nil), 1, ring).Cookie("LON", now)
	if c == nil || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Name != "geoshard_home" || c.MaxAge != 720*3600 || c.Path != "/" {
		t.Fatalf("got %+v", c)
	}
	if home, ok := router.OpenCookie(ring, c.Value, now.Add(719*time.Hour)); !ok || home != "LON" {
		t.Errorf("got %q, %v", home, ok)
	}
	plain := routed(t, func(r *topology.Router) {
		r.Cookie = topology.AffinityCookie{Name: "h", MaxAge: time.Hour, PlainHTTP: true}
	})
	if c := router.NewReader(plain, 1, ring).Cookie("LON", now); c == nil || c.Secure || c.Name != "h" || c.MaxAge != 3600 {
		t.Errorf("got %+v", c)
	}
	if c := router.NewReader(plain, 1, nil).Cookie("LON", now); c != nil {
		t.Errorf("without keys: got %+v", c)
	}
}

func TestARedirectKeepsPathAndQueryAndLeavesTheHostToTheTopology(t *testing.T) {
	tab := routed(t, nil)
	for target, want := range map[string]string{
		"/v1/carts/" + handle + "/items?a=b&c=%2F": "http://127.0.0.1:8082/v1/carts/" + handle + "/items?a=b&c=%2F&geoshard-hop=1",
		"/a%2Fb":                "http://127.0.0.1:8082/a%2Fb?geoshard-hop=1",
		"//evil.example/x":      "http://127.0.0.1:8082/evil.example/x?geoshard-hop=1",
		"/\\evil.example":       "http://127.0.0.1:8082/%5Cevil.example?geoshard-hop=1",
		"http://evil.example/x": "http://127.0.0.1:8082/x?geoshard-hop=1",
	} {
		r := httptest.NewRequest("GET", target, nil)
		if got := tab.RedirectURL(tab.DC("LON"), r.URL); got != want {
			t.Errorf("%s: got %s, want %s", target, got, want)
		}
	}
	if got := tab.RedirectURL(router.NoDC, request("GET", "/").URL); got != "" {
		t.Errorf("nowhere: got %s", got)
	}
}
