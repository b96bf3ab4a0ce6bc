package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A measurement is what one number of clients came to.
type measurement struct {
	clients int
	results []*result
}

// A result is what one contestant came to.
type result struct {
	*contestant
	latency *hdrhistogram.Histogram
	// rates are requests per second, one for each round.
	rates    []float64
	requests int64
	cpu      time.Duration
}

// measure loads the contestants by turns. A first round warms up and does not count.
func measure(ctx context.Context, field []*contestant, clients int, requests []request, o options) (measurement, error) {
	m := measurement{clients: clients}
	for _, c := range field {
		m.results = append(m.results, &result{contestant: c, latency: newLatency()})
	}
	for round := range o.rounds + 1 {
		for i := range m.results {
			r := m.results[(i+round)%len(m.results)]
			own := requests
			if r.command == nil {
				own = requests[:1]
			}
			before := r.contestant.cpu()
			s, err := drive(ctx, r.address, clients, own, o.slice)
			if err != nil {
				return m, fmt.Errorf("%s: %w", r.name, err)
			}
			if ctx.Err() != nil {
				return m, ctx.Err()
			}
			if round == 0 {
				continue
			}
			r.cpu += r.contestant.cpu() - before
			r.latency.Merge(s.latency)
			r.requests += s.requests
			r.rates = append(r.rates, float64(s.requests)/s.took.Seconds())
		}
	}
	return m, nil
}

func (m measurement) find(name string) *result {
	for _, r := range m.results {
		if r.name == name {
			return r
		}
	}
	return nil
}

// ratio is the median, over the rounds, of how a contestant's rate compares with another's in the same round.
func (r *result) ratio(other *result) float64 {
	if other == nil {
		return 0
	}
	var ratios []float64
	for i := range r.rates {
		ratios = append(ratios, r.rates[i]/other.rates[i])
	}
	return median(ratios)
}

func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// cpuPerRequest is a contestant's processor time for one request, in microseconds.
func (r *result) cpuPerRequest() float64 {
	if r.requests == 0 {
		return 0
	}
	return float64(r.cpu.Microseconds()) / float64(r.requests)
}

func (m measurement) print(w io.Writer) {
	fmt.Fprintf(w, "\n%d clients\n", m.clients)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "way\tversion\treq/s (median)\tx straight\tx bare\tx caddy\tx nginx\tx haproxy\tp50 us\tadded p50 us\tp99 us\tCPU us/req\trequests\t")
	for _, r := range m.results {
		fmt.Fprintf(t, "%s\t%s\t%.0f\t", r.name, r.version, median(r.rates))
		for _, other := range []string{straight, roleBare, "caddy", "nginx", "haproxy"} {
			fmt.Fprintf(t, "%.2f\t", r.ratio(m.find(other)))
		}
		p50 := r.latency.ValueAtQuantile(50)
		added := p50 - m.find(straight).latency.ValueAtQuantile(50)
		fmt.Fprintf(t, "%d\t%d\t%d\t%.1f\t%d\t\n", p50, added, r.latency.ValueAtQuantile(99), r.cpuPerRequest(), r.requests)
	}
	_ = t.Flush() // to standard output: there is nowhere to tell of it
}
