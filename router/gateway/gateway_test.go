package gateway_test

import (
	"net/http"
	"testing"
)

// Writes go to the owner, reads stay, new records go to the nearest: S2.27.
func TestEachRequestGoesWhereItBelongs(t *testing.T) {
	s := newRoutedApps(t, "")
	for _, c := range []struct {
		method, path string
		headers      []string
		want         string
	}{
		{http.MethodGet, "/v1/carts/LON." + id, nil, "NYC"},
		{http.MethodPost, "/v1/carts/LON." + id + "/items", nil, "LON"},
		{http.MethodPost, "/v1/carts/SYD." + id + "/items?x=1", nil, "SYD"},
		{http.MethodPost, "/v1/carts/NYC." + id + "/items", nil, "NYC"},
		{http.MethodPost, "/v1/carts/SYD." + id + "/quote", nil, "NYC"}, // a POST that reads
		{http.MethodGet, "/v1/carts/SYD." + id + "/visit", nil, "SYD"},  // a GET that writes
		{http.MethodPost, "/v1/carts", nil, "NYC"},
		{http.MethodPost, "/v1/carts", []string{"X-Geoshard-Place", "SYD"}, "SYD"},
		{http.MethodPost, "/elsewhere", []string{"X-Geoshard-Handle", "LON." + id}, "LON"},
		{http.MethodPost, "/elsewhere?handle=SYD." + id, nil, "SYD"},
		{http.MethodGet, "/v1/catalogue", nil, "NYC"},
	} {
		a := s.ask(c.method, c.path, "", c.headers...)
		if got := a.Header.Get("X-Served-By"); a.StatusCode != http.StatusOK || got != c.want {
			t.Errorf("%s %s: got %s by %q, want 200 by %s: %s", c.method, c.path, a.Status, got, c.want, a.text)
		}
		if want := c.want + " " + c.method + " " + c.path + " "; a.text != want {
			t.Errorf("%s %s: the application was asked %q, want %q", c.method, c.path, a.text, want)
		}
	}
}
