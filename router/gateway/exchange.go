package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"

	"github.com/geoshard/geoshard/router"
)

// An exchange is one request and its answer. It is the ReverseProxy's transport, so each try is a decision of its own while the request and the
// answer stream through one proxy; and it is the writer of the answer. Exchanges are used again: a request allocates no proxy and no closure.
type exchange struct {
	http.ResponseWriter
	g     *Gateway
	at    *wiring
	in    *http.Request
	proxy httputil.ReverseProxy

	request  router.Request
	decision router.Decision
	body     sendable
	// repeat: the request may be sent again although it may have been done.
	repeat bool
	// handle is the record's handle as the upstream is told it, where it is not the client's; moved says that the client's was an old one.
	handle string
	moved  bool
	// named is how the request names it at present.
	named string
	// sure: a copy nearby did not have the record, so its owner is asked.
	sure bool

	began    time.Time
	deadline time.Time // of new tries
	try      attempt
	serving  *upstream // of the last try
	tries    int
	lookups  int
	holding  bool
	heldAt   time.Time
	upstream time.Duration // spent waiting for upstreams
	status   int
	explain  bool
}

var exchanges = sync.Pool{New: func() any {
	x := &exchange{}
	x.proxy = httputil.ReverseProxy{Transport: x, Rewrite: x.rewrite, ModifyResponse: x.answered, ErrorHandler: x.failed, BufferPool: buffers, ErrorLog: discard}
	return x
}}

// ServeHTTP passes a request on to the datacenter that serves it.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchanges.Get().(*exchange)
	x.ResponseWriter, x.g, x.at, x.in, x.began = w, g, g.wiring.Load(), r, g.o.Now()
	defer x.end() // also when the proxy breaks off an answer by a panic
	x.serve()
}

// end gives back what the request holds.
func (x *exchange) end() {
	x.letGo()
	x.unhold()
	if n := int64(len(x.body.kept)); n > 0 {
		x.g.queue.release(n)
	}
	x.g.metrics.ended(x)
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
	x.proxy.ServeHTTP(x, x.in)
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
	x.deadline = x.began.Add(x.at.budget)
	if x.in.Body == nil || x.in.Body == http.NoBody || x.in.ContentLength == 0 {
		return nil
	}
	size := x.in.ContentLength
	if g.o.BodyLimit >= 0 && size > g.o.BodyLimit {
		return &problemTooLarge
	}
	body := &clientBody{from: x.in.Body, conn: http.NewResponseController(x.ResponseWriter), left: g.o.BodyLimit, stall: g.o.Stall}
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

// bodyProblem says what is wrong with a body that did not come in; nil for none.
func bodyProblem(err error) *problem {
	var timeout interface{ Timeout() bool }
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errTooLarge):
		return &problemTooLarge
	case errors.As(err, &timeout) && timeout.Timeout():
		return &problemSlow
	default:
		return &problemBody
	}
}

// mayRepeat reports whether a request may be sent again although it may have been done: it changes nothing, or the application recognises it by its key.
func mayRepeat(r *http.Request, class router.Class) bool {
	if class == router.Read {
		return true
	}
	keys := r.Header["Idempotency-Key"]
	return len(keys) == 1 && keys[0] != ""
}

// An outcome is what came of a try.
type outcome struct {
	res *http.Response
	err error
	// again: another try may succeed, after a pause of at least after; at once if the way is known to be another.
	again, atOnce bool
	after         time.Duration
}

// RoundTrip sends a request until it is answered, or the time is over. It makes exchange the transport of its proxy.
func (x *exchange) RoundTrip(out *http.Request) (*http.Response, error) {
	for {
		o := x.send(out)
		if !o.again {
			return o.res, o.err
		}
		if !o.atOnce {
			if err := x.hold(out.Context(), o.after); err != nil {
				return o.res, o.err // the last answer is the best there is
			}
		}
		if o.res != nil {
			drain(o.res)
		}
		x.letGo()
		x.decide()
		out = x.renewed(out)
	}
}

// renewed is a request for another try. The last one may still be read by its connection, so it is not changed.
func (x *exchange) renewed(out *http.Request) *http.Request {
	next := out.Clone(out.Context())
	if x.handle != "" {
		x.rename(next)
	}
	return next
}

// hold waits for another try. It returns an error when the request has waited long enough, or may not wait.
func (x *exchange) hold(ctx context.Context, after time.Duration) error {
	left := x.deadline.Sub(x.g.o.Now())
	if left <= 0 {
		return errBudget
	}
	if !x.holding {
		if err := x.g.queue.enter(); err != nil {
			x.g.metrics.full.Inc()
			return err
		}
		x.holding, x.heldAt = true, x.g.o.Now()
		x.g.metrics.held.Inc()
	}
	changed := x.g.health.changed()
	return wait(ctx, min(pauseOf(x.tries-1, after), left), changed)
}

var errBudget = errors.New("the time for new tries is over")

func (x *exchange) unhold() {
	if x.holding {
		x.holding = false
		x.g.queue.leave()
		x.g.metrics.heldFor.Observe(x.g.o.Now().Sub(x.heldAt).Seconds())
	}
}

// letGo ends what a try has registered.
func (x *exchange) letGo() {
	if x.serving == nil {
		return
	}
	x.serving.inflight.Add(-1)
	if x.try.cancel != nil {
		x.serving.end(&x.try)
		x.try.cancel(nil)
		x.try.cancel = nil
	}
	x.serving = nil
}

// Unwrap gives http.ResponseController the writer behind.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// WriteHeader notes the status. Before the server answers it reads what is left of a body: the client may not keep it waiting for that either.
func (x *exchange) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		x.status = status
	}
	if status >= 200 && x.in.ContentLength != 0 && (x.body.client == nil || !x.body.client.ended.Load()) {
		until := time.Now()
		if x.body.failure() == nil {
			until = until.Add(x.g.o.Stall)
		}
		_ = http.NewResponseController(x.ResponseWriter).SetReadDeadline(until)
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write hands a part of the answer to the client, which may not keep it waiting for ever.
func (x *exchange) Write(p []byte) (int, error) {
	x.g.limitWrite(x.ResponseWriter, x.in)
	return x.ResponseWriter.Write(p)
}

var _ io.Writer = (*exchange)(nil)
