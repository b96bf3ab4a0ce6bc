package consistency_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

// measured asserts what load cannot change: nothing is quicker than light. BenchmarkForecast holds the medians against the forecast.
func measured(t *testing.T, w *world) {
	n := testkit.Count(t, "samples", 6, 30)
	for _, name := range []string{"local-fast", "multi-datacenter", "durable", "session", "strict"} { // the others cost what one of these does
		p := lookup(t, name)
		light := p // what no report can be quicker than: the entry to the nearest member and the answer back
		if p.Write.Majority {
			light.Write = consistency.Write{Members: 2}
		}
		for _, dc := range []topology.DatacenterID{"NYC", "LON"} {
			forecast, least := cell(consistency.Forecast(p, w.Topology(), consistency.Model60, nil), dc), cell(consistency.Forecast(light, w.Topology(), consistency.Model60, nil), dc)
			coll := w.at(t, w.routed(t, dc, p, nil), "three").Collection("forecast")
			if name != "session" && name != "strict" {
				compare(t, name+" write from "+string(dc), times(t, n, func() error {
					_, err := coll.InsertOne(t.Context(), bson.D{})
					return err
				}), forecast.Write, least.Write.Least)
			}
			atLeast := forecast.Read.Least
			if name == "strict" {
				atLeast = least.Write.Least // it waits as a write does
			}
			compare(t, name+" read from "+string(dc), times(t, n, func() error {
				return ignoreMissing(coll.FindOne(t.Context(), bson.D{{Key: "_id", Value: 0}}).Err())
			}), forecast.Read, atLeast)
		}
	}
}

func cell(estimates []consistency.Estimate, dc topology.DatacenterID) consistency.Estimate {
	i := slices.IndexFunc(estimates, func(e consistency.Estimate) bool { return e.Datacenter == dc && e.Shard == "three" })
	return estimates[i]
}

// times runs an operation again and again, and returns how long each took but the first two, which connect and create.
func times(t *testing.T, n int, do func() error) []time.Duration {
	t.Helper()
	var all []time.Duration
	for i := range n + 2 {
		began := time.Now()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		if i >= 2 {
			all = append(all, time.Since(began))
		}
	}
	slices.Sort(all)
	return all
}

func ignoreMissing(err error) error {
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil
	}
	return err
}

func compare(t *testing.T, what string, measured []time.Duration, forecast *consistency.Span, atLeast time.Duration) {
	t.Helper()
	least, median := measured[0], measured[len(measured)/2]
	round := func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
	t.Logf("%-34s least %s median %s; forecast %s, %s, mean %s", what, round(least), round(median), round(forecast.Least), round(forecast.Median), round(forecast.Mean))
	if least < atLeast*9/10-2*time.Millisecond {
		t.Errorf("%s: took %s, and nothing is quicker than %s", what, least, atLeast)
	}
}
