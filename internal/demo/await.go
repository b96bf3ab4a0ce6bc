package demo

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

const (
	// patience bounds every wait for a state: more than anything takes on a machine that is busy with something else.
	patience = 3 * time.Minute
	// spoiltFor is how long is waited for what a spoilt step cannot bring about: several times as long as it takes otherwise.
	spoiltFor = 6 * time.Second
	pause     = 50 * time.Millisecond
)

// await polls until something is as wanted. The error says what was waited for in vain, and why.
func await(ctx context.Context, within time.Duration, what string, wanted func(context.Context) error) error {
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var last error
	_, err := backoff.Retry(limited, func() (struct{}, error) {
		last = wanted(limited)
		return struct{}{}, last
	}, backoff.WithBackOff(backoff.NewConstantBackOff(pause)), backoff.WithMaxElapsedTime(0))
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return hint.New(fmt.Errorf("waited %s in vain for %s: %w", time.Since(began).Round(time.Second), what, last),
		"is the machine busy with something else? a larger --election-timeout helps then")
}

// awaits is await for what a step is about. If the step is spoilt it does not wait for ever, and the checks tell what has not come.
func (p *play) awaits(ctx context.Context, step, what string, wanted func(context.Context) error) error {
	if !p.spoilt(step) {
		return await(ctx, patience, what, wanted)
	}
	if err := await(ctx, spoiltFor, what, wanted); ctx.Err() != nil {
		return err
	}
	return nil
}

// awaitServing waits until a gateway passes requests on to its own shop.
func (w *World) awaitServing(ctx context.Context, dc topology.DatacenterID) error {
	return await(ctx, patience, "the shop in "+string(dc)+" to serve", func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.places[dc].direct+"/readyz", nil)
		if err != nil {
			return err
		}
		r.Close = true // one question
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", res.Status, text)
		}
		for _, seen := range w.places[dc].gateway.Table().Datacenters {
			if seen.ID == dc && seen.Up {
				return nil
			}
		}
		return fmt.Errorf("the gateway does not see it")
	})
}

// awaitStatus waits until the cluster is as wanted.
func (w *World) awaitStatus(ctx context.Context, what string, wanted func(cluster.Status) bool) error {
	return await(ctx, patience, what, func(ctx context.Context) error {
		status, err := w.cluster.Status(ctx)
		if err == nil && !wanted(status) {
			err = fmt.Errorf("the cluster is not there yet")
		}
		return err
	})
}
