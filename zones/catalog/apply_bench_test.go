package catalog_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/catalog"
	"github.com/geoshard/geoshard/zones/plan"
)

// oneByOne makes one change at a time, as Apply did before it made groups of them.
type oneByOne struct {
	apply.Performer
	mu sync.Mutex
}

func (p *oneByOne) Perform(ctx context.Context, c zones.Change) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.Performer.Perform(ctx, c)
}

// BenchmarkApply gives a collection many ranges, from New York over the links of nyc-lon-syd and without their delays, all that may be at the same time and one
// by one: the control has a twentieth of the ranges.
func BenchmarkApply(b *testing.B) {
	for _, links := range []struct {
		name  string
		scale float64
	}{{"delays=none", -1}, {"delays=nyc-lon-syd", 1}} {
		b.Run(links.name, func(b *testing.B) {
			text, err := configs.Read(configs.Default)
			if err != nil {
				b.Fatal(err)
			}
			world, err := topology.Parse(configs.Default, text)
			if err != nil {
				b.Fatal(err)
			}
			c := clustertest.Own(b, local.Options{Name: "apply", Topology: world, WANScale: links.scale})
			cat := openAt(b, c, "NYC")
			ranges, n := testkit.Count(b, "ranges", 500, 5_000), 0
			planned := func(ranges int) *zones.Plan {
				n++
				plan, err := cat.Plan(b.Context(), manyRanges(world, fmt.Sprintf("bench.c%d", n), ranges), plan.Options{})
				if err != nil || len(plan.Steps) < ranges {
					b.Fatalf("%d steps, %v", len(plan.Steps), err)
				}
				return plan
			}
			applied := func(ranges int, deps apply.Deps) time.Duration {
				plan := planned(ranges)
				began := time.Now()
				if _, err := apply.Apply(b.Context(), plan, deps, apply.Options{AutoApprove: true, Force: true}); err != nil {
					b.Fatal(err)
				}
				return time.Since(began)
			}
			for b.Loop() {
				deps := cat.ApplyDeps(catalog.LockOptions{})
				together := applied(ranges, deps)
				deps.Performer = &oneByOne{Performer: deps.Performer}
				single := applied(ranges/20, deps)
				each := single / time.Duration(ranges/20)
				b.ReportMetric(together.Seconds(), "s/apply")
				b.ReportMetric(bareCommands(b, cat, planned(ranges)).Seconds(), "s/bare-commands")
				b.ReportMetric(each.Seconds()*1000, "ms/range-one-by-one")
				b.ReportMetric(each.Seconds()*float64(ranges)/together.Seconds(), "times-as-fast")
			}
		})
	}
}

// bareCommands is how long the servers take for the ranges of a plan by themselves: updateZoneKeyRange from as many clients at once as Apply makes steps, with no
// journal, no lease and nothing read back.
func bareCommands(b *testing.B, cat *catalog.Catalog, plan *zones.Plan) time.Duration {
	b.Helper()
	began := time.Now()
	var clients errgroup.Group
	clients.SetLimit(32)
	for _, step := range plan.Steps {
		added, ok := step.Change.(zones.AddRange)
		if !ok {
			b.Fatalf("%s is no range", step.Change)
		}
		clients.Go(func() error {
			return cat.Client().Database("admin").RunCommand(b.Context(), bson.D{
				{Key: "updateZoneKeyRange", Value: added.Collection}, {Key: "min", Value: added.Range.Min}, {Key: "max", Value: added.Range.Max}, {Key: "zone", Value: added.Range.Zone},
			}).Err()
		})
	}
	if err := clients.Wait(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// manyRanges is a world whose only namespace declares that many values.
func manyRanges(world *topology.Topology, collection string, values int) *topology.Topology {
	w := *world
	ns := topology.Namespace{Name: collection, Key: byDC, ZoneBy: "dc", Unknown: topology.UnknownReport, OnlyRanges: true}
	for i := range values {
		ns.Ranges = append(ns.Ranges, topology.Range{Zone: w.Zones[i%len(w.Zones)].ID, Values: []topology.Value{topology.StringOf(fmt.Sprintf("V%06d", i))}})
	}
	w.Namespaces = []topology.Namespace{ns}
	return &w
}
