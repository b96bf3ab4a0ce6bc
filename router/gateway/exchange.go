package gateway

import (
	"net/http"
	"net/http/httputil"
	"sync"
	"time"

	"github.com/geoshard/geoshard/router"
)

// An exchange is one request and its answer: what is known of the request, and the parts that send it, hold it and write the answer. Exchanges
// are used again: a request allocates no proxy and no closure.
type exchange struct {
	g     *Gateway
	at    *wiring
	in    *http.Request
	began time.Time
	proxy httputil.ReverseProxy

	request  router.Request
	decision router.Decision
	record   naming
	// sure: a copy nearby did not have the record, so its owner is asked.
	sure    bool
	lookups int
	explain bool

	body sendable
	// repeat: the request may be sent again although it may have been done.
	repeat bool
	try    try // the last one
	tries  int
	spent  time.Duration // waiting for upstreams
	// deadline is when no new try is begun any more, heldSince when the request began to wait for one; zero where it does not.
	deadline, heldSince time.Time
	answer              writer
}

var exchanges = sync.Pool{New: func() any {
	x := &exchange{}
	x.proxy = httputil.ReverseProxy{Transport: (*retrier)(x), Rewrite: x.rewrite, ModifyResponse: x.answered, ErrorHandler: x.failed, BufferPool: buffers, ErrorLog: discard}
	return x
}}

// ServeHTTP passes a request on to the datacenter that serves it.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchanges.Get().(*exchange)
	x.g, x.at, x.in, x.began = g, g.wiring.Load(), r, g.o.Now()
	x.answer = writer{ResponseWriter: w, in: r, body: &x.body, stall: g.o.Stall}
	defer x.end() // also when the proxy breaks off an answer by a panic
	switch p := x.prepare(); {
	case p != nil:
		x.refuse(p)
	case x.decision.Mode == router.Redirect:
		x.redirect()
	default:
		x.proxy.ServeHTTP(&x.answer, x.in)
	}
}

// end gives back what the request holds.
func (x *exchange) end() {
	x.try.end()
	x.release()
	x.g.kept.give(int64(len(x.body.kept)))
	x.g.metrics.ended(x)
	x.g.underWay.Add(-1)
	*x = exchange{proxy: x.proxy}
	exchanges.Put(x)
}

// prepare decides where the request goes, and takes its body unless it goes elsewhere by itself.
func (x *exchange) prepare() *problem {
	if x.g.underWay.Add(1) > int64(x.g.o.Requests) {
		return problemBusy
	}
	if p := x.admit(); p != nil {
		return p
	}
	if p := x.locate(); p != nil {
		return p
	}
	x.decide()
	switch {
	case x.decision.Mode == router.Redirect:
		return nil
	case x.decision.Mode == router.Refuse:
		return problemOf(x.decision.Reason)
	}
	return x.takeBody()
}

// decide asks the table anew, with what is known now.
func (x *exchange) decide() {
	query := x.request.Query
	if x.sure {
		query.Class = router.Write // goes where the record is written
	}
	if x.tries > 0 || router.Hopped(x.in.URL.RawQuery) {
		query.Redirect = false // it has been begun here, or a gateway that knows better, or thinks so, has sent it here
	}
	x.decision = x.at.table.Decide(&query, x.g.health.now.Load())
}

// takeBody keeps a short body of a request that may be sent again, and streams any other.
func (x *exchange) takeBody() *problem {
	g := x.g
	keys := x.in.Header["Idempotency-Key"] // by which the application recognises the request
	x.repeat = x.request.Query.Class == router.Read || len(keys) == 1 && keys[0] != ""
	x.deadline = x.began.Add(x.at.settings.Budget)
	if x.in.Body == nil || x.in.Body == http.NoBody || x.in.ContentLength == 0 {
		return nil
	}
	size := x.in.ContentLength
	if g.o.BodyLimit >= 0 && size > g.o.BodyLimit {
		return problemTooLarge
	}
	x.body.client = &clientBody{from: x.in.Body, conn: http.NewResponseController(x.answer.ResponseWriter), left: g.o.BodyLimit, stall: g.o.Stall}
	most := g.o.ReplayLimit
	tooLong := size > most
	if size > 0 {
		most = size
	}
	if tooLong || !x.repeat && x.request.ID == "" || !g.kept.take(most) {
		x.body.streamed = true
		return nil
	}
	err := x.body.keep(size, most)
	g.kept.give(most - int64(len(x.body.kept)))
	return bodyProblem(err)
}
