package gateway

import (
	"errors"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// When an upstream is left out. A request that could not even connect says enough; an upstream that answers badly gets more chances, because one request
// may be at fault by itself.
const (
	mostFailures  = 5
	firstEjection = time.Second
	mostEjection  = 30 * time.Second
	// forgiven is how long an upstream has to be well before its ejections begin short again.
	forgiven = time.Minute
	// failedChecks in a row take an upstream out, one that succeeds brings it back.
	failedChecks = 2
	// keptRTTs are as many round trips as one may be the shortest of.
	keptRTTs = 8
)

// errUpstreamLost ends tries that are under way at an upstream that has been found to be lost.
var errUpstreamLost = errors.New("the upstream does not answer its health checks")

// An upstream is one base URL of the application in a datacenter, and what this gateway has seen of it.
type upstream struct {
	url *url.URL
	key string // of the same upstream before and after a reload
	now func() time.Time

	// inflight are the tries under way; usable is what the fields below say, for the hot path.
	inflight atomic.Int64
	usable   atomic.Bool
	failures atomic.Int64 // of requests, in a row

	mu           sync.Mutex // guards following
	badChecks    int        // in a row
	ejections    int
	ejected      time.Time // until when
	lastEjection time.Time
	lastError    string
	rtts         []time.Duration   // of the last checks that succeeded
	tries        map[*try]struct{} // those that may be ended and sent elsewhere
}

// succeeded notes an answer. An ejection goes on all the same: what was sent before may still come in.
func (u *upstream) succeeded() {
	if u.failures.Load() > 0 {
		u.failures.Store(0)
	}
}

// failed notes a request that failed by the upstream's fault.
func (u *upstream) failed(err error) (changed bool) {
	_, unseen := errors.AsType[*dialError](err)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lastError = err.Error()
	if u.failures.Add(1) >= mostFailures || unseen {
		u.ejectLocked()
	}
	return u.settleLocked()
}

// ejectLocked leaves the upstream out for a while, longer each time.
func (u *upstream) ejectLocked() {
	now := u.now()
	if now.Before(u.ejected) {
		return
	}
	if now.Sub(u.lastEjection) > forgiven {
		u.ejections = 0
	}
	u.ejected = now.Add(min(firstEjection<<min(u.ejections, 10), mostEjection))
	u.lastEjection = now
	u.ejections++
	u.failures.Store(0)
}

// checked notes the outcome of an active check.
func (u *upstream) checked(took time.Duration, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err != nil {
		u.badChecks++
		u.lastError = err.Error()
	} else {
		u.badChecks = 0
		u.rtts = append(u.rtts[max(0, len(u.rtts)-keptRTTs+1):], max(took, 1))
	}
	u.settleLocked()
}

// settleLocked works out whether the upstream is to be used, and ends the tries under way where it is lost.
func (u *upstream) settleLocked() (changed bool) {
	lost := u.badChecks >= failedChecks
	usable := !lost && !u.now().Before(u.ejected)
	if lost {
		for t := range u.tries {
			t.cancel(errUpstreamLost)
		}
	}
	return u.usable.Swap(usable) != usable
}

// rtt is the shortest of the last checks: what is above it is the upstream's own work. 0 = not measured.
func (u *upstream) rtt() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.rtts) == 0 {
		return 0
	}
	return slices.Min(u.rtts)
}

// An upstreamState is an upstream as the debug page shows it.
type upstreamState struct {
	URL       string        `json:"url"`
	Usable    bool          `json:"usable"`
	InFlight  int64         `json:"inFlight"`
	BadChecks int           `json:"badChecks"`
	Ejections int           `json:"ejections"`
	RTT       time.Duration `json:"rttNanoseconds"`
	LastError string        `json:"lastError,omitempty"`
}

func (u *upstream) state() upstreamState {
	rtt := u.rtt()
	u.mu.Lock()
	defer u.mu.Unlock()
	return upstreamState{URL: u.url.Redacted(), Usable: u.usable.Load(), InFlight: u.inflight.Load(), BadChecks: u.badChecks, Ejections: u.ejections,
		RTT: rtt, LastError: u.lastError}
}

// A pool is the upstreams of one datacenter.
type pool struct {
	all  []*upstream
	next atomic.Uint32
}

// up reports whether the datacenter has an upstream to send to.
func (p *pool) up() bool {
	return slices.ContainsFunc(p.all, func(u *upstream) bool { return u.usable.Load() })
}

// pick chooses the usable upstream with the fewest requests under way, in turn among equals; nil = there is none.
func (p *pool) pick() *upstream {
	if len(p.all) == 1 {
		if u := p.all[0]; u.usable.Load() {
			return u
		}
		return nil
	}
	var best *upstream
	start := int(p.next.Add(1))
	for i := range p.all {
		u := p.all[(start+i)%len(p.all)]
		if u.usable.Load() && (best == nil || u.inflight.Load() < best.inflight.Load()) {
			best = u
		}
	}
	return best
}

// rtt is the shortest among the datacenter's upstreams.
func (p *pool) rtt() (least time.Duration) {
	for _, u := range p.all {
		if d := u.rtt(); d > 0 && (least == 0 || d < least) {
			least = d
		}
	}
	return least
}

// lead leads a URL to a base URL. Path and query stay the client's, behind the base's own path.
func lead(to, base *url.URL) {
	to.Scheme, to.Host = base.Scheme, base.Host
	if base.Path == "" {
		return
	}
	escaped := base.EscapedPath() + to.EscapedPath()
	to.Path = base.Path + to.Path
	if to.RawPath = ""; to.EscapedPath() != escaped {
		to.RawPath = escaped
	}
}
