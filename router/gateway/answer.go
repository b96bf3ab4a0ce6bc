package gateway

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// mostProblem is how much of an answer is read to see what is wrong. Problems are shorter; an answer that is longer is passed on as it is.
const mostProblem = 64 << 10

// passing are the problems of an application that a moment later may be none: the database elects a primary, or is not as far as the token. An
// application says so by the end of the problem's type, or by Retry-After.
var passing = []string{"unavailable", "timed-out", "not-ready", "not-caught-up"}

// A diagnosis is what an upstream's answer means for the request.
type diagnosis struct {
	// again: another try may succeed. after is what the upstream asked to wait.
	again bool
	after time.Duration
	// missing: there is no such record in the home that was asked for.
	missing bool
	// atFault: the upstream, rather than the database behind it or the request.
	atFault bool
}

// diagnose looks at an answer that may be more than it seems. It reads a bounded part of its body, and puts it back.
func diagnose(res *http.Response) (d diagnosis, err error) {
	text, err := problemType(res)
	is := func(name string) bool { return strings.HasSuffix(text, "#"+name) || strings.HasSuffix(text, "/"+name) }
	if res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone {
		// An application without problems says less: then any 404 may be a record that has moved.
		d.missing = text == "" || is("not-found")
		return d, err
	}
	d.atFault = !slices.ContainsFunc(passing, is)
	d.after, d.again = retryAfter(res.Header.Get("Retry-After"))
	d.again = d.again || !d.atFault
	return d, err
}

// problemType returns the type of a problem (RFC 9457); empty where the answer is none. The body can be read again afterwards.
func problemType(res *http.Response) (string, error) {
	media, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	isProblem := strings.EqualFold(strings.TrimSpace(media), "application/problem+json")
	text, err := io.ReadAll(io.LimitReader(res.Body, mostProblem+1))
	if err != nil {
		return "", err
	}
	res.Body = &prefixed{io.MultiReader(bytes.NewReader(text), res.Body), res.Body}
	if !isProblem || len(text) > mostProblem {
		return "", nil
	}
	var p struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal(text, &p) // what is no JSON has no type
	return p.Type, nil
}

// A prefixed is a body of which a part was read and put back.
type prefixed struct {
	io.Reader
	io.Closer
}

// mostRetryAfter bounds what an upstream may ask for: the budget ends the waiting in any case.
const mostRetryAfter = 2 * time.Second

// retryAfter reads a Retry-After of seconds or of a date; a date only says that there is one.
func retryAfter(text string) (time.Duration, bool) {
	if text == "" {
		return 0, false
	}
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < 0 {
		return 0, true
	}
	return min(time.Duration(min(seconds, 3600))*time.Second, mostRetryAfter), true
}

// drain reads what is left of a bounded answer, so that its connection can be used again.
func drain(res *http.Response) {
	_, _ = io.CopyN(io.Discard, res.Body, mostProblem) // where that fails, the connection ends
	_ = res.Body.Close()
}
