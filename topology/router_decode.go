package topology

import (
	"strconv"
	"strings"
	"time"
)

func readRouter(v value) *Router {
	r := &Router{}
	v.object(
		field{"namespace", false, func(v value) { r.Namespace = v.text("a namespace") }},
		field{"handle", false, func(v value) { r.Handle = readHandlePlaces(v) }},
		field{"default", false, func(v value) { r.Default = DatacenterID(v.text("a datacenter")) }},
		field{"upstreams", false, func(v value) {
			v.entries("a mapping of datacenters to base URLs", func(id string, v value) {
				r.Upstreams = append(r.Upstreams, Upstream{DC: DatacenterID(id), URLs: texts[string](v, "base URLs", "a URL such as http://127.0.0.1:9081")})
			})
		}},
		field{"routes", false, func(v value) {
			v.items("routes", func(v value) { r.Routes = append(r.Routes, readRoute(v)) })
		}},
		field{"cookie", false, func(v value) { readCookie(v, &r.Cookie) }},
		field{"trust", false, func(v value) { readTrust(v, &r.Trust) }},
		field{"budget", false, func(v value) { r.Budget = positive(v, v.duration(), "no request is held in no time") }},
		field{"queue", false, func(v value) {
			r.Queue = int(positive(v, v.integer("a number of requests"), "a queue without a place holds nobody"))
		}},
	)
	return r
}

// filled reports an empty list, which would be taken for the default.
func (v value) filled(empty bool, msg, suggestion string) {
	if empty && !v.d.flaws[v.path] {
		v.report(msg, suggestion)
	}
}

// positive reports a number of 0 or less, which would be taken for the default.
func positive[N int64 | time.Duration](v value, n N, why string) N {
	if n <= 0 && !v.d.flaws[v.path] {
		v.report("want more than 0: "+why, "")
	}
	return n
}

func readHandlePlaces(v value) []HandlePlace {
	var places []HandlePlace
	v.items("places", func(v value) {
		var p HandlePlace
		v.enum(&p, handleNames)
		places = append(places, p)
	})
	v.filled(places == nil, "no request could name its record", "leave out handle for all places")
	return places
}

func readRoute(v value) Route {
	var r Route
	v.object(
		field{"path", true, func(v value) { r.Path = v.text("a path such as /v1/carts/{handle}") }},
		field{"methods", false, func(v value) {
			r.Methods = texts[string](v, "methods", "a method such as POST")
			v.filled(r.Methods == nil, "no method matches", "leave out methods for all")
		}},
		field{"class", true, func(v value) { v.enum(&r.Class, classNames) }},
		field{"mode", false, func(v value) { v.enum(&r.Mode, routeModeNames) }},
	)
	return r
}

func readCookie(v value, c *AffinityCookie) {
	v.object(
		field{"name", false, func(v value) { c.Name = v.text("a name such as " + DefaultCookieName) }},
		field{"maxAge", false, func(v value) { c.MaxAge = positive(v, v.duration(), "such a cookie has expired when it is set") }},
		field{"secure", false, func(v value) { c.PlainHTTP = !v.boolean() }},
	)
}

func readTrust(v value, t *Trust) {
	v.object(
		field{"proxies", false, func(v value) { t.Proxies = texts[string](v, "networks", "a network such as 10.0.0.0/8") }},
		field{"country", false, func(v value) { t.Country = v.text("a header such as CF-IPCountry") }},
		field{"location", false, func(v value) { t.Location = v.text("a header such as X-Client-Geo-Location") }},
	)
}

// block writes the router section, in the layout of namespaces.
func (r *Router) block() string {
	lines := []string{"router:"}
	add := func(key, text string) {
		if text != "" {
			lines = append(lines, key+": "+text)
		}
	}
	add("namespace", stated(r.Namespace, word))
	add("handle", list(r.Handle, HandlePlace.String))
	add("default", stated(r.Default, word))
	if len(r.Upstreams) > 0 {
		lines = append(lines, "upstreams:")
	}
	for _, u := range r.Upstreams {
		lines = append(lines, "  "+word(u.DC)+": "+list(u.URLs, strconv.Quote))
	}
	if len(r.Routes) > 0 {
		lines = append(lines, "routes:")
	}
	for _, route := range r.Routes {
		lines = append(lines, "  - "+route.flow())
	}
	c := r.Cookie
	secure := ""
	if c.PlainHTTP {
		secure = "false"
	}
	if c != (AffinityCookie{}) {
		add("cookie", flow("name", stated(c.Name, word), "maxAge", stated(c.MaxAge, time.Duration.String), "secure", secure))
	}
	if t := r.Trust; len(t.Proxies) > 0 || t.Country != "" || t.Location != "" {
		add("trust", flow("proxies", list(t.Proxies, strconv.Quote), "country", stated(t.Country, word), "location", stated(t.Location, word)))
	}
	add("budget", stated(r.Budget, time.Duration.String))
	add("queue", stated(r.Queue, strconv.Itoa))
	if len(lines) == 1 {
		return "router: {}\n"
	}
	return strings.Join(lines, "\n  ") + "\n"
}

func (r Route) flow() string {
	return flow("path", strconv.Quote(r.Path), "methods", words(r.Methods), "class", r.Class.String(), "mode", stated(r.Mode, RouteMode.String))
}
