package gateway

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/geoshard/geoshard/router"
)

// ProblemBase begins the type of the gateway's own problems; the rest is a heading of that document.
const ProblemBase = "https://github.com/geoshard/geoshard/blob/main/docs/router.md#"

// A problem is what the gateway itself answers, as RFC 9457 writes it.
type problem struct {
	status int
	name   string
	title  string
	hint   string
}

var (
	problemMethod     = &problem{http.StatusMethodNotAllowed, "method", "the gateway does not pass this method on", "send another method"}
	problemTarget     = &problem{http.StatusBadRequest, "target", "the request names no path", "send a path that begins with /"}
	problemBusy       = &problem{http.StatusServiceUnavailable, "busy", "the gateway has too many requests under way", "send it again in a moment"}
	problemLoop       = &problem{http.StatusLoopDetected, "loop", "the request has been here before", "an upstream of the topology leads back to a gateway: correct router.upstreams"}
	problemTooLarge   = &problem{http.StatusRequestEntityTooLarge, "body-too-large", "the body is too large", "the limit is --body-limit"}
	problemBody       = &problem{http.StatusBadRequest, "body", "the body did not come in whole", "send it again"}
	problemSlow       = &problem{http.StatusRequestTimeout, "slow-body", "the body came too slowly", "send it again"}
	problemHome       = &problem{http.StatusNotFound, "unknown-home", "no datacenter is the home of this record", "the homes are those of the topology's namespace"}
	problemBadHandle  = &problem{http.StatusBadRequest, "bad-handle", "what names the record cannot be a handle", router.HandleForm}
	problemDirectory  = &problem{http.StatusNotFound, "no-directory", "the request names its record without the home", "send the handle HOME.ID, or give the gateway a way to the database, so that it looks identifiers up"}
	problemNowhere    = &problem{http.StatusServiceUnavailable, "unavailable", "no datacenter can serve this now", "send it again; a write with its Idempotency-Key"}
	problemBadGateway = &problem{http.StatusBadGateway, "bad-gateway", "the application did not answer", "a write may have happened: send it again with the same Idempotency-Key"}
	problemTimedOut   = &problem{http.StatusGatewayTimeout, "timed-out", "the application did not answer in time", "a write may have happened: send it again with the same Idempotency-Key"}
	problemLookup     = &problem{http.StatusServiceUnavailable, "lookup", "the record's home could not be looked up", "send it again in a moment"}
)

// problemOf is the answer to a request that no datacenter can serve.
func problemOf(r router.Reason) *problem {
	switch r {
	case router.ReasonBadHandle:
		return problemBadHandle
	case router.ReasonNoDirectory:
		return problemDirectory
	default:
		return problemHome
	}
}

// bodyProblem says what is wrong with a body that did not come in; nil for none.
func bodyProblem(err error) *problem {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errTooLarge):
		return problemTooLarge
	case timedOut(err):
		return problemSlow
	default:
		return problemBody
	}
}

// timedOut reports whether somebody did not do in time what was waited for.
func timedOut(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

// A problemText is a problem as it is sent.
type problemText struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Hint   string `json:"hint,omitempty"`
}

// write answers with the problem. Nothing of the request is in it. What is not available is asked for again after a second.
func (p *problem) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if p.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(p.status)
	_ = json.NewEncoder(w).Encode(problemText{ProblemBase + p.name, p.title, p.status, p.hint}) // the client has gone
}
