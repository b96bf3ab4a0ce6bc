package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/topology"
)

const (
	keptRequests  = 60
	keptLatencies = 1500
)

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
	At int64 `json:"at"`
	// Way is "read" where a copy here answered, "local" for a write that stayed, "remote" for anything that left the datacenter.
	Way  string  `json:"way"`
	Took float64 `json:"took"`
}

// kindOf is what a request is to its sender.
func kindOf(q client.Request) string {
	switch {
	case q.Method == http.MethodGet:
		return "read"
	case q.Path == "/v1/carts":
		return "new"
	default:
		return "write"
	}
}

// A problemError is an answer that is no success.
type problemError struct{ view requestView }

func (e *problemError) Error() string {
	asked := fmt.Sprintf("%s %s at the gateway of %s: ", e.view.Method, e.view.Path, e.view.From)
	if e.view.Status != 0 {
		asked += fmt.Sprintf("%d, ", e.view.Status)
	}
	return asked + e.view.Error
}

// ask sends somebody's request and tells the pages of it; of nobody's request it does not: that only keeps a page up to date. Its error is a *problemError; the view
// is there in any case, and the token if the answer has one.
func (d *Dashboard) ask(ctx context.Context, who string, q client.Request, into any) (v requestView, token string, err error) {
	began := time.Now()
	a, err := d.client.Send(ctx, q, into)
	ended := time.Now()
	v = requestView{
		At: ended.UnixMilli(), Who: who, Kind: kindOf(q), Method: a.Method, Path: a.Path, From: a.From, To: a.To, Owner: a.Owner, Mode: a.Mode, Reason: a.Reason,
		Status: a.Status, Took: millis(ended.Sub(began)), Database: a.Database, Tries: a.Tries, Served: a.ServedBy,
	}
	var refused *client.RefusedError
	if errors.As(err, &refused) {
		v.Error = refused.Reason()
	} else if err != nil {
		v.Error = err.Error()
	}
	if v.Status != 0 || !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		d.learn(v, err == nil, began, ended)
	}
	if err != nil {
		return v, a.Token, &problemError{v}
	}
	return v, a.Token, nil
}

// learn tells the pages of a request that has ended.
func (d *Dashboard) learn(v requestView, fine bool, began, ended time.Time) {
	if fine && v.Kind != "read" {
		d.mu.Lock()
		if d.failovers.wrote(write{v.Owner, began, ended}) {
			d.hub.set("failovers", d.failovers.shown())
		}
		d.mu.Unlock()
	}
	if v.Who == "" {
		return
	}
	d.hub.add("requests", keptRequests, v)
	if !fine {
		return
	}
	point := latencyView{At: v.At, Took: v.Took, Way: "remote"}
	if v.To == v.From {
		point.Way = map[bool]string{true: "read", false: "local"}[v.Kind == "read"]
	}
	d.hub.add("latencies", keptLatencies, point)
}
