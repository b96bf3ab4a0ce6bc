package wan

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/geoshard/geoshard/topology"
)

// A front is the address that one member is known by.
type front struct {
	member  string
	dc      int
	addr    string   // where members and other processes connect; the source is found by the process
	port    uint32   // of addr
	entries []string // one for each datacenter: where our own dialers of that datacenter connect
	target  atomic.Pointer[string]
}

func (f *front) targetAddr() string { return *f.target.Load() }

// Front opens an address (see Options.Listen) that stands for a member in a datacenter: what connects there reaches target,
// the member's real "host:port", over the link from the datacenter of the process that connects. The member need not run yet.
//
// Errors: topology.ErrUnknownDatacenter, ErrClosed, a second front for one member, no free port.
func (n *Network) Front(member string, dc topology.DatacenterID, target string) (string, error) {
	f, err := n.open(member, dc, target)
	if err != nil {
		return "", fmt.Errorf("open front of %s: %w", member, err)
	}
	return f.addr, nil
}

func (n *Network) open(member string, dc topology.DatacenterID, target string) (*front, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := n.index(dc)
	switch {
	case n.closed:
		return nil, ErrClosed
	case at < 0:
		return nil, n.unknownDatacenter(dc)
	case member == "":
		return nil, errors.New("the member has no name")
	case n.fronts[member] != nil:
		return nil, fmt.Errorf("it is open already, at %s", n.fronts[member].addr)
	}
	var listeners []net.Listener
	for i := range 1 + len(n.now.datacenters) {
		listen := n.options.Listen
		if i > 0 { // entries are for this process and its like
			listen = func(string) (net.Listener, error) { return net.Listen("tcp4", "127.0.0.1:0") }
		}
		l, err := listen(member)
		if err != nil {
			for _, l := range listeners {
				_ = l.Close()
			}
			return nil, err
		}
		listeners = append(listeners, l)
	}
	f := &front{
		member: member, dc: at,
		addr: listeners[0].Addr().String(), port: uint32(listeners[0].Addr().(*net.TCPAddr).Port),
	}
	f.target.Store(&target)
	n.wg.Go(func() { n.accept(listeners[0], func(conn net.Conn) { n.receive(f, conn) }) })
	for from, l := range listeners[1:] {
		f.entries = append(f.entries, l.Addr().String())
		n.wg.Go(func() {
			n.accept(l, func(conn net.Conn) { n.carry(newCircuit(n, f, conn, true, route{from: from, known: true}), nil) })
		})
	}
	n.fronts[member] = f
	n.listeners = append(n.listeners, listeners...)
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
	var known []string
	for name := range n.fronts {
		known = append(known, name)
	}
	slices.Sort(known)
	return nil, &UnknownError{Kind: topology.ErrUnknownMember, Name: member, Known: known}
}

// accept hands over connections until the listener is closed.
func (n *Network) accept(l net.Listener, handle func(net.Conn)) {
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			handle(conn)
		case errors.Is(err, net.ErrClosed):
			return
		case n.ctx.Err() != nil:
			return
		default:
			// Out of file descriptors, or a connection that died in the backlog: the next one may do better,
			// but not at once.
			pause(n.ctx, 10*time.Millisecond)
		}
	}
}

// receive carries a connection to a front, once its source is known.
func (n *Network) receive(f *front, conn net.Conn) {
	c := newCircuit(n, f, conn, false, route{from: f.dc})
	n.carry(c, func() { n.classify(c) })
}

// carry runs a circuit, after a first step.
func (n *Network) carry(c *circuit, first func()) {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		c.finish(true)
		return
	}
	n.circuits[c] = struct{}{}
	n.wg.Add(1) // under mu: Close waits only after it has set closed
	n.mu.Unlock()
	go func() {
		defer n.wg.Done()
		if first != nil {
			first()
		}
		c.run()
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.circuits, c)
	}()
}
