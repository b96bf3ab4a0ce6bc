package wan

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/geoshard/geoshard/internal/pace"
	"github.com/geoshard/geoshard/topology"
)

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
	places  map[int32]route               // guarded by mu: by pid
	version int                           // guarded by mu: counts registrations
	waiting map[socketPair][]chan<- route // guarded by mu
}

func newSources(ctx context.Context) *sources {
	return &sources{ctx: ctx, find: new(finder).owners, kick: make(chan struct{}, 1), places: map[int32]route{}, waiting: map[socketPair][]chan<- route{}}
}

// owner is where a connection comes from; not known as well when the network closes first.
func (s *sources) owner(pair socketPair) route {
	answer := make(chan route, 1)
	s.mu.Lock()
	s.waiting[pair] = append(s.waiting[pair], answer)
	s.mu.Unlock()
	signal(s.kick)
	select {
	case r := <-answer:
		return r
	case <-s.ctx.Done():
		return route{}
	}
}

func (s *sources) run() {
	for {
		select {
		case <-s.kick:
			began := time.Now()
			s.look()
			pace.Pause(s.ctx, time.Since(began))
		case <-s.ctx.Done():
			return
		}
	}
}

// look answers everyone who waits at once.
func (s *sources) look() {
	s.mu.Lock()
	open, places, version := s.waiting, maps.Clone(s.places), s.version
	s.waiting = map[socketPair][]chan<- route{}
	s.mu.Unlock()
	// An error leaves everyone unknown until the next registration.
	found, _ := s.find(s.ctx, slices.Collect(maps.Keys(open)), slices.Collect(maps.Keys(places)))
	s.mu.Lock()
	defer s.mu.Unlock()
	for pair, answers := range open {
		r := places[found[pair]] // not known without an owner
		if !r.known && s.version != version {
			// Registered while we looked: look again, for Register may have seen the circuit before it waited here.
			s.waiting[pair] = append(s.waiting[pair], answers...)
			signal(s.kick)
			continue
		}
		for _, answer := range answers {
			answer <- r
		}
	}
}

func (s *sources) register(pid int32, r route) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places[pid] = r
	s.version++
}

func (s *sources) unregister(pid int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.places, pid)
}

// Register says in which datacenter a process runs, and which member it is ("" for one that is no member, such as a query router).
// Connections that it opened a moment before are moved to their link as well. It returns topology.ErrUnknownDatacenter for one the network does not have.
func (n *Network) Register(pid int, dc topology.DatacenterID, member string) error {
	at, err := n.place(dc)
	if err != nil {
		return fmt.Errorf("register process %d: %w", pid, err)
	}
	n.sources.register(int32(pid), route{from: at, member: member, known: true})
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
	var r route
	if tell := n.options.Source; tell != nil {
		dc, member, known := tell(c.near.RemoteAddr())
		at, err := n.place(dc)
		r = route{at, member, known && err == nil}
	} else {
		r = n.sources.owner(socketPair{client: portOf(c.near.RemoteAddr()), front: portOf(c.near.LocalAddr())})
	}
	if r.known {
		c.route.Store(&r)
	}
}

func portOf(addr net.Addr) uint32 { return uint32(addr.(*net.TCPAddr).Port) }
