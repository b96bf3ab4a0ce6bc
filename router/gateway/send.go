package gateway

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/geoshard/geoshard/router"
)

// errNowhere means that no datacenter can take a request at the moment.
var errNowhere = errors.New("no datacenter can serve this now")

// A try is a request at an upstream. cancel ends it from outside; nil where it cannot be begun elsewhere.
type try struct {
	at     *upstream
	cancel context.CancelCauseFunc
}

// begin registers a try, and gives it a context of its own if it may be ended.
func (t *try) begin(ctx context.Context, at *upstream, mayEnd bool) context.Context {
	t.at = at
	at.inflight.Add(1)
	if mayEnd {
		ctx, t.cancel = context.WithCancelCause(ctx)
		at.mu.Lock()
		at.tries[t] = struct{}{}
		at.mu.Unlock()
	}
	return ctx
}

// end takes back what begin has registered.
func (t *try) end() {
	if t.at == nil {
		return
	}
	t.at.inflight.Add(-1)
	if t.cancel != nil {
		t.at.mu.Lock()
		delete(t.at.tries, t)
		t.at.mu.Unlock()
		t.cancel(nil)
	}
	*t = try{}
}

// An outcome is what came of a try.
type outcome struct {
	res *http.Response
	err error
	// again: another try may succeed, after a pause of at least after; at once if the way is known to be another.
	again, atOnce bool
	after         time.Duration
}

// A retrier is an exchange as the transport of its proxy: each try is a decision of its own, while the request and the answer stream through one proxy.
type retrier exchange

// RoundTrip sends a request until it is answered, or the time is over.
func (r *retrier) RoundTrip(out *http.Request) (*http.Response, error) {
	x := (*exchange)(r)
	for {
		o := x.send(out)
		if !o.again {
			return o.res, o.err
		}
		if !o.atOnce && !x.wait(out.Context(), o.after) {
			return o.res, o.err // the last answer is the best there is
		}
		if o.res != nil {
			drain(o.res)
		}
		x.try.end()
		x.decide()
		out = x.record.renamed(out)
	}
}

// send tries once.
func (x *exchange) send(out *http.Request) outcome {
	x.tries++
	up := x.destination()
	if up == nil {
		return outcome{err: errNowhere, again: !x.body.spent()}
	}
	ctx := x.try.begin(out.Context(), up, x.repeat && !x.body.streamed)
	out = out.WithContext(ctx)
	address := *out.URL
	out.URL = &address
	lead(out.URL, up.url)
	x.body.attach(out, x.in.ContentLength)

	began := x.g.o.Now()
	res, err := x.at.transports.of(out).RoundTrip(out)
	took := x.g.o.Now().Sub(began)
	x.spent += took
	x.at.metrics[x.decision.To].latency.Observe(took.Seconds())
	if err != nil {
		return x.unanswered(ctx, up, err)
	}
	switch res.StatusCode {
	case http.StatusNotFound, http.StatusGone, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return x.answeredBadly(up, res)
	}
	up.succeeded()
	return outcome{res: res}
}

// destination is the upstream of the decision; nil where there is none at the moment.
func (x *exchange) destination() *upstream {
	if x.decision.Mode == router.Wait {
		return nil
	}
	return x.at.pools[x.decision.To].pick()
}

// unanswered judges a try without an answer.
func (x *exchange) unanswered(ctx context.Context, up *upstream, err error) outcome {
	switch {
	case errors.Is(context.Cause(ctx), errUpstreamLost):
		return outcome{err: errUpstreamLost, again: true, atOnce: true}
	case ctx.Err() != nil, x.body.failure() != nil: // by the client
		return outcome{err: err}
	}
	if up.failed(err) {
		x.g.assess()
	}
	_, unseen := errors.AsType[*dialError](err) // the upstream has not seen a byte
	again := (unseen || x.repeat) && !x.body.spent()
	return outcome{err: err, again: again, atOnce: again && !up.usable.Load() && x.tries < 3}
}

// badAnswerWithin bounds the reading of an answer that says that something is wrong.
const badAnswerWithin = 5 * time.Second

// answeredBadly judges an answer that may be more than it seems.
func (x *exchange) answeredBadly(up *upstream, res *http.Response) outcome {
	slow := time.AfterFunc(badAnswerWithin, func() { _ = res.Body.Close() })
	d, err := diagnose(res)
	slow.Stop()
	if err == nil && !d.atFault {
		up.succeeded()
	} else if up.failed(errors.New("answered " + http.StatusText(res.StatusCode))) {
		x.g.assess()
	}
	repeatable := x.repeat && !x.body.spent()
	switch {
	case err != nil:
		return outcome{err: err, again: repeatable}
	case d.missing && x.request.ID != "":
		return x.lookAgain(res)
	case d.again && repeatable:
		return outcome{res: res, again: true, after: d.after}
	}
	return outcome{res: res}
}
