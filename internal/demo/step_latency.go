package demo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/topology"
)

// How many requests of a kind are measured. Those that cross an ocean are few.
const (
	manyTimes = 20
	fewTimes  = 5
)

// measured measures in all datacenters at a time what their clients wait, and counts which of their requests crossed a link. What is local is shown by that count: it
// does not depend on how busy the machine is.
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
		name := p.name(l.Datacenter)
		p.stayed("reads of a cart at home in "+name, l.LocalRead)
		p.stayed("writes to it that one member acknowledges", l.LocalWrite)
		p.stayed("writes to it that two datacenters acknowledge", l.SafeWrite)
		p.atLeast("the quickest of these, which waits for the copying", l.SafeWrite.Min, time.Duration(l.Nearest))
		for _, a := range l.Abroad {
			p.stayed("reads there of a cart at home in "+p.name(a.Home), a.Read)
			same(p, fmt.Sprintf("writes from there to it that crossed a link, of %d", a.Write.Count), a.Write.Crossed, a.Write.Count)
			p.atLeast("the quickest write from there to it", a.Write.Min, time.Duration(a.RTT))
		}
	}
	return nil
}

// stayed checks that none of some requests crossed a link.
func (p *play) stayed(what string, s Spread) {
	p.check(fmt.Sprintf("%s that crossed a link, of %d", what, s.Count), s.Crossed == 0, crossings(s.Crossed, s.Way), 0)
}

// measure measures what clients of one datacenter wait.
func (p *play) measure(ctx context.Context, dc topology.DatacenterID) (l Latency, err error) {
	near, rtt := p.neighbour(dc)
	l = Latency{Datacenter: dc, Nearest: cluster.Duration(rtt)}
	carts := map[topology.DatacenterID]*basket{}
	for _, home := range p.world.homes {
		if carts[home], err = p.fill(ctx, home, "book"); err != nil {
			return l, err
		}
	}
	watched := p.lookout(slices.Collect(maps.Values(carts))...)
	defer watched.close()
	own := carts[dc]
	write := func(profile string) func(int) (client.Answer, error) {
		return func(i int) (client.Answer, error) { return p.set(ctx, own, dc, "book", i+1, profile, "") }
	}
	if l.LocalWrite, err = watched.times(manyTimes, write(localFast)); err != nil {
		return l, err
	}
	if l.SafeWrite, err = watched.times(fewTimes, write("")); err != nil {
		return l, err
	}
	l.LocalRead, err = watched.times(manyTimes, func(i int) (client.Answer, error) {
		if p.spoilt("latency") && i == manyTimes/2 {
			// as a shop does that is configured badly: the gateway sends the request to the shop nearby, and that asks over the link
			return p.readPrimary(ctx, dc, carts[near], nil)
		}
		_, a, err := p.look(ctx, own, dc, false)
		return a, err
	})
	if err != nil {
		return l, err
	}
	for _, other := range p.others(dc) {
		a := Abroad{Home: other, RTT: cluster.Duration(p.world.topology.RTT(dc, other))}
		if a.Write, a.Read, err = p.measureAbroad(ctx, watched, carts[other], dc); err != nil {
			return l, err
		}
		l.Abroad = append(l.Abroad, a)
	}
	return l, nil
}

// measureAbroad writes to a cart at its home from another datacenter, and reads it there after each write: without the token, which takes what the copy has, and with
// it, which waits for the write.
func (p *play) measureAbroad(ctx context.Context, watched *lookout, b *basket, from topology.DatacenterID) (writes, reads Spread, err error) {
	var wrote, read measurements
	for i := range fewTimes {
		if err = wrote.add(watched, func() (client.Answer, error) { return p.set(ctx, b, from, "book", i+2, localFast, "") }); err != nil {
			return writes, reads, err
		}
		if err = read.add(watched, func() (client.Answer, error) { _, a, err := p.look(ctx, b, from, false); return a, err }); err != nil {
			return writes, reads, err
		}
		if _, _, err = p.look(ctx, b, from, true); err != nil {
			return writes, reads, err
		}
	}
	return wrote.spread(), read.spread(), nil
}

// times does something a number of times, one after the other.
func (l *lookout) times(n int, do func(i int) (client.Answer, error)) (Spread, error) {
	var all measurements
	for i := range n {
		if err := all.add(l, func() (client.Answer, error) { return do(i) }); err != nil {
			return Spread{}, err
		}
	}
	return all.spread(), nil
}

// measurements are answers to requests of one kind, and how many of these crossed a link.
type measurements struct {
	answers []client.Answer
	crossed int
	way     string
}

// add sends one more request. Nobody else sends one about the carts of the lookout meanwhile.
func (m *measurements) add(l *lookout, do func() (client.Answer, error)) error {
	before, _ := l.seen()
	a, err := do()
	if err != nil {
		return err
	}
	if now, way := l.seen(); now > before {
		m.crossed, m.way = m.crossed+1, way
	}
	m.answers = append(m.answers, a)
	return nil
}

func (m *measurements) spread() Spread {
	s := spread(m.answers)
	s.Crossed, s.Way = m.crossed, m.way
	return s
}

func spread(all []client.Answer) Spread {
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
