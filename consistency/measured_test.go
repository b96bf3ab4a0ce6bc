package consistency_test

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/topology"
)

// A measurement is a median that docs/results/consistency.md has, of operations that found the members at rest.
type measurement struct {
	cellKey
	median time.Duration
	missed bool // when it was measured, which the document explains
}

// measurements reads testdata/measured.txt.
func measurements(t *testing.T) (all []measurement) {
	t.Helper()
	text, err := os.ReadFile("testdata/measured.txt")
	if err != nil {
		t.Fatal(err)
	}
	shards := []topology.ShardID{"nyc", "lon", "syd"}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		head, cells, _ := strings.Cut(line, " | ")
		profile, from, _ := strings.Cut(head, " ")
		writes, reads, _ := strings.Cut(cells, " | ")
		for operation, row := range map[string]string{"write": writes, "read": reads} {
			for i, cell := range strings.Fields(row) {
				ms, err := strconv.ParseFloat(strings.Trim(cell, "()"), 64)
				if err != nil {
					t.Fatalf("%q: %v", line, err)
				}
				all = append(all, measurement{
					cellKey{profile, operation, topology.DatacenterID(strings.TrimSpace(from)), shards[i]}, time.Duration(ms * float64(time.Millisecond)), cell[0] == '(',
				})
			}
		}
	}
	return all
}

// near is the rule by which the document judges: a tenth and 2 ms.
func near(measured, forecast time.Duration) bool {
	return (measured - forecast).Abs() <= forecast/10+2*time.Millisecond
}

// The medians of all profiles, from every datacenter on the records of every shard, as they were measured. The same comparison refuses a forecast that has one round trip to the
// nearest other datacenter too many or too few, in every cell but those of snapshot reads, whose medians scatter by more.
func TestForecastAgreesWithWhatWasMeasured(t *testing.T) {
	world := preset(t, "nyc-lon-syd")
	forecast := map[string][]consistency.Estimate{}
	for _, p := range consistency.Named() {
		forecast[p.Name] = consistency.Forecast(p, world, consistency.Model60, nil)
	}
	all, missed := measurements(t), 0
	for _, m := range all {
		e := find(t, forecast[m.profile], m.from, m.shard)
		median := e.Write.Median
		if m.operation == "read" {
			median = e.Read.Median
		}
		if m.missed {
			missed++
			continue
		}
		if !near(m.median, median) {
			t.Errorf("%s %s from %s on %s: forecast %s, measured %s", m.profile, m.operation, m.from, m.shard, median, m.median)
		}
		if m.profile == "snapshot" && m.operation == "read" {
			continue
		}
		trip := nearest(world, e.Home)
		for _, wrong := range []time.Duration{median - trip, median + trip} {
			if near(m.median, wrong) {
				t.Errorf("%s %s from %s on %s: a forecast of %s, one round trip off, would be taken for right: measured %s", m.profile, m.operation, m.from, m.shard, wrong, m.median)
			}
		}
	}
	if len(all) != 144 || missed != 3 {
		t.Errorf("got %d cells with %d misses, want the 144 and 3 of docs/results/consistency.md", len(all), missed)
	}
}

// nearest is the round trip to the nearest other datacenter.
func nearest(world *topology.Topology, home topology.DatacenterID) time.Duration {
	best := time.Hour
	for _, dc := range world.Datacenters {
		if dc.ID != home {
			best = min(best, world.RTT(home, dc.ID))
		}
	}
	return best
}

// A backToBack is what docs/results/local-cluster.md has of 12 writes one after the other, in round trips to the nearest other datacenter: least and median, directly and through the
// router.
type backToBack struct {
	profile  string
	shard    topology.ShardID
	measured []float64
}

// off says what was measured and is none of the latencies that a forecast has.
func (b backToBack) off(trip time.Duration, forecast []time.Duration) (off []float64) {
	for _, m := range b.measured {
		if !slices.ContainsFunc(forecast, func(f time.Duration) bool { return near(time.Duration(m*float64(trip)), f) }) {
			off = append(off, m)
		}
	}
	return off
}

// Writes one after the other take one of few times, by how the reports of the write before lie: each that was measured is one of those that the forecast has. The same comparison
// refuses a forecast that has one round trip too many or too few.
func TestForecastOfWritesBackToBack(t *testing.T) {
	world := preset(t, "nyc-lon-syd")
	for _, b := range []backToBack{
		{"multi-datacenter", "nyc", []float64{1.04, 2.04, 1.04, 2.04}},
		{"multi-datacenter", "lon", []float64{1.03, 2.03, 1.05, 2.03}},
		{"multi-datacenter", "syd", []float64{1.02, 1.11, 1.01, 1.13}},
		{"durable", "nyc", []float64{2.06, 2.08, 2.06, 2.07}},
		// Its least through the router was 1.33: a journal that was quick enough for the first report saved a part of the second trip, which a model with one time for all journals does not show.
		{"durable", "lon", []float64{2.06, 2.06, 2.07}},
		{"durable", "syd", []float64{1.04, 1.77, 1.20, 1.52}},
	} {
		shard, _ := world.Shard(b.shard)
		trip := nearest(world, world.HomeOf(b.shard))
		forecast := func(shift time.Duration) (all []time.Duration) {
			for _, l := range consistency.BackToBackForTest(lookup(t, b.profile), world, shard, consistency.Model60) {
				all = append(all, l+shift)
			}
			slices.Sort(all)
			return slices.Compact(all)
		}
		if off := b.off(trip, forecast(0)); len(off) > 0 {
			t.Errorf("%s %s: %.2f round trips were measured, and the forecast has %s", b.profile, b.shard, off, forecast(0))
		}
		for _, shift := range []time.Duration{-trip, trip} {
			if off := b.off(trip, forecast(shift)); len(off) == 0 {
				t.Errorf("%s %s: a forecast that is off by %s, one round trip, would be taken for right", b.profile, b.shard, shift)
			}
		}
	}
}
