package demo

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cart/server"
	"github.com/geoshard/geoshard/placement"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/wan"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/catalog"
	"github.com/geoshard/geoshard/zones/plan"
	"github.com/geoshard/geoshard/zones/verify"
)

// A zoning is what became of the declared zones when the world started.
type zoning struct {
	steps            []string
	planned, applied time.Duration
}

// zone plans what the declared zones need, applies it, and sets up the shop's catalogue and stock. To shard a collection takes the servers dozens of round trips, one
// after the other, so that is done at full speed, as the cluster itself was started; the delays are on from then on.
func (w *World) zone(ctx context.Context) (err error) {
	for _, l := range w.topology.Links {
		none := wan.Delay{A: l.Between[0], B: l.Between[1]}
		if err := w.cluster.Apply(ctx, none); err != nil {
			return err
		}
		defer func() {
			if err == nil {
				err = w.cluster.Remove(ctx, none)
			}
		}()
	}
	began := time.Now()
	planned := func(plan *zones.Plan) {
		w.zoning.planned, began = time.Since(began), time.Now()
		for _, step := range plan.Steps {
			w.zoning.steps = append(w.zoning.steps, step.Change.String())
		}
		w.options.Progress(fmt.Sprintf("plan: %d steps", len(plan.Steps)))
	}
	uri, err := w.cluster.URI(w.center())
	if err != nil {
		return err
	}
	err = server.Setup(ctx, server.SetupOptions{
		Target: server.Target{URI: uri, World: w.topology}, DataCenters: w.homes, Planned: planned, Progress: func(text string) { w.options.Progress("apply: " + text) },
	})
	w.zoning.applied = time.Since(began)
	return err
}

// Plan plans what the cluster lacks of the declared zones: nothing, once the world has started.
func (w *World) Plan(ctx context.Context) (*zones.Plan, error) {
	uri, err := w.cluster.URI(w.center())
	if err != nil {
		return nil, err
	}
	c, err := catalog.Open(ctx, catalog.Options{URI: uri})
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close(context.WithoutCancel(ctx)) }() // all is done or has failed by then
	return c.Plan(ctx, w.topology, plan.Options{Shard: true})
}

// Verify proves by documents, on every member, that each is where it belongs.
func (w *World) Verify(ctx context.Context) (*verify.Report, error) {
	return verify.Verify(ctx, w.places[w.center()].client, w.topology, verify.Options{ShardClient: options.Client()})
}

// center is the datacenter from which the others are reached soonest.
func (w *World) center() topology.DatacenterID { return w.homes[placement.Center(w.topology, w.homes)] }
