package gateway

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/geoshard/geoshard/router"
)

var errLookup = errors.New("the record's home could not be looked up")

const (
	// mostLookAgain bounds how often one request follows a record: it may change its home meanwhile, but not for ever.
	mostLookAgain = 5
	// settling is how long a change of home takes at most to be seen everywhere that is asked.
	settling = 100 * time.Millisecond
)

// lookAgain is for the answer that there is no such record where the request went. The record may have moved: then the request goes there under the new
// handle. The copies there may be behind: then it goes to the primary. Otherwise the answer stands. What was answered by "there is none" has changed nothing,
// so any request may be sent again whose body is still there.
func (x *exchange) lookAgain(res *http.Response) outcome {
	o := outcome{res: res} // it stands
	d, id, ctx := x.g.directory, x.request.ID, x.in.Context()
	if d.of == nil || x.lookups >= mostLookAgain {
		return o
	}
	x.lookups++
	tried := x.request.Query.Home
	d.forget(id)
	home, err := d.home(ctx, id)
	if err != nil || home == tried {
		home, err = d.homeNow(ctx, id)
	}
	switch {
	case errors.Is(err, router.ErrNoSuchRecord):
	case err != nil:
		x.g.o.Log.Warn("a record's home could not be looked up", "error", err)
		x.lookups-- // it has not been looked up; the budget bounds this
		drain(res)  // a 404 for a record that may exist is worse than none
		return outcome{err: errors.Join(errLookup, err), again: ctx.Err() == nil && !x.body.spent()}
	case home != tried:
		x.record.moveTo(&x.request, home)
		x.g.metrics.followed.Inc()
		if x.body.spent() {
			return x.sendBack(res)
		}
		o.again, o.atOnce = true, true
	case x.body.spent():
	case !x.sure:
		x.sure, o.again, o.atOnce = true, true, true
	default: // the record is where it was looked for, so it has just come there, or the answer was about something else
		o.again, o.after = x.lookups < 3, settling
	}
	return o
}

// sendBack lets the client send a body that is gone once more, under the new handle. The way leads to this gateway and nowhere else.
func (x *exchange) sendBack(res *http.Response) outcome {
	drain(res)
	again := x.record.renamed(x.in)
	path := "/" + strings.TrimLeft(again.URL.RequestURI(), "/") // two slashes would be another host
	h := http.Header{"Location": {path}, "Cache-Control": {"no-store"}}
	return outcome{res: &http.Response{StatusCode: http.StatusTemporaryRedirect, ProtoMajor: 1, ProtoMinor: 1, Header: h, Body: http.NoBody, Request: x.in}}
}
