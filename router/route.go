package router

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/geoshard/geoshard/topology"
)

// A route is a declared route, ready to match.
type route struct {
	segments []topology.Segment
	declared topology.Route
	class    Class
	redirect bool
}

// requests keeps what reading and sending requests needs. The world is valid, so nothing here can fail.
func (t *Table) requests(w *topology.Topology) {
	for _, network := range t.settings.Trust.Proxies {
		prefix, err := netip.ParsePrefix(network)
		if err != nil {
			panic(err)
		}
		t.trusted = append(t.trusted, prefix)
	}
	t.upstreams = make([][]string, len(t.ids))
	for _, u := range t.settings.Upstreams {
		t.upstreams[t.DC(u.DC)] = u.URLs
	}
	for _, r := range t.settings.Routes {
		segments, err := topology.ParsePath(r.Path)
		if err != nil {
			panic(err)
		}
		t.routes = append(t.routes, route{segments: segments, declared: r, class: r.Class, redirect: r.Mode == topology.RouteRedirect})
	}
}

// match matches an escaped path, segment by segment, and returns the values of {handle} and {home}, unescaped. They mean nothing where it does not match.
func (r *route) match(path string) (handle, home string, ok bool) {
	rest, begins := strings.CutPrefix(path, "/")
	more := true // a segment is left
	for i := range r.segments {
		s := &r.segments[i]
		if s.Rest {
			return handle, home, begins && more
		}
		if !begins || !more {
			return "", "", false
		}
		var part string
		part, rest, more = strings.Cut(rest, "/")
		if strings.IndexByte(part, '%') >= 0 {
			var err error
			if part, err = url.PathUnescape(part); err != nil {
				return "", "", false
			}
		}
		switch {
		case s.Wild && part == "" || !s.Wild && part != s.Text:
			return "", "", false
		case s.Wild && s.Text == topology.WildHandle:
			handle = part
		case s.Wild && s.Text == topology.WildHome:
			home = part
		}
	}
	return handle, home, begins && !more
}
