package gateway

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/geoshard/geoshard/router"
)

// metrics are the gateway's. Those of the hot path are found once, by datacenter and reason.
type metrics struct {
	decisions  *prometheus.CounterVec
	requests   *prometheus.CounterVec
	latency    *prometheus.HistogramVec
	ups        *prometheus.GaugeVec
	losses     *prometheus.CounterVec
	held       prometheus.Counter
	heldFor    prometheus.Histogram
	full       prometheus.Counter
	retried    prometheus.Counter
	followed   prometheus.Counter
	failovers  prometheus.Counter
	lookups    *prometheus.CounterVec
	reloads    *prometheus.CounterVec
	rehomed    prometheus.Counter
	statuses   *prometheus.CounterVec
	byStatus   [6]prometheus.Counter // by hundred; 0 = broken off
	all        []prometheus.Collector
	registered prometheus.Registerer
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
	m := &metrics{registered: r}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "geoshard", Subsystem: "gateway", Name: name, Help: help}, labels)
		m.all = append(m.all, v)
		return v
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "geoshard", Subsystem: "gateway", Name: name, Help: help, Buckets: seconds}, labels)
		m.all = append(m.all, v)
		return v
	}
	gauge := func(name, help string, now func() float64) {
		m.all = append(m.all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "geoshard", Subsystem: "gateway", Name: name, Help: help}, now))
	}
	m.decisions = counter("decisions_total", "Decisions, by the datacenter they chose and the rule that made them.", "datacenter", "reason")
	m.requests = counter("requests_total", "Requests passed on, by datacenter, class, and whether they stayed (local) or left the gateway's datacenter (cross).", "datacenter", "class", "way")
	m.statuses = counter("answers_total", "Answers to clients, by the hundred of their status; aborted where there was none.", "status")
	m.latency = histogram("upstream_seconds", "How long upstreams took to begin their answers.", "datacenter")
	m.ups = prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "geoshard", Subsystem: "gateway", Name: "up", Help: "Whether a datacenter's application answers."}, []string{"datacenter"})
	m.all = append(m.all, m.ups)
	m.losses = counter("losses_total", "How often a datacenter was lost.", "datacenter")
	m.held = counter("held_total", "Requests that were held.").WithLabelValues()
	m.heldFor = histogram("held_seconds", "How long requests were held.").WithLabelValues().(prometheus.Histogram)
	m.full = counter("hold_refused_total", "Requests that were not held because too many were.").WithLabelValues()
	m.retried = counter("retries_total", "Tries after the first.").WithLabelValues()
	m.followed = counter("followed_total", "Requests that followed a record to another home.").WithLabelValues()
	m.failovers = counter("failovers_total", "Changes of a shard's primary, as this gateway has seen them.").WithLabelValues()
	m.lookups = counter("lookups_total", "Lookups of records in the directory.", "outcome")
	m.reloads = counter("reloads_total", "Reloads of the configuration.", "outcome")
	m.rehomed = counter("rehomed_total", "Records that were given another home by this gateway's API.").WithLabelValues()
	gauge("held", "Requests that are held now.", func() float64 { return float64(g.queue.held.Load()) })
	gauge("replay_bytes", "Bytes of bodies that are kept to be sent again.", func() float64 { return float64(g.queue.bytes.Load()) })
	gauge("requests_under_way", "Requests under way.", func() float64 { return float64(g.underWay.Load()) })
	for i, text := range []string{"aborted", "1xx", "2xx", "3xx", "4xx", "5xx"} {
		m.byStatus[i] = m.statuses.WithLabelValues(text)
	}
	for i, c := range m.all {
		if err := r.Register(c); err != nil {
			for _, before := range m.all[:i] {
				r.Unregister(before)
			}
			return nil, errors.Join(errors.New("register metrics"), err)
		}
	}
	return m, nil
}

func (m *metrics) unregister() {
	for _, c := range m.all {
		m.registered.Unregister(c)
	}
}

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

// A tally is what is counted of a request that is over.
type tally struct {
	status   int // 0 = it was broken off
	decision router.Decision
	class    router.Class
	tries    int
}

// ended counts a request that is over, by the wiring that it began with.
func (m *metrics) ended(at *wiring, t tally) {
	if i := t.status / 100; i < len(m.byStatus) {
		m.byStatus[i].Inc()
	}
	if t.decision.Reason == router.ReasonUnknown {
		return // refused before it was decided on
	}
	of := &at.metrics[t.decision.To]
	of.decided[t.decision.Reason].Inc()
	if t.tries > 1 {
		m.retried.Add(float64(t.tries - 1))
	}
	if t.tries == 0 {
		return
	}
	way := 0
	if t.decision.To != at.here {
		way = 1
	}
	of.share[t.class][way].Inc()
}
