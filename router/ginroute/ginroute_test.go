package ginroute_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/router/ginroute"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

const id = "01K4B4B2V8G3T0000000000000"

var now = time.Unix(1_790_000_000, 0)

func table(t testing.TB, preset string, edit func(*topology.Topology)) *router.Table {
	t.Helper()
	src, err := configs.Read(preset)
	if err != nil {
		t.Fatal(err)
	}
	w, err := topology.Parse(preset, src)
	if err != nil {
		t.Fatal(err)
	}
	w.Router = &topology.Router{Routes: []topology.Route{{Path: "/v1/carts", Methods: []string{"POST"}, Class: topology.ClassNew}}}
	if edit != nil {
		edit(w)
	}
	made, err := router.NewTable(w)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func keys(t testing.TB) *signing.Keyring {
	t.Helper()
	k, err := signing.NewKey("k", bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := signing.NewKeyring(k)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// app is the application in one datacenter: its handlers answer with what the middleware decided.
func app(t testing.TB, o ginroute.Options) http.Handler {
	t.Helper()
	gin.SetMode(gin.TestMode)
	o.Now = func() time.Time { return now }
	route, err := ginroute.New(o)
	if err != nil {
		t.Fatal(err)
	}
	e := gin.New()
	if err := e.SetTrustedProxies(nil); err != nil {
		t.Fatal(err)
	}
	e.Use(route)
	tell := func(c *gin.Context) {
		r := ginroute.From(c)
		c.String(http.StatusOK, "%s home=%s id=%s %s %s", r.Served, r.Home, r.ID, r.Mode, r.Reason)
	}
	e.POST("/v1/carts", tell)
	e.GET("/v1/carts/:handle", tell)
	e.PUT("/v1/carts/:handle/items", tell)
	e.GET("/v1/homes/:home", tell)
	e.POST("/login", tell)
	return e
}

func ask(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// said is the answer: what the handler told, or where it was redirected.
func said(w *httptest.ResponseRecorder) string {
	if to := w.Header().Get("Location"); to != "" {
		return http.StatusText(w.Code) + " " + to
	}
	if w.Code != http.StatusOK {
		return http.StatusText(w.Code)
	}
	return w.Body.String()
}

func TestRequestsAreServedOrRedirected(t *testing.T) {
	tab := table(t, "nyc-lon-syd", nil)
	h := app(t, ginroute.Options{Table: tab, Here: "NYC", Keys: keys(t)})
	sealed := router.SealCookie(keys(t), "LON", now.Add(time.Hour))
	for _, c := range []struct{ name, line, header, value, want string }{
		{"a new record is made here", "POST /v1/carts", "", "", "NYC home=NYC id= local rtt"},
		{"a new record where the client chose", "POST /v1/carts", "X-Geoshard-Place", "SYD", "Temporary Redirect http://127.0.0.1:8083/v1/carts?geoshard-hop=1"},
		{"a read stays", "GET /v1/carts/LON." + id, "", "", "NYC home=LON id=" + id + " local read"},
		{"a write goes to its owner", "PUT /v1/carts/LON." + id + "/items?a=b", "", "", "Temporary Redirect http://127.0.0.1:8082/v1/carts/LON." + id + "/items?a=b&geoshard-hop=1"},
		{"a write that was redirected is served", "PUT /v1/carts/LON." + id + "/items?geoshard-hop=1", "", "", "NYC home=LON id=" + id + " local owner"},
		{"an own write stays", "PUT /v1/carts/NYC." + id + "/items", "", "", "NYC home=NYC id=" + id + " local owner"},
		{"a home in gin's path", "GET /v1/homes/SYD", "", "", "NYC home=SYD id= local read"},
		{"a cookie", "POST /login", "Cookie", "geoshard_home=" + sealed, "Temporary Redirect http://127.0.0.1:8082/login?geoshard-hop=1"},
		{"a forged cookie", "POST /login", "Cookie", "geoshard_home=" + sealed[:len(sealed)-1] + "_", "NYC home=NYC id= local rtt"},
		{"an unknown home", "PUT /v1/carts/PAR." + id + "/items", "", "", "Not Found"},
		{"an ObjectID", "PUT /v1/carts/LON.507f1f77bcf86cd799439011/items", "", "", "Temporary Redirect http://127.0.0.1:8082/v1/carts/LON.507f1f77bcf86cd799439011/items?geoshard-hop=1"},
		{"a UUID", "GET /v1/carts/LON.0190163d-8694-739b-aea5-966c26f8ad91", "", "", "NYC home=LON id=0190163d-8694-739b-aea5-966c26f8ad91 local read"},
		{"small letters", "PUT /v1/carts/NYC." + strings.ToLower(id) + "/items", "", "", "NYC home=NYC id=" + strings.ToLower(id) + " local owner"},
		{"what is no handle", "GET /v1/carts/LON.a$b", "", "", "Bad Request"},
		{"no handle, beside a cookie", "PUT /v1/carts/LON.a$b/items", "Cookie", "geoshard_home=" + sealed, "Bad Request"},
		{"no handle, in a header", "POST /login", "X-Geoshard-Handle", "LON.", "Bad Request"},
		{"a bare identifier is read without a directory", "GET /v1/carts/" + id, "", "", "NYC home= id=" + id + " local read"},
		{"a bare identifier is not written without a directory", "PUT /v1/carts/" + id + "/items", "", "", "Not Found"},
		{"a bare identifier with a cookie", "PUT /v1/carts/" + id + "/items", "Cookie", "geoshard_home=" + sealed, "Temporary Redirect http://127.0.0.1:8082/v1/carts/" + id + "/items?geoshard-hop=1"},
		{"a country that nobody trusted says", "POST /v1/carts", "CF-IPCountry", "AU", "NYC home=NYC id= local rtt"},
	} {
		method, target, _ := strings.Cut(c.line, " ")
		if got := said(ask(h, method, target, c.header, c.value)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// A user in San Francisco makes a cart in the West, travels east, and is still sent to the West.
func TestATravellersCartStays(t *testing.T) {
	tab := table(t, "us-east-west", func(w *topology.Topology) {
		w.Router.Trust = topology.Trust{Proxies: []string{"192.0.2.0/24"}, Location: "X-Where"} // the address of httptest's requests
	})
	east, west := app(t, ginroute.Options{Table: tab, Here: "East", Keys: keys(t)}), app(t, ginroute.Options{Table: tab, Here: "West", Keys: keys(t)})
	const sanFrancisco, boston = "37.77,-122.42", "42.36,-71.06"

	if got, want := said(ask(east, "POST", "/v1/carts", "X-Where", sanFrancisco)), "Temporary Redirect http://127.0.0.1:8082/v1/carts?geoshard-hop=1"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	made := ask(west, "POST", "/v1/carts", "X-Where", sanFrancisco)
	if got, want := said(made), "West home=West id= local distance"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	cookie := made.Result().Cookies()[0]
	if got, want := said(ask(east, "PUT", "/v1/carts/West."+id+"/items", "X-Where", boston)), "Temporary Redirect http://127.0.0.1:8082/v1/carts/West."+id+"/items?geoshard-hop=1"; got != want {
		t.Errorf("by the handle: got %q, want %q", got, want)
	}
	if got, want := said(ask(east, "POST", "/login", "X-Where", boston, "Cookie", cookie.String())), "Temporary Redirect http://127.0.0.1:8082/login?geoshard-hop=1"; got != want {
		t.Errorf("by the cookie: got %q, want %q", got, want)
	}
	if got, want := said(ask(east, "POST", "/v1/carts", "X-Where", boston, "Cookie", cookie.String())), "East home=East id= local distance"; got != want {
		t.Errorf("another new cart: got %q, want %q", got, want)
	}
}

// Two processes that disagree do not send a client to and fro, and a new record gets a home where it is made.
func TestAClientIsRedirectedOnce(t *testing.T) {
	tab := table(t, "nyc-lon-syd", nil)
	sick := func(dc topology.DatacenterID) func() *router.Health {
		return func() *router.Health { return &router.Health{Down: router.DCSet(0).With(tab.DC(dc))} }
	}
	nyc, lon := app(t, ginroute.Options{Table: tab, Here: "NYC", Health: sick("NYC")}), app(t, ginroute.Options{Table: tab, Here: "LON", Health: sick("LON")})
	first := ask(nyc, "POST", "/v1/carts")
	target, found := strings.CutPrefix(first.Header().Get("Location"), "http://127.0.0.1:8082")
	if !found {
		t.Fatalf("got %s", said(first))
	}
	if got, want := said(ask(lon, "POST", target)), "LON home=LON id= local rtt"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestADirectoryFindsBareIdentifiers(t *testing.T) {
	down := errors.New("down")
	h := app(t, ginroute.Options{Table: table(t, "nyc-lon-syd", nil), Here: "NYC", Directory: router.DirectoryFunc(func(_ context.Context, id string) (string, error) {
		switch id {
		case "known":
			return "SYD", nil
		case "down":
			return "", down
		}
		return "", router.ErrNoSuchRecord
	})})
	for bare, want := range map[string]string{
		"known": "Temporary Redirect http://127.0.0.1:8083/v1/carts/known/items?geoshard-hop=1",
		"new":   "NYC home= id=new local read",
		"down":  "Service Unavailable",
	} {
		if got := said(ask(h, "PUT", "/v1/carts/"+bare+"/items")); got != want {
			t.Errorf("%s: got %q, want %q", bare, got, want)
		}
	}
	w := ask(h, "PUT", "/v1/carts/down/items")
	var body struct {
		Type, Title string
		Status      int
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Type != "about:blank" || body.Status != 503 || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("got %v, %+v, %v", err, body, w.Header())
	}
}

func TestTheDecisionIsToldOnDemand(t *testing.T) {
	h := app(t, ginroute.Options{Table: table(t, "nyc-lon-syd", nil), Here: "NYC"})
	w := ask(h, "PUT", "/v1/carts/LON."+id+"/items", "X-Geoshard-Explain", "1")
	for name, want := range map[string]string{"X-Geoshard-Datacenter": "LON", "X-Geoshard-Owner": "LON", "X-Geoshard-Mode": "forward", "X-Geoshard-Reason": "owner"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := ask(h, "PUT", "/v1/carts/LON."+id+"/items").Header().Get("X-Geoshard-Mode"); got != "" {
		t.Errorf("not asked for: got %q", got)
	}
}

// While a shard has no primary the handler runs, and the driver waits; without an endpoint the request is served across.
func TestWhatCannotBeRedirectedIsServed(t *testing.T) {
	tab := table(t, "nyc-lon-syd", func(w *topology.Topology) { w.Datacenters[2].Endpoint = "" })
	h := app(t, ginroute.Options{Table: tab, Here: "NYC", Health: func() *router.Health {
		return &router.Health{Primaries: []router.DC{router.NoDC, router.Electing, router.NoDC}}
	}})
	for target, want := range map[string]string{
		"/v1/carts/LON." + id + "/items": "NYC home=LON id=" + id + " wait election",
		"/v1/carts/SYD." + id + "/items": "NYC home=SYD id=" + id + " forward owner",
	} {
		if got := said(ask(h, "PUT", target)); got != want {
			t.Errorf("%s: got %q, want %q", target, got, want)
		}
	}
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	tab := table(t, "us-east-west", nil)
	for name, o := range map[string]ginroute.Options{"nothing": {}, "no place": {Table: tab}, "elsewhere": {Table: tab, Here: "NYC"}, "a voter": {Table: tab, Here: "Central"}} {
		if _, err := ginroute.New(o); !errors.Is(err, ginroute.ErrIncomplete) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
