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
	hold   hold
	answer writer
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
	x.serve()
}

// end gives back what the request holds.
func (x *exchange) end() {
	x.try.end()
	x.hold.end(&x.g.queue)
	if n := int64(len(x.body.kept)); n > 0 {
		x.g.queue.release(n)
	}
	x.g.metrics.ended(x.at, tally{status: x.answer.status, decision: x.decision, class: x.request.Query.Class, tries: x.tries})
	x.g.underWay.Add(-1)
	proxy := x.proxy
	*x = exchange{proxy: proxy}
	exchanges.Put(x)
}

func (x *exchange) serve() {
	if x.g.underWay.Add(1) > int64(x.g.o.Requests) {
		x.refuse(problemBusy)
		return
	}
	if p := x.admit(); p != nil {
		x.refuse(*p)
		return
	}
	if p := x.locate(); p != nil {
		x.refuse(*p)
		return
	}
	x.decide()
	switch x.decision.Mode {
	case router.Redirect:
		x.redirect()
		return
	case router.Refuse:
		if x.decision.Reason == router.ReasonUnknownHome {
			x.refuse(problemHome)
			return
		}
	}
	if p := x.takeBody(); p != nil {
		x.refuse(*p)
		return
	}
	x.proxy.ServeHTTP(&x.answer, x.in)
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
	x.repeat = mayRepeat(x.in, x.request.Query.Class)
	x.hold.deadline = x.began.Add(x.at.budget)
	if x.in.Body == nil || x.in.Body == http.NoBody || x.in.ContentLength == 0 {
		return nil
	}
	size := x.in.ContentLength
	if g.o.BodyLimit >= 0 && size > g.o.BodyLimit {
		return &problemTooLarge
	}
	body := &clientBody{from: x.in.Body, conn: http.NewResponseController(x.answer.ResponseWriter), left: g.o.BodyLimit, stall: g.o.Stall}
	x.body.client = body
	most := g.o.ReplayLimit
	if size > most || !x.repeat && x.request.ID == "" {
		x.body.stream = body
		return nil
	}
	if size > 0 {
		most = size
	}
	if !g.queue.keep(most) {
		x.body.stream = body
		return nil
	}
	err := x.body.keep(body, size, most)
	g.queue.release(most - int64(len(x.body.kept)))
	return bodyProblem(err)
}

// mayRepeat reports whether a request may be sent again although it may have been done: it changes nothing, or the application recognises it by its key.
func mayRepeat(r *http.Request, class router.Class) bool {
	if class == router.Read {
		return true
	}
	keys := r.Header["Idempotency-Key"]
	return len(keys) == 1 && keys[0] != ""
}
