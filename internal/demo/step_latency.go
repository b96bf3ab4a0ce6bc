package demo

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/wan"
)

// How many requests of a kind are measured. Those that cross an ocean are few.
const (
	manyTimes = 20
	fewTimes  = 5
)

// measured measures in all datacenters at a time what their clients wait, and counts which of their requests crossed a link. What is local is shown by that count: it
// does not depend on how busy the machine is.
func measured(ctx context.Context, p *play) error {
	found, err := together(ctx, p.homes, p.measure)
	if err != nil {
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
	near := p.neighbour(dc)
	l = Latency{Datacenter: dc, Nearest: cluster.Duration(p.topology.RTT(dc, near))}
	carts := map[topology.DatacenterID]*basket{}
	for _, home := range p.homes {
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
	l.LocalWrite = watched.times(manyTimes, write(localFast))
	l.SafeWrite = watched.times(fewTimes, write(""))
	l.LocalRead = watched.times(manyTimes, func(i int) (client.Answer, error) {
		if p.spoilt("latency") && i == manyTimes/2 {
			// as a shop does that is configured badly: the gateway sends the request to the shop nearby, and that asks over the link
			return p.readPrimary(ctx, dc, carts[near], nil)
		}
		_, a, err := p.look(ctx, own, dc, false)
		return a, err
	})
	for _, other := range p.others(dc) {
		a := Abroad{Home: other, RTT: cluster.Duration(p.topology.RTT(dc, other))}
		a.Write, a.Read = p.measureAbroad(ctx, watched, carts[other], dc)
		l.Abroad = append(l.Abroad, a)
	}
	return l, watched.err
}

// measureAbroad writes to a cart at its home from another datacenter, and reads it there after each write: without the token, which takes what the copy has, and with
// it, which waits for the write.
func (p *play) measureAbroad(ctx context.Context, watched *lookout, b *basket, from topology.DatacenterID) (writes, reads Spread) {
	var wrote, read measurements
	for i := range fewTimes {
		wrote.add(watched, func() (client.Answer, error) { return p.set(ctx, b, from, "book", i+2, localFast, "") })
		read.add(watched, func() (client.Answer, error) { _, a, err := p.look(ctx, b, from, false); return a, err })
		if watched.err == nil {
			_, _, watched.err = p.look(ctx, b, from, true)
		}
	}
	return wrote.spread(), read.spread()
}

// times does something a number of times, one after the other.
func (l *lookout) times(n int, do func(i int) (client.Answer, error)) Spread {
	var all measurements
	for i := range n {
		all.add(l, func() (client.Answer, error) { return do(i) })
	}
	return all.spread()
}

// measurements are answers to requests of one kind, and how many of these crossed a link.
type measurements struct {
	answers []client.Answer
	crossed int
	way     string
}

// add sends one more request, unless one has failed. Nobody else sends one about the carts of the lookout meanwhile.
func (m *measurements) add(l *lookout, do func() (client.Answer, error)) {
	if l.err != nil {
		return
	}
	before, _ := l.seen()
	a, err := do()
	l.err = err
	if now, way := l.seen(); now > before {
		m.crossed, m.way = m.crossed+1, way
	}
	m.answers = append(m.answers, a)
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

// A lookout counts what is sent over the links about some carts: by gateways to shops, and by query routers and clients to members. It knows a cart by its identifier,
// which is in each request and in each command for it. What members copy from each other is no request, and does not count.
type lookout struct {
	links, cluster *wan.Watch
	err            error // of the first request that failed while it was measured; none is sent after it
}

func (p *play) lookout(baskets ...*basket) *lookout {
	var about []string
	for _, b := range baskets {
		about = append(about, idOf(b.newest()))
	}
	return &lookout{links: p.cluster.links.Watch(about...), cluster: p.cluster.Watch(about...)}
}

func (l *lookout) close() {
	l.links.Close()
	l.cluster.Close()
}

// seen is how often something about the carts was sent over a link, and one of the ways that it took.
func (l *lookout) seen() (n int, way string) {
	for _, w := range []*wan.Watch{l.links, l.cluster} {
		for c, times := range w.Seen() {
			if program(c.Source) {
				n, way = n+times, fmt.Sprintf("%s to %s in %s", cmp.Or(c.Source, "a client in "+string(c.From)), c.Target, c.To)
			}
		}
	}
	return n, way
}

// program reports whether a source is no member of a shard or of the config servers: a query router, or a client of the network's own.
func program(source string) bool { return source == "" || cluster.RoutesQueries(source) }

// stays sends one request about a cart, and checks that nothing of it crossed a link.
func (p *play) stays(of string, b *basket, do func() (client.Answer, error)) (client.Answer, error) {
	l := p.lookout(b)
	defer l.close()
	a, err := do()
	if err == nil {
		n, way := l.seen()
		p.check("what crossed a link "+of, n == 0, crossings(n, way), 0)
	}
	return a, err
}

func crossings(n int, way string) string {
	if n == 0 {
		return "0"
	}
	return fmt.Sprintf("%d, one from %s", n, way)
}
