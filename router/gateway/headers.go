package gateway

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httputil"
	"strings"

	"go.opentelemetry.io/otel/propagation"

	"github.com/geoshard/geoshard/router"
)

// pseudonym and the name of their datacenter is how gateways call themselves in Via.
const pseudonym = "geoshard-"

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
			if strings.HasPrefix(by, pseudonym) {
				hops++
			}
		}
	}
	return hops >= mostHops
}

// rewrite is the proxy's: hop-by-hop headers are gone from Out, and so are those by which clients would speak of themselves.
func (x *exchange) rewrite(p *httputil.ProxyRequest) {
	trusted := x.at.table.Trusts(p.In.RemoteAddr)
	keep := func(names ...string) { // what a trusted proxy says of the client
		for _, name := range names {
			if values := p.In.Header[name]; trusted && values != nil {
				p.Out.Header[name] = values
			}
		}
	}
	for name := range p.Out.Header {
		if !trusted && x.at.hearsay(name) || strings.HasPrefix(name, "Proxy-") {
			delete(p.Out.Header, name)
		}
	}
	keep("Forwarded", "X-Forwarded-For")
	p.SetXForwarded()
	keep("X-Forwarded-Host", "X-Forwarded-Proto")
	p.Out.URL.RawQuery = router.WithoutHop(p.Out.URL.RawQuery)
	protocol := "1.1 "
	if p.In.ProtoMajor == 2 {
		protocol = "2.0 "
	}
	p.Out.Header["Via"] = append(p.Out.Header["Via"], protocol+x.at.via)
	if x.g.o.Traces != nil { // else the gateway passes on what came
		propagator.Inject(p.In.Context(), propagation.HeaderCarrier(p.Out.Header))
	}
}

// propagator writes the headers of W3C Trace Context.
var propagator = propagation.TraceContext{}

// hearsay reports whether a header says of a client what only a trusted proxy may say.
func (w *wiring) hearsay(name string) bool {
	trust := w.settings.Trust
	return strings.HasPrefix(name, "X-Forwarded-") || name == "X-Real-Ip" || name == trust.Country || name == trust.Location
}

// answered is the proxy's: an answer is about to go to the client.
func (x *exchange) answered(res *http.Response) error {
	defer x.release()
	if res.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	x.record.tell(res.Header)
	x.stick(res)
	x.explainTo(res.Header)
	return nil
}

// explainTo tells of the decision, if that is asked for.
func (x *exchange) explainTo(h http.Header) {
	if !x.explain {
		return
	}
	x.at.table.Tell(h, x.decision)
	total := x.g.o.Now().Sub(x.began)
	h.Add("Server-Timing", fmt.Sprintf("geoshard;dur=%.1f, upstream;dur=%.1f, tries;desc=%d", total.Seconds()*1000, x.spent.Seconds()*1000, x.tries))
}

// stick gives the client the affinity cookie when a record was made, or was found at another home.
func (x *exchange) stick(res *http.Response) {
	if res.StatusCode >= 300 {
		return
	}
	home := ""
	switch {
	case x.record.handle != "":
		home = x.request.Query.Home
	case x.request.Query.Class == router.New && res.StatusCode >= 200:
		home = cmp.Or(madeIn(x.at.table, res.Header), x.at.table.NewHome(x.decision.To))
	}
	if cookie := x.at.table.Cookie(x.g.wiring.Load().keys, home, x.g.o.Now()); cookie != nil {
		res.Header.Add("Set-Cookie", cookie.String())
	}
}

// madeIn is the home of a record that was just made, where the application tells its address.
func madeIn(t *router.Table, h http.Header) string {
	location := h.Get("Location")
	home, _, _ := router.ParseHandle(location[strings.LastIndexByte(location, '/')+1:])
	if _, owned := t.Owner(home); !owned { // an address of another kind, such as cart.html
		return ""
	}
	return home
}
