package topology_test

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/topology"
)

// drawRouter draws a router section, or none: also where the world's homes are no strings.
func drawRouter(t *rapid.T, w *topology.Topology) *topology.Router {
	routable := slices.DeleteFunc(slices.Clone(w.Namespaces), func(ns topology.Namespace) bool { return !textual(ns) })
	if len(routable) == 0 || rapid.Bool().Draw(t, "unrouted") {
		return nil
	}
	r := &topology.Router{Namespace: rapid.SampledFrom(routable).Draw(t, "routed").Name}
	if rapid.Bool().Draw(t, "places") {
		r.Handle = rapid.SliceOfNDistinct(rapid.SampledFrom(topology.DefaultHandle()), 1, 4, rapid.ID).Draw(t, "handle")
	}
	if rapid.Bool().Draw(t, "default") {
		r.Default = w.Datacenters[0].ID // active in every world that is drawn
	}
	upstreams := rapid.Bool().Draw(t, "upstreams")
	for i, dc := range w.Datacenters {
		if upstreams && dc.Role != topology.RoleVoter {
			r.Upstreams = append(r.Upstreams, topology.Upstream{DC: dc.ID, URLs: []string{fmt.Sprintf("http://app.example:%d", 9000+i), fmt.Sprintf("https://b.example:%d/x", i+1)}})
		}
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "routes") {
		path := fmt.Sprintf("/v%d%s", i, rapid.SampledFrom([]string{"", "/", "/{handle}", "/{home}/{handle}/x", "/{rest...}", "/1e3", "/é"}).Draw(t, "path"))
		route := topology.Route{Path: path, Class: topology.RouteClass(rapid.IntRange(1, 3).Draw(t, "class")), Mode: topology.RouteMode(rapid.IntRange(0, 1).Draw(t, "mode"))}
		if rapid.Bool().Draw(t, "some") {
			route.Methods = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"GET", "POST", "NO", "Y", "1E3"}), 1, 3, rapid.ID).Draw(t, "methods")
		}
		r.Routes = append(r.Routes, route)
	}
	r.Cookie = topology.AffinityCookie{Name: rapid.SampledFrom([]string{"", "home", "1e3", "no"}).Draw(t, "cookie"), PlainHTTP: rapid.Bool().Draw(t, "plain")}
	r.Cookie.MaxAge = time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "age"))
	if rapid.Bool().Draw(t, "trust") {
		r.Trust = topology.Trust{Proxies: []string{"10.0.0.0/8", "::1/128"}, Location: rapid.SampledFrom([]string{"X-Where", "1e3"}).Draw(t, "header")}
	}
	r.Budget = time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "budget"))
	r.Queue = rapid.IntRange(0, 1e6).Draw(t, "queue")
	return r
}

// textual reports whether all values of a namespace's ranges are strings.
func textual(ns topology.Namespace) bool {
	return !slices.ContainsFunc(ns.Ranges, func(r topology.Range) bool {
		for _, b := range []*topology.Value{r.From, r.To} {
			if b != nil && b.Kind() != topology.KindString {
				return true
			}
		}
		return slices.ContainsFunc(r.Values, func(v topology.Value) bool { return v.Kind() != topology.KindString })
	})
}
