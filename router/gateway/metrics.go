package gateway

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/geoshard/geoshard/router"
)

// metrics are the gateway's. Those of the hot path are found once, by datacenter and reason.
type metrics struct {
	decisions, requests, losses, lookups, reloads     *prometheus.CounterVec
	held, full, retried, followed, failovers, rehomed prometheus.Counter
	latency                                           *prometheus.HistogramVec
	heldFor                                           prometheus.Histogram
	ups                                               *prometheus.GaugeVec
	byStatus                                          [6]prometheus.Counter // by hundred; 0 = broken off
	all                                               *prometheus.Registry
	registerer                                        prometheus.Registerer
}

// placeMetrics are those of one datacenter.
type placeMetrics struct {
	decided []prometheus.Counter // by reason
	// share is by class, and by whether the request stayed in this gateway's datacenter or left it.
	share   [router.New + 1][2]prometheus.Counter
	latency prometheus.Observer
	up      prometheus.Gauge
	lost    prometheus.Counter
}

// seconds reach from a neighbour's answer to the longest wait.
var seconds = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .2, .3, .5, 1, 2.5, 5, 10, 20, 30}

func newMetrics(r prometheus.Registerer, g *Gateway) (*metrics, error) {
	m := &metrics{all: prometheus.NewRegistry(), registerer: prometheus.WrapRegistererWithPrefix("geoshard_gateway_", r)}
	auto := promauto.With(m.all)
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return auto.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	counter := func(name, help string) prometheus.Counter {
		return auto.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	gauge := func(name, help string, now func() int64) {
		auto.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(now()) })
	}
	m.decisions = counters("decisions_total", "Decisions, by the datacenter they chose and the rule that made them.", "datacenter", "reason")
	m.requests = counters("requests_total", "Requests passed on, by datacenter, class, and whether they stayed (local) or left the gateway's datacenter (cross).", "datacenter", "class", "way")
	m.latency = auto.NewHistogramVec(prometheus.HistogramOpts{Name: "upstream_seconds", Help: "How long upstreams took to begin their answers.", Buckets: seconds}, []string{"datacenter"})
	m.ups = auto.NewGaugeVec(prometheus.GaugeOpts{Name: "up", Help: "Whether a datacenter's application answers."}, []string{"datacenter"})
	m.losses = counters("losses_total", "How often a datacenter was lost.", "datacenter")
	m.held = counter("held_total", "Requests that were held.")
	m.heldFor = auto.NewHistogram(prometheus.HistogramOpts{Name: "held_seconds", Help: "How long requests were held.", Buckets: seconds})
	m.full = counter("hold_refused_total", "Requests that were not held because too many were.")
	m.retried = counter("retries_total", "Tries after the first.")
	m.followed = counter("followed_total", "Requests that followed a record to another home.")
	m.failovers = counter("failovers_total", "Changes of a shard's primary, as this gateway has seen them.")
	m.lookups = counters("lookups_total", "Lookups of records in the directory.", "outcome")
	m.reloads = counters("reloads_total", "Reloads of the configuration.", "outcome")
	m.rehomed = counter("rehomed_total", "Records that were given another home by this gateway's API.")
	gauge("held", "Requests that are held now.", g.held.taken.Load)
	gauge("replay_bytes", "Bytes of bodies that are kept to be sent again.", g.kept.taken.Load)
	gauge("requests_under_way", "Requests under way.", g.underWay.Load)
	answers := counters("answers_total", "Answers to clients, by the hundred of their status; aborted where there was none.", "status")
	for i, text := range []string{"aborted", "1xx", "2xx", "3xx", "4xx", "5xx"} {
		m.byStatus[i] = answers.WithLabelValues(text)
	}
	if err := m.registerer.Register(m.all); err != nil {
		return nil, errors.Join(errors.New("register metrics"), err)
	}
	return m, nil
}

func (m *metrics) unregister() { m.registerer.Unregister(m.all) }

// of finds the metrics of a datacenter.
func (m *metrics) of(dc string) placeMetrics {
	p := placeMetrics{decided: make([]prometheus.Counter, len(router.Reasons())+1), latency: m.latency.WithLabelValues(dc)}
	if dc != "none" {
		p.up, p.lost = m.ups.WithLabelValues(dc), m.losses.WithLabelValues(dc)
	}
	for _, reason := range router.Reasons() {
		p.decided[reason] = m.decisions.WithLabelValues(dc, reason.String())
	}
	for class := router.Read; class <= router.New; class++ {
		for i, way := range []string{"local", "cross"} {
			p.share[class][i] = m.requests.WithLabelValues(dc, class.String(), way)
		}
	}
	return p
}

// ended counts a request that is over, by the wiring that it began with. One without a status was broken off.
func (m *metrics) ended(x *exchange) {
	if i := x.answer.status / 100; i < len(m.byStatus) {
		m.byStatus[i].Inc()
	}
	d := x.decision
	if d.Reason == router.ReasonUnknown {
		return // refused before it was decided on
	}
	of := &x.at.metrics[d.To]
	of.decided[d.Reason].Inc()
	if x.tries == 0 {
		return
	}
	m.retried.Add(float64(x.tries - 1))
	way := 0
	if d.To != x.at.here {
		way = 1
	}
	of.share[x.request.Query.Class][way].Inc()
}
