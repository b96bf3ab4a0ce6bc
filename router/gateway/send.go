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

// send tries once.
func (x *exchange) send(out *http.Request) outcome {
	x.tries++
	up := x.destination()
	if up == nil {
		return outcome{err: errNowhere, again: !x.body.spent()}
	}
	x.serving = up
	up.inflight.Add(1)
	ctx := out.Context()
	if x.repeat && x.body.stream == nil { // it can be ended here and begun elsewhere
		ctx, x.try.cancel = context.WithCancelCause(ctx)
		up.begin(&x.try)
	}
	out = out.WithContext(ctx)
	address := *out.URL
	out.URL = &address
	up.address(out.URL)
	x.body.attach(out, x.in.ContentLength)

	began := x.g.o.Now()
	res, err := x.at.transports.of(out).RoundTrip(out)
	took := x.g.o.Now().Sub(began)
	x.upstream += took
	x.at.metrics[x.decision.To].latency.Observe(took.Seconds())
	if err != nil {
		return x.unanswered(ctx, up, err)
	}
	if quick(res.StatusCode) {
		up.succeeded()
		return outcome{res: res}
	}
	return x.answeredBadly(up, res)
}

// quick reports whether an answer goes to the client without a look at it.
func quick(status int) bool {
	switch status {
	case http.StatusNotFound, http.StatusGone, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return false
	}
	return true
}

// destination is the upstream of the decision; nil where there is none at the moment.
func (x *exchange) destination() *upstream {
	switch x.decision.Mode {
	case router.Local, router.Forward, router.ReadOnly, router.Redirect:
		return x.at.pools[x.decision.To].pick()
	}
	return nil
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
	var dial *dialError
	unseen := errors.As(err, &dial) && !x.body.spent() // the upstream has not seen a byte
	again := unseen || x.repeat && !x.body.spent()
	return outcome{err: err, again: again, atOnce: again && !up.usable.Load() && x.tries < 3}
}

// badAnswerWithin bounds the reading of an answer that says that something is wrong.
const badAnswerWithin = 5 * time.Second

// answeredBadly judges an answer that may be more than it seems.
func (x *exchange) answeredBadly(up *upstream, res *http.Response) outcome {
	slow := time.AfterFunc(badAnswerWithin, func() { _ = res.Body.Close() })
	d, err := diagnose(res)
	slow.Stop()
	if err != nil {
		d.atFault, d.again = true, true
	}
	if !d.atFault {
		up.succeeded()
	} else if up.failed(errBadAnswer(res.StatusCode)) {
		x.g.assess()
	}
	switch {
	case err != nil:
		return outcome{err: err, again: x.repeat && !x.body.spent()}
	case d.missing && x.request.ID != "":
		return x.lookAgain(res)
	case d.again && x.repeat && !x.body.spent():
		return outcome{res: res, again: true, after: d.after}
	}
	return outcome{res: res}
}

// An errBadAnswer is the status of an answer by which an upstream counts as failing.
type errBadAnswer int

func (e errBadAnswer) Error() string { return "answered " + http.StatusText(int(e)) }
