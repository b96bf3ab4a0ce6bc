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
		return &problemMethod
	case !strings.HasPrefix(x.in.URL.Path, "/"):
		return &problemTarget
	case x.in.Header["Via"] != nil && x.at.looped(x.in.Header):
		return &problemLoop
	}
	return nil
}

// locate reads what the request is about, and asks the directory where that is not enough.
func (x *exchange) locate() *problem {
	x.request = x.at.reader.Read(x.in, x.began)
	x.explain = x.g.o.Explain || len(x.in.Header[router.HeaderExplain]) > 0
	q, d := &x.request.Query, x.g.directory
	if x.request.ID == "" || d.of == nil {
		return nil
	}
	if !x.request.Lookup {
		if home, ok := d.remembered(x.request.ID); ok && home != q.Home {
			x.moveTo(home)
			x.in = x.renamed(x.in)
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
		return &problemLookup
	}
	q.Source = router.SourceDirectory
	x.moveTo(home)
	x.in = x.renamed(x.in)
	return nil
}

// moveTo notes that the record is elsewhere than the request says.
func (x *exchange) moveTo(home string) {
	if x.named == "" {
		x.named = x.request.ID
		if !x.request.Lookup {
			x.named = x.request.Query.Home + "." + x.request.ID
		}
	}
	x.handle, x.moved = home+"."+x.request.ID, true
	x.request.Query.Home = home
}

// renamed is a request that names the record as it is called now.
func (x *exchange) renamed(r *http.Request) *http.Request {
	r2 := r.WithContext(r.Context())
	address := *r.URL
	r2.URL, r2.Header = &address, r.Header.Clone()
	x.rename(r2)
	return r2
}

// rename puts the record's present handle in the place of the one that the request has, wherever that is.
func (x *exchange) rename(r *http.Request) {
	segments := strings.Split(r.URL.EscapedPath(), "/")
	for i, segment := range segments {
		if plain, err := url.PathUnescape(segment); err == nil && plain == x.named {
			segments[i] = url.PathEscape(x.handle)
		}
	}
	escaped := strings.Join(segments, "/")
	if plain, err := url.PathUnescape(escaped); err == nil {
		r.URL.Path, r.URL.RawPath = plain, escaped
	}
	if values := r.Header[router.HeaderHandle]; len(values) == 1 && values[0] == x.named {
		r.Header[router.HeaderHandle] = []string{x.handle}
	}
	if strings.Contains(r.URL.RawQuery, router.QueryHandle) {
		if query := r.URL.Query(); query.Get(router.QueryHandle) == x.named {
			query.Set(router.QueryHandle, x.handle)
			r.URL.RawQuery = query.Encode()
		}
	}
	x.named = x.handle
}

// redirect sends the client to the gateway of the datacenter that serves it: to the same path there, and never elsewhere.
func (x *exchange) redirect() {
	to := *x.at.endpoints[x.decision.To]
	escaped := to.EscapedPath() + x.in.URL.EscapedPath()
	to.Path += x.in.URL.Path
	if to.RawPath = ""; to.EscapedPath() != escaped {
		to.RawPath = escaped
	}
	to.RawQuery = router.AddHop(x.in.URL.RawQuery)
	h := x.ResponseWriter.Header()
	h.Set("Location", to.String())
	h.Set("Cache-Control", "no-store") // homes change
	if x.moved {
		h.Set(router.HeaderHandle, x.handle)
	}
	if x.explain {
		x.explainTo(h)
	}
	x.WriteHeader(http.StatusTemporaryRedirect)
}

// refuse answers in the application's stead.
func (x *exchange) refuse(p problem) {
	if x.explain {
		x.explainTo(x.ResponseWriter.Header())
	}
	p.write(x)
}

// failed is the proxy's: there is no answer to pass on.
func (x *exchange) failed(_ http.ResponseWriter, _ *http.Request, err error) {
	x.unhold()
	if broken := x.body.failure(); broken != nil { // the server takes that for the client's going away
		x.refuse(*bodyProblem(broken))
		return
	}
	if x.in.Context().Err() != nil {
		panic(http.ErrAbortHandler) // nobody is there to be answered
	}
	x.g.o.Log.Warn("a request was not answered", "error", err, "tries", x.tries, "datacenter", x.at.table.Datacenter(x.decision.To), "reason", x.decision.Reason.String())
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errNowhere), errors.Is(err, errQueueFull), errors.Is(err, errUpstreamLost):
		x.refuse(problemNowhere)
	case errors.Is(err, errLookup):
		x.refuse(problemLookup)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		x.refuse(problemTimedOut)
	default:
		x.refuse(problemBadGateway)
	}
}
