package wan

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// established is the one byte an entry sends ahead of the stream when the connection stands at last; Dialer waits for it.
const established = 0x06 // ASCII ACK

// A circuit is one connection through the network: near is the end that was accepted, far the member's.
type circuit struct {
	network *Network
	front   *front
	entry   bool // near is one of our dialers, which waits for established
	near    net.Conn
	start   time.Time
	done    chan struct{}
	stop    sync.Once

	route   atomic.Pointer[route]
	fetcher atomic.Bool  // near fetches an oplog
	halves  atomic.Int32 // directions that have ended in order
	forward *line        // near to far
	back    *line

	mu  sync.Mutex
	far net.Conn // guarded by mu until the circuit stands
}

// A route is where a circuit, or every circuit of a registered process, comes from; where it goes to is its front's business.
type route struct {
	from   int    // index of the datacenter
	member string // the member that opened it; empty for clients
	known  bool   // false: no registered process owned the connection, so far
}

func newCircuit(n *Network, f *front, near net.Conn, entry bool, r route) *circuit {
	c := &circuit{network: n, front: f, near: near, entry: entry, start: time.Now(), done: make(chan struct{})}
	c.route.Store(&r)
	c.forward = newLine(func() view { return n.view(c.route.Load().from, f.dc, "") }, n.alarm, c.done)
	c.back = newLine(func() view {
		r, laggard := c.route.Load(), ""
		if c.fetcher.Load() {
			laggard = r.member
		}
		return n.view(f.dc, r.from, laggard)
	}, n.alarm, c.done)
	return c
}

// run carries the circuit until it is over. Each of its goroutines ends with it.
func (c *circuit) run() {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer c.finish(false) // ends what the other goroutines block on

	wg.Go(func() {
		var sniff oplogSniffer
		var watch watcher
		c.forward.fill(c.near, func(b []byte) {
			watch.sees(b, c)
			if !c.entry && !c.fetcher.Load() && sniff.sees(b) {
				c.fetcher.Store(true)
			}
		})
	})
	if !c.connect() {
		c.finish(true)
		return
	}
	c.forward.open(time.Now())
	c.back.open(time.Now())
	wg.Go(func() { c.back.fill(c.far, func([]byte) {}) })
	over := make(chan struct{})
	wg.Go(func() {
		defer close(over)
		c.carry(c.back, c.forward, c.near)
	})
	c.carry(c.forward, c.back, c.far)
	<-over
}

// connect does what SYN and SYN-ACK do: there, knock, and back. An end that gives up while the link is cut was never
// heard of on the other side.
func (c *circuit) connect() bool {
	if !c.forward.cross(c.start, c.forward.ended) {
		return false
	}
	var d net.Dialer
	far, err := d.DialContext(c.network.ctx, "tcp", *c.front.target.Load())
	if err == nil {
		c.mu.Lock()
		c.far = far
		c.mu.Unlock()
	}
	if !c.back.cross(time.Now(), c.forward.ended) || err != nil {
		return false
	}
	if c.entry {
		if _, err := c.near.Write([]byte{established}); err != nil {
			return false
		}
	}
	return true
}

// carry delivers one line to its end, and tells the other end when this one is dead.
func (c *circuit) carry(l, other *line, dst net.Conn) {
	for {
		end, err := l.deliver(dst)
		if err == nil && end == shut {
			err = closeWrite(dst)
		}
		switch {
		case err != nil:
			// dst is gone. Its peer learns that by a reset, which has to travel back like everything else.
			other.put(packet{end: aborted})
			return
		case end == aborted:
			c.finish(true)
			return
		case c.halves.Add(1) == 2:
			c.finish(false)
			return
		}
	}
}

func closeWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return conn.Close()
}

// finish ends the circuit: by a reset, or after both ends have said that they are done. It is idempotent, and lets run return.
func (c *circuit) finish(reset bool) {
	c.stop.Do(func() {
		if reset {
			abort(c.near)
		}
		close(c.done)
		_ = c.near.Close()
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.far != nil {
		if reset {
			abort(c.far)
		}
		_ = c.far.Close()
	}
}

// abort makes the following Close a reset, as of a process that was killed with bytes unread.
func abort(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}
