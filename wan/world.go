package wan

import (
	"slices"
	"sync"
	"time"

	"github.com/geoshard/geoshard/topology"
)

// A direction is one of the two ways of a link as it is at present, faults and scale included. The zero direction is
// the inside of a datacenter: no delay, no limit.
type direction struct {
	oneWay, jitter time.Duration
	rate           topology.ByteRate // 0 means unlimited
	cut            bool
	// healed is when the last cut ended; packets that were sent before it have to cross the link once more from then on.
	healed time.Time
}

// A world is the state of all links at one moment. It is never changed, only replaced; replacing it closes changed.
type world struct {
	size    int
	dirs    []direction // [from*size+to]
	lag     map[string]time.Duration
	changed chan struct{}
}

func (w *world) direction(from, to int) direction { return w.dirs[from*w.size+to] }

// conditions are what the state of the links is computed from.
type conditions struct {
	datacenters []topology.DatacenterID
	links       []topology.Link
	faults      []Fault
	scale       float64
	delays      bool
}

// directions computes every direction anew. It is pure; healed is left for the caller, who knows what was cut before.
func (c conditions) directions() []direction {
	size := len(c.datacenters)
	dirs := make([]direction, size*size)
	way := func(from, to topology.DatacenterID) *direction {
		return &dirs[slices.Index(c.datacenters, from)*size+slices.Index(c.datacenters, to)]
	}
	both := func(a, b topology.DatacenterID) []*direction { return []*direction{way(a, b), way(b, a)} }
	for _, l := range c.links {
		for _, d := range both(l.Between[0], l.Between[1]) {
			*d = direction{oneWay: l.RTT / 2, jitter: l.Jitter, rate: l.Bandwidth}
		}
	}
	for _, f := range c.faults {
		switch f := f.(type) {
		case Cut:
			way(f.From, f.To).cut = true
			if !f.OneWay {
				way(f.To, f.From).cut = true
			}
		case Isolate:
			for _, other := range c.datacenters {
				for _, d := range both(f.DC, other) {
					d.cut = other != f.DC
				}
			}
		case Delay:
			for _, d := range both(f.A, f.B) {
				d.oneWay = f.RTT / 2
			}
		case Jitter:
			for _, d := range both(f.A, f.B) {
				d.jitter = f.Max
			}
		case Bandwidth:
			for _, d := range both(f.A, f.B) {
				d.rate = f.Rate
			}
		}
	}
	// Slow multiplies what the other faults left, whatever the order they were applied in.
	for _, f := range c.faults {
		if f, ok := f.(Slow); ok {
			for _, d := range both(f.A, f.B) {
				*d = d.slowed(f.Factor)
			}
		}
	}
	for i := range dirs {
		dirs[i] = dirs[i].scaled(c.scale, c.delays)
	}
	return dirs
}

func (d direction) stretched(factor float64) direction {
	d.oneWay, d.jitter = times(d.oneWay, factor), times(d.jitter, factor)
	return d
}

func (d direction) slowed(factor float64) direction {
	d = d.stretched(factor)
	if d.rate > 0 {
		d.rate = max(1, topology.ByteRate(float64(d.rate)/factor))
	}
	return d
}

func (d direction) scaled(scale float64, delays bool) direction {
	if !delays {
		return direction{cut: d.cut}
	}
	return d.stretched(scale)
}

func times(d time.Duration, factor float64) time.Duration { return time.Duration(float64(d) * factor) }

// due is when a packet sent now arrives if nothing changes. u, in [-1, 1), is its share of the jitter; previous is when
// the packet before it arrives: TCP hands bytes over in order, so a late packet holds up those behind it.
func (d direction) due(sent, previous time.Time, u float64) time.Time {
	transit := max(0, d.oneWay+times(d.jitter, u))
	return later(previous, sent.Add(transit))
}

// release is when a packet that was due at the given time comes out, given what happened to the link meanwhile. A packet that was on its
// way or held when the link healed is sent again at that moment: the best that retransmission can do.
func (d direction) release(sent, due time.Time, lag time.Duration) time.Time {
	if sent.Before(d.healed) {
		due = later(due, d.healed.Add(d.oneWay))
	}
	return due.Add(lag)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// A pipe is the bandwidth of one direction, shared by all connections over it, in the order they come.
type pipe struct {
	mu   sync.Mutex
	free time.Time         // guarded by mu: when everything taken so far has passed
	rate topology.ByteRate // guarded by mu
}

// take reserves the passage of n bytes that were ready at a time and returns when they have passed. A changed rate holds from now
// on, and forgets what was reserved at the old one.
func (p *pipe) take(ready, now time.Time, n int, rate topology.ByteRate) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rate != rate {
		p.rate, p.free = rate, now
	}
	p.free = later(p.free, ready).Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	return p.free
}
