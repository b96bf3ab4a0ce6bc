package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/geoshard/geoshard/router"
)

// admit refuses what no gateway passes on.
func (x *exchange) admit() *problem {
	switch {
	case x.in.Method == http.MethodConnect || x.in.Method == http.MethodTrace:
		return problemMethod
	case !strings.HasPrefix(x.in.URL.Path, "/"):
		return problemTarget
	case x.in.Header["Via"] != nil && x.at.looped(x.in.Header):
		return problemLoop
	}
	return nil
}

// locate reads what the request is about, and asks the directory where that is not enough.
func (x *exchange) locate() *problem {
	x.request = x.at.reader.Read(x.in, x.began)
	x.explain = x.g.o.Explain || len(x.in.Header[router.HeaderExplain]) > 0
	q, d := &x.request.Query, x.g.directory
	if x.request.ID == "" {
		return nil
	}
	if d.of == nil {
		x.request.WithoutDirectory()
		return nil
	}
	if !x.request.Lookup {
		if home, ok := d.remembered(x.request.ID); ok && home != q.Home {
			x.moveTo(home)
		}
		return nil
	}
	home, err := d.home(x.in.Context(), x.request.ID)
	if errors.Is(err, router.ErrNoSuchRecord) {
		home, err = d.homeNow(x.in.Context(), x.request.ID)
	}
	switch {
	case errors.Is(err, router.ErrNoSuchRecord):
		return nil // the application says what it says of such
	case err != nil:
		x.g.o.Log.Warn("a record's home could not be looked up", "error", err)
		return problemLookup
	}
	q.Source = router.SourceDirectory
	x.moveTo(home)
	return nil
}

// moveTo notes that the record is elsewhere than the request says, and lets the request say so.
func (x *exchange) moveTo(home string) {
	x.record.moveTo(&x.request, home)
	x.in = x.record.renamed(x.in)
}

// redirect sends the client to the gateway of the datacenter that serves it: to the same path there, and never elsewhere.
func (x *exchange) redirect() {
	to := url.URL{Path: x.in.URL.Path, RawPath: x.in.URL.RawPath, RawQuery: router.AddHop(x.in.URL.RawQuery)}
	lead(&to, baseURL(x.at.table.Endpoint(x.decision.To)))
	h := x.answer.Header()
	h.Set("Location", to.String())
	h.Set("Cache-Control", "no-store") // homes change
	x.record.tell(h)
	x.explainTo(h)
	x.answer.WriteHeader(http.StatusTemporaryRedirect)
}

// refuse answers in the application's stead.
func (x *exchange) refuse(p *problem) {
	x.explainTo(x.answer.Header())
	p.write(&x.answer)
}

// failed is the proxy's: there is no answer to pass on.
func (x *exchange) failed(_ http.ResponseWriter, _ *http.Request, err error) {
	x.release()
	if broken := x.body.failure(); broken != nil { // the server takes that for the client's going away
		x.refuse(bodyProblem(broken))
		return
	}
	if x.in.Context().Err() != nil {
		panic(http.ErrAbortHandler) // nobody is there to be answered
	}
	x.g.o.Log.Warn("a request was not answered", "error", err, "tries", x.tries, "datacenter", x.at.table.Datacenter(x.decision.To), "reason", x.decision.Reason.String())
	switch {
	case errors.Is(err, errNowhere), errors.Is(err, errUpstreamLost):
		x.refuse(problemNowhere)
	case errors.Is(err, errLookup):
		x.refuse(problemLookup)
	case errors.Is(err, context.DeadlineExceeded), timedOut(err):
		x.refuse(problemTimedOut)
	default:
		x.refuse(problemBadGateway)
	}
}
