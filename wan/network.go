package wan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/topology"
)

// ErrClosed is returned by a network that has been closed.
var ErrClosed = errors.New("network is closed")

// An UnknownError names something that the network does not have, and what it has.
type UnknownError struct {
	// Kind is topology.ErrUnknownDatacenter or topology.ErrUnknownMember.
	Kind  error
	Name  string
	Known []string
}

func (e *UnknownError) Error() string { return fmt.Sprintf("%v %q", e.Kind, e.Name) }

// Unwrap gives the sentinel.
func (e *UnknownError) Unwrap() error { return e.Kind }

// Hint lists what is known.
func (e *UnknownError) Hint() string {
	if len(e.Known) == 0 {
		return "there is none yet"
	}
	return "known: " + spelling.List(e.Known)
}

// Options say what a network emulates.
type Options struct {
	// Datacenters are required; their IDs are distinct.
	Datacenters []topology.DatacenterID
	// Links are the paths between them; a pair without one has no delay, but can be cut.
	Links []topology.Link
	// Scale multiplies all round-trip times and jitters, declared ones and those of faults; 0 means 1, negative
	// means no delay at all. Bandwidth and Lag are not scaled.
	Scale float64
	// Listen opens the address of a member's front; nil means a free port of 127.0.0.1.
	Listen func(member string) (net.Listener, error)
	// Source tells where a connection to a front comes from, and which member opened it ("" for none), where the other end's address says
	// so. nil means that the process that owns the other end tells, which has to be registered and to run on this machine.
	Source func(remote net.Addr) (dc topology.DatacenterID, member string, known bool)
}

// A Network emulates the links between datacenters for the members that have a front in it. Its methods may be called
// by several goroutines at once. Close it when done.
type Network struct {
	alarm   *alarm
	pipes   []pipe // one per direction, as world.dirs
	sources *sources
	options Options // Listen and Source; the rest is in now
	state   atomic.Pointer[world]
	watches atomic.Pointer[[]*Watch]

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // every goroutine of the network

	mu       sync.Mutex
	closed   bool                  // guarded by mu
	now      conditions            // guarded by mu
	fronts   map[string]*front     // guarded by mu: by member
	circuits map[*circuit]struct{} // guarded by mu
}

// New starts a network without members, with its delays on.
func New(o Options) (*Network, error) { return start(o, newSleeper) }

func start(o Options, clock func() sleeper) (*Network, error) {
	if o.Listen == nil {
		o.Listen = freePort
	}
	n := &Network{
		options:  o,
		fronts:   map[string]*front{},
		circuits: map[*circuit]struct{}{},
		now: conditions{
			datacenters: slices.Clone(o.Datacenters), links: slices.Clone(o.Links),
			scale: max(0, cmp.Or(o.Scale, 1)), delays: true,
		},
	}
	if err := n.checkOptions(); err != nil {
		return nil, fmt.Errorf("start network: %w", err)
	}
	n.pipes = make([]pipe, len(o.Datacenters)*len(o.Datacenters))
	n.alarm = &alarm{sleeper: clock()}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.sources = newSources(n.ctx)
	n.state.Store(&world{changed: make(chan struct{})})
	n.turnLocked() // nobody else knows n yet
	n.watches.Store(&[]*Watch{})
	n.wg.Go(n.alarm.run)
	n.wg.Go(n.sources.run)
	return n, nil
}

func (n *Network) checkOptions() error {
	if len(n.now.datacenters) == 0 {
		return errors.New("no datacenters")
	}
	for i, dc := range n.now.datacenters {
		if dc == "" || slices.Contains(n.now.datacenters[:i], dc) {
			return fmt.Errorf("datacenter %q is empty or named twice", dc)
		}
	}
	for _, l := range n.now.links {
		if err := n.checkPlaces(l.Between[:]); err != nil {
			return fmt.Errorf("link %s-%s: %w", l.Between[0], l.Between[1], err)
		}
		if err := checkPair(l.Between[0], l.Between[1]); err != nil {
			return fmt.Errorf("link: %w", err)
		}
	}
	return nil
}

func (n *Network) checkPlaces(dcs []topology.DatacenterID) error {
	for _, dc := range dcs {
		if _, err := n.place(dc); err != nil {
			return err
		}
	}
	return nil
}

// index may be called without mu: the datacenters never change.
func (n *Network) index(dc topology.DatacenterID) int { return slices.Index(n.now.datacenters, dc) }

// place is the index of a datacenter that the network has.
func (n *Network) place(dc topology.DatacenterID) (int, error) {
	at := n.index(dc)
	if at < 0 {
		return at, &UnknownError{Kind: topology.ErrUnknownDatacenter, Name: string(dc), Known: spelling.Texts(n.now.datacenters)}
	}
	return at, nil
}

// Apply brings a fault about; when it returns, every link obeys it. Applying a fault twice is applying it once; one that disturbs the
// same thing in another measure replaces it. Bytes on their way keep the arrival time they had, except that a cut holds them too.
//
// Errors: *FaultError, with topology.ErrUnknownDatacenter or topology.ErrUnknownMember in its chain where that is the reason.
func (n *Network) Apply(f Fault) error {
	return n.replace(f, f)
}

// Remove ends a fault, whatever its measure: Remove of "delay NYC LON 1s" ends any Delay of that link. Removing a fault that is not there
// does nothing. Its errors are Apply's.
func (n *Network) Remove(f Fault) error { return n.replace(f) }

// replace puts faults in the place of the one that disturbs the same thing as f, or behind all others.
func (n *Network) replace(f Fault, by ...Fault) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.checkLocked(f); err != nil {
		return err
	}
	at := slices.IndexFunc(n.now.faults, func(g Fault) bool { return g.form().key == f.form().key })
	if at >= 0 {
		n.now.faults = slices.Replace(n.now.faults, at, at+1, by...)
	} else {
		n.now.faults = append(n.now.faults, by...)
	}
	n.turnLocked()
	return nil
}

// Heal removes all faults.
func (n *Network) Heal() { n.change(func(c *conditions) { c.faults = nil }) }

func (n *Network) change(edit func(*conditions)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	edit(&n.now)
	n.turnLocked()
}

// Faults lists what is wrong, in the order it was applied.
func (n *Network) Faults() []Fault {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.now.faults)
}

// SetDelays switches delay, jitter and bandwidth limits off and on again, for setting a cluster up at full speed. Cuts and lags
// stay in force.
func (n *Network) SetDelays(on bool) { n.change(func(c *conditions) { c.delays = on }) }

func (n *Network) checkLocked(f Fault) error {
	if n.closed {
		return ErrClosed
	}
	err := cmp.Or(f.form().wrong, n.checkPlaces(f.form().places))
	if lag, ok := f.(Lag); ok && err == nil {
		_, err = n.frontLocked(lag.Member)
	}
	return refuse(f.String(), err)
}

// turnLocked replaces the world by what the conditions now say, and tells everyone who waits for a packet.
func (n *Network) turnLocked() {
	next := &world{
		size: len(n.now.datacenters), dirs: n.now.directions(),
		lag: map[string]time.Duration{}, changed: make(chan struct{}),
	}
	for _, f := range n.now.faults {
		if lag, ok := f.(Lag); ok {
			next.lag[lag.Member] = lag.By
		}
	}
	last := n.state.Load()
	for i, was := range last.dirs {
		next.dirs[i].healed = was.healed
		if was.cut && !next.dirs[i].cut {
			next.dirs[i].healed = time.Now()
		}
	}
	n.state.Store(next)
	close(last.changed)
}

// view is what a packet from one datacenter to another meets now; laggard names the member whose lag applies to it, if any.
func (n *Network) view(from, to int, laggard string) view {
	w := n.state.Load()
	return view{
		direction: w.direction(from, to), lag: w.lag[laggard],
		pipe: &n.pipes[from*w.size+to], changed: w.changed,
	}
}

// A LinkState is a link as it is now, faults and scale included.
type LinkState struct {
	A, B topology.DatacenterID
	// RTT is the round-trip time that a client sees, apart from jitter, bandwidth and this machine's own speed.
	RTT, Jitter time.Duration
	// Bandwidth is in bytes per second for each direction; 0 means unlimited.
	Bandwidth topology.ByteRate
	// CutAB says that packets from A to B vanish, CutBA that those from B to A do.
	CutAB, CutBA bool
}

// Links lists every pair of datacenters, in the order of the options.
func (n *Network) Links() []LinkState {
	w := n.state.Load()
	var states []LinkState
	for a := range w.size {
		for b := a + 1; b < w.size; b++ {
			ab, ba := w.direction(a, b), w.direction(b, a)
			states = append(states, LinkState{
				A: n.now.datacenters[a], B: n.now.datacenters[b],
				RTT: ab.oneWay + ba.oneWay, Jitter: ab.jitter, Bandwidth: ab.rate,
				CutAB: ab.cut, CutBA: ba.cut,
			})
		}
	}
	return states
}

// Close closes every connection and listener and waits for all of the network's goroutines. It is idempotent.
func (n *Network) Close() error {
	n.shut()
	n.wg.Wait()
	return nil
}

// shut lets nothing new begin, and ends the circuits that still run.
func (n *Network) shut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	n.closed = true
	n.cancel()
	n.alarm.sleeper.close()
	for _, f := range n.fronts {
		f.close()
	}
	for c := range n.circuits {
		c.finish(true)
	}
}
