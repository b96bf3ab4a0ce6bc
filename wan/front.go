package wan

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/geoshard/geoshard/internal/pace"
	"github.com/geoshard/geoshard/topology"
)

// A front is the address that one member is known by.
type front struct {
	member string
	dc     int
	target atomic.Pointer[string]
	// The first is where members and other processes connect: the source is found by the process. The others are entries, one for each
	// datacenter: where our own dialers of that datacenter connect.
	listeners []net.Listener
}

func (f *front) addr() string { return f.listeners[0].Addr().String() }

func (f *front) close() {
	for _, l := range f.listeners {
		_ = l.Close() // nothing to save
	}
}

// freePort listens for this machine.
func freePort(string) (net.Listener, error) { return net.Listen("tcp4", "127.0.0.1:0") }

// Front opens an address (see Options.Listen) that stands for a member in a datacenter: what connects there reaches target,
// the member's real "host:port", over the link from the datacenter of the process that connects. The member need not run yet.
//
// Errors: topology.ErrUnknownDatacenter, ErrClosed, a second front for one member, no free port.
func (n *Network) Front(member string, dc topology.DatacenterID, target string) (string, error) {
	f, err := n.open(member, dc, target)
	if err != nil {
		return "", fmt.Errorf("open front of %s: %w", member, err)
	}
	return f.addr(), nil
}

func (n *Network) open(member string, dc topology.DatacenterID, target string) (*front, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at, err := n.place(dc)
	switch {
	case n.closed:
		return nil, ErrClosed
	case err != nil:
		return nil, err
	case member == "":
		return nil, errors.New("the member has no name")
	case n.fronts[member] != nil:
		return nil, fmt.Errorf("it is open already, at %s", n.fronts[member].addr())
	}
	f := &front{member: member, dc: at}
	f.target.Store(&target)
	for i := range 1 + len(n.now.datacenters) {
		listen, r := n.options.Listen, route{from: at}
		if i > 0 { // entries are for this process and its like
			listen, r = freePort, route{from: i - 1, known: true}
		}
		l, err := listen(member)
		if err != nil {
			f.close()
			return nil, err
		}
		f.listeners = append(f.listeners, l)
		n.wg.Go(func() { n.accept(l, func(conn net.Conn) { n.carry(newCircuit(n, f, conn, i > 0, r)) }) })
	}
	n.fronts[member] = f
	return f, nil
}

// SetTarget changes the real address behind a member's front, for connections that come from now on.
// It returns topology.ErrUnknownMember for a member without a front.
func (n *Network) SetTarget(member, target string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	f, err := n.frontLocked(member)
	if err != nil {
		return fmt.Errorf("set target: %w", err)
	}
	f.target.Store(&target)
	return nil
}

func (n *Network) frontLocked(member string) (*front, error) {
	if f := n.fronts[member]; f != nil {
		return f, nil
	}
	return nil, &UnknownError{Kind: topology.ErrUnknownMember, Name: member, Known: slices.Sorted(maps.Keys(n.fronts))}
}

// accept hands over connections until the listener is closed.
func (n *Network) accept(l net.Listener, handle func(net.Conn)) {
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			handle(conn)
		case errors.Is(err, net.ErrClosed), n.ctx.Err() != nil:
			return
		default:
			// Out of file descriptors, or a connection that died in the backlog: the next one may do better,
			// but not at once.
			pace.Pause(n.ctx, 10*time.Millisecond)
		}
	}
}

// carry runs a circuit, once its source is known.
func (n *Network) carry(c *circuit) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		c.finish(true)
		return
	}
	n.circuits[c] = struct{}{}
	n.wg.Go(func() { // under mu: Close waits only after it has set closed
		if !c.entry {
			n.classify(c)
		}
		c.run()
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.circuits, c)
	})
}
