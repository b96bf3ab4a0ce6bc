package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/geoshard/geoshard/internal/pace"
)

// mostCheckAnswer is how much of a check's answer is read, so that its connection can be used again.
const mostCheckAnswer = 4 << 10

// check asks the upstreams of a wiring whether they are ready, each at its own time, until the context ends. end makes it end before, and waits for that.
func (g *Gateway) check(ctx context.Context, w *wiring) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for _, u := range w.upstreams {
		all.Go(func() {
			pace.Every(ctx, g.o.CheckEvery, func() {
				began := time.Now()
				err := g.ask(ctx, w, u)
				if ctx.Err() != nil {
					return
				}
				u.checked(time.Since(began), err)
				g.assess() // also for the round trip, and for ejections that are over
			})
		})
	}
	return func() {
		cancel()
		all.Wait()
	}
}

// ask checks once. Redirections are not followed: a check that leads elsewhere says nothing about this upstream.
func (g *Gateway) ask(ctx context.Context, w *wiring, u *upstream) error {
	ctx, cancel := context.WithTimeout(ctx, g.o.CheckWithin)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.url.JoinPath(g.o.CheckPath).String(), nil)
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", "geoshard-gateway")
	res, err := w.transports.of(r).RoundTrip(r)
	if err != nil {
		return err
	}
	_, err = io.CopyN(io.Discard, res.Body, mostCheckAnswer)
	_ = res.Body.Close()
	if err != nil && err != io.EOF {
		return err
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s", g.o.CheckPath, res.Status)
	}
	return nil
}
