package gateway

import (
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"

	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/topology"
)

// pseudonym is how the gateways of a datacenter call themselves in Via.
func pseudonym(dc topology.DatacenterID) string { return "geoshard-" + string(dc) }

// mostHops is how many gateways a request may pass. One is usual.
const mostHops = 4

// looped reports whether a request has been at a gateway of this datacenter already, or at too many of them.
func (w *wiring) looped(h http.Header) bool {
	hops := 0
	for _, line := range h["Via"] {
		for hop := range strings.SplitSeq(line, ",") {
			_, by, _ := strings.Cut(strings.TrimSpace(hop), " ") // protocol, name, perhaps a comment
			by, _, _ = strings.Cut(by, " ")
			if by == w.via {
				return true
			}
			if strings.HasPrefix(by, "geoshard-") {
				hops++
			}
		}
	}
	return hops >= mostHops
}

// rewrite is the proxy's: hop-by-hop headers are gone from Out, and so are those by which clients would speak of themselves.
func (x *exchange) rewrite(p *httputil.ProxyRequest) {
	trusted := x.at.trusts(p.In.RemoteAddr)
	for name := range p.Out.Header {
		if !trusted && x.at.hearsay(name) || strings.HasPrefix(name, "Proxy-") {
			delete(p.Out.Header, name)
		}
	}
	if trusted {
		for _, name := range []string{"Forwarded", "X-Forwarded-For"} {
			if values := p.In.Header[name]; values != nil {
				p.Out.Header[name] = values
			}
		}
	}
	p.SetXForwarded()
	if trusted {
		for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto"} {
			if values := p.In.Header[name]; values != nil {
				p.Out.Header[name] = values
			}
		}
	}
	p.Out.URL.RawQuery = router.WithoutHop(p.Out.URL.RawQuery)
	p.Out.Header["Via"] = append(p.Out.Header["Via"], protocol(p.In)+" "+x.at.via)
	x.g.inject(p)
}

// hearsay reports whether a header says of a client what only a trusted proxy may say.
func (w *wiring) hearsay(name string) bool {
	return strings.HasPrefix(name, "X-Forwarded-") || name == "X-Real-Ip" || name == w.geo && w.geo != ""
}

func protocol(r *http.Request) string {
	if r.ProtoMajor == 2 {
		return "2.0"
	}
	return "1.1"
}

// answered is the proxy's: an answer is about to go to the client.
func (x *exchange) answered(res *http.Response) error {
	if res.StatusCode == http.StatusSwitchingProtocols {
		x.hold.end(&x.g.queue)
		return nil
	}
	x.record.tell(res.Header)
	x.stick(res)
	if x.explain {
		x.explainTo(res.Header)
	}
	x.hold.end(&x.g.queue)
	return nil
}

// explainTo tells of the decision.
func (x *exchange) explainTo(h http.Header) {
	table, d := x.at.table, x.decision
	h.Set(router.HeaderDatacenter, string(table.Datacenter(d.To)))
	h.Set(router.HeaderOwner, string(table.Datacenter(d.Owner)))
	h.Set(router.HeaderMode, d.Mode.String())
	h.Set(router.HeaderReason, d.Reason.String())
	total := x.g.o.Now().Sub(x.began)
	text := append(make([]byte, 0, 96), "geoshard;dur="...)
	text = strconv.AppendFloat(text, total.Seconds()*1000, 'f', 1, 64)
	text = append(text, ", upstream;dur="...)
	text = strconv.AppendFloat(text, x.spent.Seconds()*1000, 'f', 1, 64)
	text = append(text, ", tries;desc="...)
	text = strconv.AppendInt(text, int64(x.tries), 10)
	h.Add("Server-Timing", string(text))
}

// stick gives the client the affinity cookie when a record was made, or was found at another home.
func (x *exchange) stick(res *http.Response) {
	keys := x.g.keys.Load()
	if keys == nil || res.StatusCode >= 300 {
		return
	}
	home := ""
	switch {
	case x.record.moved:
		home = x.request.Query.Home
	case x.request.Query.Class == router.New && res.StatusCode >= 200:
		home = madeIn(res.Header)
		if home == "" {
			home = x.at.table.NewHome(x.decision.To)
		}
	}
	c := x.at.settings.Cookie
	if value := router.SealCookie(keys, home, x.g.o.Now().Add(c.MaxAge)); value != "" {
		cookie := http.Cookie{Name: c.Name, Value: value, Path: "/", MaxAge: int(c.MaxAge.Seconds()), HttpOnly: true, Secure: !c.PlainHTTP, SameSite: http.SameSiteLaxMode}
		res.Header.Add("Set-Cookie", cookie.String())
	}
}

// madeIn is the home of a record that was just made, where the application tells its address.
func madeIn(h http.Header) string {
	location := h.Get("Location")
	home, _, _ := router.ParseHandle(location[strings.LastIndexByte(location, '/')+1:])
	return home
}
