package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/geoshard/geoshard/cart/api"
	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/consistency/gintoken"
	"github.com/geoshard/geoshard/topology"
)

const (
	// answerWithin is longer than a gateway holds a request.
	answerWithin = 45 * time.Second
	// mostAnswer bounds what is read of an answer.
	mostAnswer = 1 << 20
	// idlePerGateway is as many connections as the clients of one datacenter use.
	idlePerGateway = 32
)

// A World is what requests are sent to.
type World interface {
	Topology() *topology.Topology
	// Gateway is the base URL of a datacenter's gateway, "" where there is none.
	Gateway(dc topology.DatacenterID) string
}

// A Client sends requests to the gateways of a world. It is safe for concurrent use.
type Client struct {
	world World
	http  *http.Client
}

// New makes a client, which asks nobody before it is told to.
func New(w World) *Client {
	return &Client{world: w, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: idlePerGateway}}}
}

// Close lets go of connections that nothing is sent on.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// An Answer is what came back.
type Answer struct {
	Exchange
	// Token is what the client has seen now; empty if the answer does not say.
	Token string
}

// Send sends a request once, and reads the answer into a value, unless that is nil. An answer beyond 2xx is a *RefusedError, and so is none.
func (c *Client) Send(ctx context.Context, q Request, into any) (a Answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	a.Exchange = Exchange{Method: q.Method, Path: q.Path, From: q.From}
	r, err := c.build(ctx, q)
	if err != nil {
		return a, err
	}
	var body []byte
	began := time.Now()
	res, err := c.http.Do(r)
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(res.Body, mostAnswer))
		_ = res.Body.Close()
	}
	a.Took = Rounded(time.Since(began))
	if err != nil {
		return a, &RefusedError{Exchange: a.Exchange, Err: err}
	}
	a.Token = res.Header.Get(gintoken.DefaultHeader)
	a.Status = res.StatusCode
	a.read(res.Header)
	if a.Status >= 300 {
		refused := &RefusedError{Exchange: a.Exchange}
		if json.Unmarshal(body, &refused.Problem) != nil {
			refused.Problem.Title = strings.TrimSpace(string(body))
		}
		return a, refused
	}
	if into != nil {
		if err := json.Unmarshal(body, into); err != nil {
			return a, &RefusedError{Exchange: a.Exchange, Err: fmt.Errorf("read the answer: %w", err)}
		}
	}
	return a, nil
}

// Rounded keeps what a clock is good for.
func Rounded(d time.Duration) cluster.Duration {
	return cluster.Duration(d.Round(10 * time.Microsecond))
}

// A RefusedError says that a request was answered by a problem, or not at all.
type RefusedError struct {
	Exchange Exchange
	Problem  api.Problem
	// Err is why there was no answer; nil if there was one.
	Err error
}

// Error says what was asked where, and what came of it.
func (e *RefusedError) Error() string {
	asked := fmt.Sprintf("%s %s by way of %s", e.Exchange.Method, e.Exchange.Path, e.Exchange.From)
	if e.Err != nil {
		return fmt.Sprintf("%s: no answer after %s: %v", asked, e.Exchange.Took, e.Err)
	}
	return fmt.Sprintf("%s: %d after %s: %s: %s", asked, e.Exchange.Status, e.Exchange.Took, e.Problem.Title, e.Problem.Detail)
}

// Reason is what the answer said, or why there was none.
func (e *RefusedError) Reason() string {
	if e.Err != nil {
		return e.Err.Error()
	}
	return strings.Trim(e.Problem.Title+": "+e.Problem.Detail, ": ")
}

// Unwrap gives the reason for which there was no answer.
func (e *RefusedError) Unwrap() error { return e.Err }

// Hint is the answer's.
func (e *RefusedError) Hint() string { return e.Problem.Hint }

// ForTheMoment reports whether the same request may be answered otherwise a little later.
func (e *RefusedError) ForTheMoment() bool { return e.Err != nil || e.Exchange.Status >= 500 }
