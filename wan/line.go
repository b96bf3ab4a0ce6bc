package wan

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/geoshard/geoshard/topology"
)

const (
	// maxInFlight bounds the bytes one line holds; beyond it the line reads no more, and TCP's own flow control holds
	// the sender. It is Linux's largest default send buffer (tcp_wmem), so a stream is about as fast as a real one
	// over such a distance: 4 MiB each 132 ms (the longest preset link) are 32 MB/s.
	maxInFlight = 4 << 20
	// maxLagged is the bound of a line under a Lag: it has to hold the oplog of the whole lag, or the lag would grow.
	maxLagged = 64 << 20

	// A reader's buffer starts small, since most connections carry short messages, and grows for those that fill it.
	minRead = 4 << 10
	maxRead = 64 << 10

	// paceSlice is the time that one write takes on a limited link: short enough to share the link fairly.
	paceSlice = 10 * time.Millisecond
	minSlice  = 1 << 10
	// maxCatchUp is how much of the link's unused past a writer may use: enough to make good a late wake-up, too little
	// for a burst after a receiver that read nothing for a while.
	maxCatchUp = 2 * paceSlice
)

// A packet is what a line carries: bytes, or the end of the stream.
type packet struct {
	data []byte
	end  ending
	sent time.Time
	due  time.Time
	// passed and rate are the packet's reservation on a limited link; rate 0 means none.
	passed time.Time
	rate   topology.ByteRate
}

// An ending is how a stream ends, if it does.
type ending int

const (
	goesOn  ending = iota
	shut           // FIN: no more bytes, the other direction may go on
	aborted        // RST: the connection is dead in both directions
)

// A view is the part of the world that one line sees at a moment.
type view struct {
	direction
	lag     time.Duration
	pipe    *pipe
	changed <-chan struct{}
}

// A line carries one direction of one connection: what fill reads from one end comes out of deliver at the other, in
// order and late. Before open it only collects.
type line struct {
	path  func() view
	alarm *alarm
	done  <-chan struct{} // closed when the connection is over
	wake  chan struct{}   // for deliver: a packet came, or its time has come
	space chan struct{}   // for fill: a packet left
	ended chan struct{}   // closed when fill has seen the end of the stream

	mu     sync.Mutex
	opened bool      // guarded by mu
	queue  []packet  // guarded by mu
	bytes  int       // guarded by mu: held, including the packet being delivered
	last   time.Time // guarded by mu: when the last packet put in is due
}

func newLine(path func() view, a *alarm, done <-chan struct{}) *line {
	return &line{
		path: path, alarm: a, done: done,
		wake: make(chan struct{}, 1), space: make(chan struct{}, 1), ended: make(chan struct{}),
	}
}

// open lets the line run. Bytes collected before were sent by an end that could not know that the connection did not
// stand yet; for them the clock starts now.
func (l *line) open(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opened = true
	d := l.path().direction
	for i := range l.queue {
		l.stampLocked(&l.queue[i], now, d)
	}
	signal(l.wake)
}

func (l *line) stampLocked(p *packet, now time.Time, d direction) {
	p.sent = now
	p.due = d.due(now, l.last, 2*rand.Float64()-1)
	l.last = p.due
}

// put adds a packet; it blocks while the line is full, and returns false when the connection is over.
func (l *line) put(p packet) bool {
	for {
		v := l.path()
		if l.tryPut(p, v) {
			signal(l.wake)
			return true
		}
		select {
		case <-l.space:
		case <-v.changed:
		case <-l.done:
			return false
		}
	}
}

func (l *line) tryPut(p packet, v view) bool {
	limit := maxInFlight
	if v.lag > 0 {
		limit = maxLagged
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// An ending always fits: whoever reports a dead end must not wait for it.
	if p.end == goesOn && l.bytes+len(p.data) > limit {
		return false
	}
	if l.opened {
		l.stampLocked(&p, time.Now(), v.direction)
	}
	l.queue = append(l.queue, p)
	l.bytes += len(p.data)
	return true
}

func (l *line) next() (packet, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.opened || len(l.queue) == 0 {
		return packet{}, false
	}
	p := l.queue[0]
	l.queue[0] = packet{} // lets go of the bytes
	l.queue = l.queue[1:]
	if len(l.queue) == 0 {
		l.queue = nil
	}
	return p, true
}

// fill reads src to its end. Watch sees every chunk first.
func (l *line) fill(src io.Reader, watch func([]byte)) {
	defer close(l.ended)
	buf := make([]byte, minRead)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			watch(buf[:n])
			if !l.put(packet{data: bytes.Clone(buf[:n])}) {
				return
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			l.put(packet{end: shut})
			return
		case err != nil:
			l.put(packet{end: aborted})
			return
		case n == len(buf) && n < maxRead:
			buf = make([]byte, 2*n)
		case n < len(buf)/8 && len(buf) > minRead:
			buf = make([]byte, len(buf)/2)
		}
	}
}

// deliver writes what comes out to dst, until the connection is over, dst is broken (the returned error), or the stream
// ends; how it ended is the returned ending.
func (l *line) deliver(dst io.Writer) (ending, error) {
	for {
		p, ok := l.next()
		if !ok {
			select {
			case <-l.wake:
				continue
			case <-l.done:
				return goesOn, net.ErrClosed
			}
		}
		if p.end != goesOn {
			if !l.await(&p, len(p.data), nil) {
				return goesOn, net.ErrClosed
			}
			return p.end, nil
		}
		if err := l.write(dst, p); err != nil {
			return goesOn, err
		}
	}
}

// write delivers one packet, in slices when the link is limited.
func (l *line) write(dst io.Writer, p packet) error {
	for len(p.data) > 0 {
		n := sliceOf(len(p.data), l.path().rate)
		if !l.await(&p, n, nil) {
			return net.ErrClosed
		}
		if _, err := dst.Write(p.data[:n]); err != nil {
			return err
		}
		p.data = p.data[n:]
		p.rate = 0
		l.mu.Lock()
		l.bytes -= n
		l.mu.Unlock()
		signal(l.space)
	}
	return nil
}

func sliceOf(size int, rate topology.ByteRate) int {
	if rate <= 0 {
		return size
	}
	return min(size, max(minSlice, int(float64(rate)*paceSlice.Seconds())))
}

// await blocks until the next n bytes of a packet come out of the link, whatever happens to the link meanwhile. It
// returns false when the connection is over, or when abandoned closes while the link is cut.
func (l *line) await(p *packet, n int, abandoned <-chan struct{}) bool {
	var asked time.Time // the alarm is set once for each moment, however often a packet behind wakes us
	for {
		v := l.path()
		var quit <-chan struct{}
		if v.cut {
			quit = abandoned
		} else {
			at := v.release(p.sent, p.due, v.lag)
			if v.rate > 0 && n > 0 {
				at = l.pass(p, at, n, v)
			}
			if time.Until(at) <= 0 {
				return true
			}
			if at != asked {
				l.alarm.at(at, l.wake)
				asked = at
			}
		}
		select {
		case <-l.wake:
		case <-v.changed:
		case <-quit:
			return false
		case <-l.done:
			return false
		}
	}
}

// pass reserves the passage of n bytes once they are due, and again when the rate has changed since.
func (l *line) pass(p *packet, due time.Time, n int, v view) time.Time {
	if time.Until(due) > 0 {
		return due
	}
	if p.rate != v.rate {
		now := time.Now()
		p.passed, p.rate = v.pipe.take(later(due, now.Add(-maxCatchUp)), now, n, v.rate), v.rate
	}
	return later(due, p.passed)
}

// cross sends a packet without content through the link, ahead of everything in the line: a step of the handshake.
func (l *line) cross(sent time.Time, abandoned <-chan struct{}) bool {
	p := packet{sent: sent, due: l.path().due(sent, sent, 2*rand.Float64()-1)}
	return l.await(&p, 0, abandoned)
}

// signal wakes the one reader of a channel with room for one signal.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
