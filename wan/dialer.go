package wan

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/geoshard/geoshard/topology"
)

// DefaultDialTimeout bounds a connect whose context sets no earlier end, as the driver's own connect timeout does.
const DefaultDialTimeout = 30 * time.Second

// A Dialer connects our own clients as from one datacenter. It fits the Go driver's options.ContextDialer.
type Dialer struct {
	// Timeout bounds one connect; 0 means DefaultDialTimeout.
	Timeout time.Duration

	entries func() map[string]string // see Network.Entries
	err     error                    // of every dial
}

// Dialer returns a dialer for clients in a datacenter; it knows fronts opened later too.
// A datacenter that the network does not have makes every dial fail with topology.ErrUnknownDatacenter.
func (n *Network) Dialer(dc topology.DatacenterID) *Dialer {
	_, err := n.place(dc)
	return &Dialer{err: err, entries: func() map[string]string { return n.Entries(dc) }}
}

// Entries maps each front to the address where the dialers of a datacenter connect in its stead. With it another process
// on this machine can build a dialer by NewDialer.
func (n *Network) Entries(dc topology.DatacenterID) map[string]string {
	entries := map[string]string{}
	from := n.index(dc)
	if from < 0 {
		return entries
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, f := range n.fronts {
		entries[f.addr()] = f.listeners[1+from].Addr().String()
	}
	return entries
}

// NewDialer builds a dialer from what Entries returned in the process that owns the network.
func NewDialer(entries map[string]string) *Dialer {
	return &Dialer{entries: func() map[string]string { return entries }}
}

// DialContext connects to a front over the link from the dialer's datacenter: it takes a round trip, and over a cut link blocks until the
// link heals, ctx ends or the timeout passes. An address that is no front is dialled directly.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if d.err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, d.err)
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(d.Timeout, DefaultDialTimeout))
	defer cancel()
	var direct net.Dialer
	entry, ok := d.entries()[address]
	if !ok {
		return direct.DialContext(ctx, network, address)
	}
	conn, err := direct.DialContext(ctx, network, entry)
	if err != nil {
		return nil, err
	}
	if err := awaitEstablished(ctx, conn); err != nil {
		_ = conn.Close()
		return nil, &net.OpError{Op: "dial", Net: network, Addr: frontAddr(address), Err: err}
	}
	return conn, nil
}

// awaitEstablished reads the byte that says that the connection stands.
func awaitEstablished(ctx context.Context, conn net.Conn) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	var b [1]byte
	_, err := conn.Read(b[:])
	if !stop() && ctx.Err() != nil {
		if context.Cause(ctx) == context.DeadlineExceeded {
			return os.ErrDeadlineExceeded
		}
		return ctx.Err()
	}
	if err != nil {
		return syscall.ECONNREFUSED // the member does not listen: a front accepts in any case
	}
	return nil
}

// A frontAddr is a front as a net.Addr, for errors: the caller knows the front, not the entry.
type frontAddr string

func (frontAddr) Network() string  { return "tcp" }
func (a frontAddr) String() string { return string(a) }
