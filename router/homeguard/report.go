package homeguard

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/geoshard/geoshard/topology"
)

// A Report is what was counted so far.
type Report struct {
	Here topology.DatacenterID `json:"here"`
	// Judged are the statements that were sent to declared namespaces, Cross those of them that left the datacenter, and Share is Cross / Judged, 0 if there are none.
	Judged uint64  `json:"judged"`
	Cross  uint64  `json:"cross"`
	Share  float64 `json:"share"`
	// Outside are the statements sent to other namespaces.
	Outside uint64 `json:"outside"`
	// Refused were not sent. Allowed are among Cross.
	Refused uint64 `json:"refused"`
	Allowed uint64 `json:"allowed"`
	// Dropped had a shape beyond the limit: they are counted under "(other shapes)".
	Dropped uint64 `json:"dropped"`
	// Shapes are sorted: those that leave most often come first.
	Shapes []ShapeReport `json:"shapes"`
}

// A ShapeReport is what was counted of one shape.
type ShapeReport struct {
	Shape string `json:"shape"`
	Sent  uint64 `json:"sent"`
	Cross uint64 `json:"cross"`
	// Home, Remote, NoKey, Unplaced and Outside divide Sent by the verdicts.
	Home     uint64 `json:"home,omitempty"`
	Remote   uint64 `json:"remote,omitempty"`
	NoKey    uint64 `json:"noKey,omitempty"`
	Unplaced uint64 `json:"unplaced,omitempty"`
	Outside  uint64 `json:"outside,omitempty"`
	Refused  uint64 `json:"refused,omitempty"`
	Allowed  uint64 `json:"allowed,omitempty"`
}

// Report returns what was counted so far. Statements that are counted meanwhile may be in one figure and not yet in another.
func (g *Guard) Report() Report {
	t := g.tally
	r := Report{Here: g.options.Here, Refused: t.refused.Load(), Allowed: t.allowed.Load(), Dropped: t.dropped.Load(), Shapes: []ShapeReport{}}
	r.Cross, r.Judged, r.Share = t.share()
	for c := range t.sent {
		r.Outside += t.sent[c][VerdictOutside][0].Load()
	}
	for _, s := range t.all() {
		if one := s.report(); one.Sent+one.Refused > 0 {
			r.Shapes = append(r.Shapes, one)
		}
	}
	slices.SortFunc(r.Shapes, func(a, b ShapeReport) int {
		return cmp.Or(cmp.Compare(b.Cross+b.Refused, a.Cross+a.Refused), cmp.Compare(b.Sent, a.Sent), cmp.Compare(a.Shape, b.Shape))
	})
	return r
}

// all lists the shapes, and the rest.
func (t *tally) all() []*shapeCount {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return append(slices.Collect(maps.Values(t.shapes)), t.other)
}

func (s *shapeCount) report() ShapeReport {
	r := ShapeReport{Shape: s.name, Refused: s.refused.Load(), Allowed: s.allowed.Load()}
	by := map[Verdict]*uint64{VerdictHome: &r.Home, VerdictRemote: &r.Remote, VerdictNoKey: &r.NoKey, VerdictUnplaced: &r.Unplaced, VerdictOutside: &r.Outside}
	for v, sum := range by {
		cross := s.sent[v][1].Load()
		*sum = s.sent[v][0].Load() + cross
		r.Cross += cross
		r.Sent += *sum
	}
	return r
}

// Text is the report for people.
func (r Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "home guard in %s: %d of %d statements left the datacenter (%.1f %%); %d refused, %d allowed\n", r.Here, r.Cross, r.Judged, 100*r.Share, r.Refused, r.Allowed)
	for _, s := range r.Shapes {
		fmt.Fprintf(&b, "  %8d of %8d left, %d refused  %s\n", s.Cross, s.Sent, s.Refused, s.Shape)
	}
	return b.String()
}

// The metrics. Shapes are no labels: a report has them.
var (
	sentDesc = prometheus.NewDesc("geoshard_homeguard_statements_total", "Statements sent, by command, by what their key says, and whether they left the datacenter.",
		[]string{"command", "verdict", "cross"}, nil)
	shareDesc   = prometheus.NewDesc("geoshard_homeguard_cross_share", "Share of the statements on declared namespaces that left the datacenter.", nil, nil)
	refusedDesc = prometheus.NewDesc("geoshard_homeguard_refused_total", "Statements refused before they were sent.", nil, nil)
	allowedDesc = prometheus.NewDesc("geoshard_homeguard_allowed_total", "Statements that left the datacenter and were meant to.", nil, nil)
	shapesDesc  = prometheus.NewDesc("geoshard_homeguard_shapes", "Query shapes that are told apart.", nil, nil)
	droppedDesc = prometheus.NewDesc("geoshard_homeguard_dropped_total", "Statements whose shape is beyond the limit and was not told apart.", nil, nil)
)

var _ prometheus.Collector = (*Guard)(nil)

// Describe makes a guard a prometheus.Collector.
func (g *Guard) Describe(descriptions chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{sentDesc, shareDesc, refusedDesc, allowedDesc, shapesDesc, droppedDesc} {
		descriptions <- d
	}
}

// Collect makes a guard a prometheus.Collector.
func (g *Guard) Collect(metrics chan<- prometheus.Metric) {
	t := g.tally
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	for c := range t.sent {
		for v := range t.sent[c] {
			for cross, name := range []string{"false", "true"} {
				if n := t.sent[c][v][cross].Load(); n > 0 {
					counter(sentDesc, n, commandNames[c], Verdict(v).String(), name)
				}
			}
		}
	}
	_, _, share := t.share()
	metrics <- prometheus.MustNewConstMetric(shareDesc, prometheus.GaugeValue, share)
	metrics <- prometheus.MustNewConstMetric(shapesDesc, prometheus.GaugeValue, float64(len(t.all())-1))
	counter(refusedDesc, t.refused.Load())
	counter(allowedDesc, t.allowed.Load())
	counter(droppedDesc, t.dropped.Load())
}
