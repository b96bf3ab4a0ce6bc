package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/geoshard/geoshard/consistency/gintoken"
	"github.com/geoshard/geoshard/internal/demo"
	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/topology"
)

const (
	// answerWithin is longer than a gateway holds a request.
	answerWithin = 45 * time.Second
	// mostAnswer bounds what is read of an answer.
	mostAnswer = 1 << 20

	keptRequests  = 60
	keptLatencies = 1500
)

// An ask is a request to a datacenter's gateway, as a client in that datacenter sends it.
type ask struct {
	who          string
	from         topology.DatacenterID
	method, path string
	body         any    // nil = none
	token        string // "" = none
	// kind is what the request is to its sender: "new", "read" or "write".
	kind string
	// city is where on Earth the client is; nil = in the datacenter.
	city *City
	// quiet requests are not shown: they only keep a shopper's page up to date.
	quiet bool
}

// A requestView is a request and its way, as the gateway's and the shop's answer tell it.
type requestView struct {
	At     int64                 `json:"at"`
	Who    string                `json:"who"`
	Kind   string                `json:"kind"`
	Method string                `json:"method"`
	Path   string                `json:"path"`
	From   topology.DatacenterID `json:"from"`
	To     topology.DatacenterID `json:"to"`
	Owner  topology.DatacenterID `json:"owner"`
	Mode   string                `json:"mode"`
	Reason string                `json:"reason"`
	Status int                   `json:"status"`
	// Took is what the client has waited, Database what the shop waited for the database, in milliseconds.
	Took     float64 `json:"took"`
	Database float64 `json:"database"`
	// Tries is how often the gateway sent it.
	Tries  int    `json:"tries"`
	Served string `json:"served"`
	// Error is what an answer that is none, or a problem, said.
	Error string `json:"error,omitempty"`
}

// A latencyView is a point of the chart.
type latencyView struct {
	At   int64                 `json:"at"`
	From topology.DatacenterID `json:"from"`
	// Way is "read" where a copy here answered, "local" for a write that stayed, "remote" for anything that left the datacenter.
	Way  string  `json:"way"`
	Took float64 `json:"took"`
}

// An answer is what came back.
type answer struct {
	requestView
	token string
	body  []byte
}

// A problemError is an answer that is no success.
type problemError struct{ view requestView }

func (e *problemError) Error() string {
	if e.view.Status == 0 {
		return fmt.Sprintf("%s %s at the gateway of %s: %s", e.view.Method, e.view.Path, e.view.From, e.view.Error)
	}
	return fmt.Sprintf("%s %s at the gateway of %s: %d, %s", e.view.Method, e.view.Path, e.view.From, e.view.Status, e.view.Error)
}

// ask sends a request and tells the pages of it. Its error is a *problemError; the answer is there in any case.
func (d *Dashboard) ask(ctx context.Context, q ask) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	began := d.o.Now()
	a := d.send(ctx, q)
	ended := d.o.Now()
	a.At, a.Took = ended.UnixMilli(), millis(ended.Sub(began))
	if ctx.Err() == nil || a.Status != 0 {
		d.learn(q, a, began, ended)
	}
	if a.Status >= 200 && a.Status < 300 {
		return a, nil
	}
	return a, &problemError{a.requestView}
}

// learn tells the pages of a request that has ended.
func (d *Dashboard) learn(q ask, a answer, began, ended time.Time) {
	fine := a.Status >= 200 && a.Status < 300
	if fine && q.kind != "read" {
		d.mu.Lock()
		changed := d.failovers.wrote(write{a.Owner, began, ended})
		list := d.failovers.shown()
		d.mu.Unlock()
		if changed {
			d.hub.set("failovers", list)
		}
	}
	if q.quiet {
		return
	}
	d.hub.add("requests", keptRequests, a.requestView)
	if !fine {
		return
	}
	point := latencyView{At: a.At, From: q.from, Took: a.Took, Way: "remote"}
	if a.To == q.from {
		point.Way = map[bool]string{true: "read", false: "local"}[q.kind == "read"]
	}
	d.hub.add("latencies", keptLatencies, point)
}

func (d *Dashboard) send(ctx context.Context, q ask) (a answer) {
	a.requestView = requestView{Who: q.who, Kind: q.kind, Method: q.method, Path: q.path, From: q.from}
	var body io.Reader = http.NoBody
	if q.body != nil {
		body = bytes.NewReader(encode(q.body))
	}
	r, err := http.NewRequestWithContext(ctx, q.method, d.o.World.Gateway(q.from)+q.path, body)
	if err != nil {
		a.Error = err.Error()
		return a
	}
	if q.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if q.method != http.MethodGet {
		r.Header.Set("Idempotency-Key", ulid.Make().String())
	}
	if q.token != "" {
		r.Header.Set(gintoken.DefaultHeader, q.token)
	}
	if declared := d.o.World.Topology().Router; q.city != nil && declared != nil && declared.Trust.Location != "" {
		r.Header.Set(declared.Trust.Location, fmt.Sprintf("%g,%g", q.city.Lat, q.city.Long)) // as a proxy in front would, that knows places
	}
	r.Header.Set(router.HeaderExplain, "1")
	res, err := d.client.Do(r)
	if err != nil {
		a.Error = err.Error()
		return a
	}
	defer func() { _ = res.Body.Close() }()
	a.body, err = io.ReadAll(io.LimitReader(res.Body, mostAnswer))
	if err != nil {
		a.Error = err.Error()
		return a
	}
	a.read(res)
	return a
}

// read takes from an answer what it tells of its way.
func (a *answer) read(res *http.Response) {
	a.Status, a.token = res.StatusCode, res.Header.Get(gintoken.DefaultHeader)
	w := demo.WayOf(res.Header)
	a.To, a.Owner, a.Mode, a.Reason, a.Served, a.Database, a.Tries = w.To, w.Owner, w.Mode, w.Reason, w.ServedBy, w.Database, w.Tries
	if a.Status >= 300 {
		var problem struct{ Title, Detail string }
		_ = json.Unmarshal(a.body, &problem) // what is no problem has no text
		a.Error = strings.Trim(problem.Title+": "+problem.Detail, ": ")
	}
}
