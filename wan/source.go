package wan

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/geoshard/geoshard/topology"
)

// A place is where a registered process runs.
type place struct {
	dc     int
	member string
}

// A socketPair tells a connection by its two ports on 127.0.0.1: the end that connected, and ours.
type socketPair struct{ client, front uint32 }

// sources knows which registered process owns a connection. Everyone who asks while a look is under way shares the next one: it starts
// after their connections were accepted, and therefore sees them. A storm of connections makes looks larger, not more: there is one at a
// time, and it rests as long as it took before the next, so that looking takes half a core at most.
type sources struct {
	ctx  context.Context
	find func(context.Context, []socketPair, []int32) (map[socketPair]int32, error)
	kick chan struct{}

	mu      sync.Mutex
	places  map[int32]place // guarded by mu: by pid
	version int             // guarded by mu: counts registrations
	waiting []*inquiry      // guarded by mu
}

type inquiry struct {
	pair   socketPair
	answer chan verdict
}

type verdict struct {
	place
	known   bool
	version int // of the registrations that were looked at
}

func newSources(ctx context.Context) *sources {
	return &sources{ctx: ctx, find: new(finder).owners, kick: make(chan struct{}, 1), places: map[int32]place{}}
}

// owner asks who opened a connection; it returns false when the network closes first.
func (s *sources) owner(pair socketPair) (verdict, bool) {
	q := &inquiry{pair: pair, answer: make(chan verdict, 1)}
	s.mu.Lock()
	s.waiting = append(s.waiting, q)
	s.mu.Unlock()
	signal(s.kick)
	select {
	case v := <-q.answer:
		return v, true
	case <-s.ctx.Done():
		return verdict{}, false
	}
}

func (s *sources) run() {
	for {
		select {
		case <-s.kick:
			began := time.Now()
			s.look()
			pause(s.ctx, time.Since(began))
		case <-s.ctx.Done():
			return
		}
	}
}

// look answers everyone who waits at once.
func (s *sources) look() {
	s.mu.Lock()
	open := map[socketPair][]*inquiry{}
	for _, q := range s.waiting {
		open[q.pair] = append(open[q.pair], q)
	}
	s.waiting = nil
	places, version := maps.Clone(s.places), s.version
	s.mu.Unlock()
	// An error leaves everyone unknown until the next registration.
	found, _ := s.find(s.ctx, slices.Collect(maps.Keys(open)), slices.Collect(maps.Keys(places)))
	for pair, pid := range found {
		for _, q := range open[pair] {
			q.answer <- verdict{place: places[pid], known: true, version: version}
		}
		delete(open, pair)
	}
	for _, qs := range open {
		for _, q := range qs {
			q.answer <- verdict{version: version}
		}
	}
}

// register returns the number of registrations so far.
func (s *sources) register(pid int32, p place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places[pid] = p
	s.version++
}

func (s *sources) unregister(pid int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.places, pid)
}

func (s *sources) stale(version int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version != version
}

// Register says in which datacenter a process runs, and which member it is ("" for one that is no member, such as a query router).
// Connections that it opened a moment before are moved to their link as well. It returns topology.ErrUnknownDatacenter for one the network does not have.
func (n *Network) Register(pid int, dc topology.DatacenterID, member string) error {
	at := n.index(dc)
	if at < 0 {
		return fmt.Errorf("register process %d: %w", pid, n.unknownDatacenter(dc))
	}
	n.sources.register(int32(pid), place{dc: at, member: member})
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return fmt.Errorf("register process %d: %w", pid, ErrClosed)
	}
	for c := range n.circuits {
		if !c.route.Load().known {
			n.wg.Go(func() { n.classify(c) })
		}
	}
	return nil
}

// Unregister forgets a process that has ended.
func (n *Network) Unregister(pid int) { n.sources.unregister(int32(pid)) }

// classify finds a circuit's source. A process that nobody registered counts as in the member's own datacenter.
func (n *Network) classify(c *circuit) {
	if tell := n.options.Source; tell != nil {
		if dc, member, known := tell(c.near.RemoteAddr()); known && n.index(dc) >= 0 {
			c.route.Store(&route{from: n.index(dc), member: member, known: true})
		}
		return
	}
	pair := socketPair{client: uint32(c.near.RemoteAddr().(*net.TCPAddr).Port), front: c.front.port}
	for {
		v, ok := n.sources.owner(pair)
		if !ok {
			return
		}
		if v.known {
			c.route.Store(&route{from: v.dc, member: v.member, known: true})
			return
		}
		// Registered while we looked: look again, for Register may have seen this circuit before it waited here.
		if !n.sources.stale(v.version) {
			return
		}
	}
}

// pause rests, until ctx ends.
func pause(ctx context.Context, long time.Duration) {
	rest := time.NewTimer(long)
	defer rest.Stop()
	select {
	case <-rest.C:
	case <-ctx.Done():
	}
}

func (n *Network) allFronts() []*front {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Collect(maps.Values(n.fronts))
}
