package demo

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/topology"
)

// How many requests of a kind are measured. Those that cross an ocean are few.
const (
	manyTimes = 20
	fewTimes  = 5
)

// measured measures in all datacenters at a time what their clients wait, and holds it against the links.
func measured(ctx context.Context, p *play) error {
	found := make([]Latency, len(p.world.homes))
	group, together := errgroup.WithContext(ctx)
	for i, dc := range p.world.homes {
		group.Go(func() (err error) {
			found[i], err = p.measure(together, dc)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	p.report.Latencies = found
	for _, l := range found {
		near := time.Duration(l.Nearest)
		name := p.name(l.Datacenter)
		// The quickest of several shows what has to be waited for: a link is never quicker than its round trip, and a busy machine can be slow.
		p.below("the quickest read of a cart at home in "+name, l.LocalRead.Min, near)
		p.below("the quickest write to it that one member acknowledges", l.LocalWrite.Min, near)
		p.atLeast("the quickest write to it that two datacenters acknowledge", l.SafeWrite.Min, near)
		for _, a := range l.Abroad {
			p.below("the quickest read there of a cart at home in "+p.name(a.Home), a.Read.Min, time.Duration(a.RTT))
			p.atLeast("the quickest write from there to it", a.Write.Min, time.Duration(a.RTT))
		}
	}
	return nil
}

// measure measures what clients of one datacenter wait.
func (p *play) measure(ctx context.Context, dc topology.DatacenterID) (l Latency, err error) {
	near, rtt := p.neighbour(dc)
	l = Latency{Datacenter: dc, Nearest: cluster.Duration(rtt)}
	home := dc
	if p.spoilt("latency") {
		home = near
	}
	b, err := p.fill(ctx, home, "book")
	if err != nil {
		return l, err
	}
	write := func(b *basket, profile string) func(int) (answer, error) {
		return func(i int) (answer, error) { return p.set(ctx, b, dc, "book", i+1, profile) }
	}
	if l.LocalWrite, err = times(manyTimes, write(b, localFast)); err != nil {
		return l, err
	}
	if l.SafeWrite, err = times(fewTimes, write(b, "")); err != nil {
		return l, err
	}
	l.LocalRead, err = times(manyTimes, func(int) (answer, error) { _, a, err := p.look(ctx, b, dc, false); return a, err })
	if err != nil {
		return l, err
	}
	for _, other := range p.others(dc) {
		a := Abroad{Home: other, RTT: cluster.Duration(p.world.topology.RTT(dc, other))}
		b, err := p.fill(ctx, other, "book")
		if err != nil {
			return l, err
		}
		if a.Write, a.Read, err = p.measureAbroad(ctx, b, dc); err != nil {
			return l, err
		}
		l.Abroad = append(l.Abroad, a)
	}
	return l, nil
}

// measureAbroad writes to a cart at its home from another datacenter, and reads it there after each write: without the token, which takes what the copy has, and with
// it, which waits for the write.
func (p *play) measureAbroad(ctx context.Context, b *basket, from topology.DatacenterID) (writes, reads Spread, err error) {
	var read []answer
	writes, err = times(fewTimes, func(i int) (answer, error) {
		a, err := p.set(ctx, b, from, "book", i+2, localFast)
		if err != nil {
			return a, err
		}
		_, r, err := p.look(ctx, b, from, false)
		if err == nil {
			read = append(read, r)
			_, _, err = p.look(ctx, b, from, true)
		}
		return a, err
	})
	return writes, spread(read), err
}

// times does something a number of times, one after the other.
func times(n int, do func(i int) (answer, error)) (Spread, error) {
	var all []answer
	for i := range n {
		a, err := do(i)
		if err != nil {
			return Spread{}, err
		}
		all = append(all, a)
	}
	return spread(all), nil
}

func spread(all []answer) Spread {
	if len(all) == 0 {
		return Spread{}
	}
	took := make([]cluster.Duration, len(all))
	for i, a := range all {
		took[i] = a.Took
	}
	slices.Sort(took)
	return Spread{Count: len(took), Min: took[0], P50: took[len(took)/2], Max: took[len(took)-1]}
}
