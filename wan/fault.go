package wan

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/geoshard/geoshard/topology"
)

// A Fault is one thing that is wrong with the network. Faults are comparable values: they print as the line that
// ParseFault reads, and only this package defines them, so a switch over them can be complete.
//
// Two faults of one kind on one link (or datacenter, or member) are the same disturbance: applying the second replaces the first.
type Fault interface {
	fmt.Stringer
	// key names what is disturbed; a pair of datacenters has one key in both orders.
	key() string
	// check says what is wrong with the fault's own values, whatever the network.
	check() error
	// places lists the datacenters that the fault names.
	places() []topology.DatacenterID
}

// A Cut takes every packet of a link away. Bytes are held, as a sender that retransmits would, and go on after healing.
// Text form: "cut NYC LON", and "cut NYC->LON" for the packets from NYC to LON alone.
type Cut struct {
	From, To topology.DatacenterID
	// OneWay leaves the packets from To to From alone.
	OneWay bool
}

// An Isolate cuts all links of a datacenter in both directions; inside it everything goes on. Text form: "isolate SYD".
type Isolate struct{ DC topology.DatacenterID }

// A Delay replaces the round-trip time of a link. Text form: "delay NYC LON 300ms".
type Delay struct {
	A, B topology.DatacenterID
	RTT  time.Duration
}

// A Jitter replaces the largest deviation of a link's one-way delay. Text form: "jitter NYC LON 20ms".
type Jitter struct {
	A, B topology.DatacenterID
	Max  time.Duration
}

// A Bandwidth replaces the bandwidth that all connections over a link share in each direction; 0 means unlimited.
// Text form: "bandwidth NYC LON 1MB/s".
type Bandwidth struct {
	A, B topology.DatacenterID
	Rate topology.ByteRate
}

// A Slow multiplies a link's delay and jitter, and divides its bandwidth. Text form: "slow NYC LON 3".
type Slow struct {
	A, B   topology.DatacenterID
	Factor float64
}

// A Lag holds back what a member fetches of its sync source's oplog, and nothing else: heartbeats, votes and the
// acknowledgements of what it has keep their timing. By is real time, not scaled. Text form: "lag nyc/LON 5s".
type Lag struct {
	Member string
	By     time.Duration
}

// Check says what is wrong with a fault's own values, whatever the network. Its errors are *FaultError.
func Check(f Fault) error {
	if err := f.check(); err != nil {
		return &FaultError{Fault: f.String(), Err: err}
	}
	return nil
}

// Places lists the datacenters that a fault names.
func Places(f Fault) []topology.DatacenterID { return f.places() }

var (
	_ Fault = Cut{}
	_ Fault = Isolate{}
	_ Fault = Delay{}
	_ Fault = Jitter{}
	_ Fault = Bandwidth{}
	_ Fault = Slow{}
	_ Fault = Lag{}
)

func (f Cut) String() string {
	if f.OneWay {
		return fmt.Sprintf("cut %s->%s", f.From, f.To)
	}
	return fmt.Sprintf("cut %s %s", f.From, f.To)
}
func (f Isolate) String() string   { return fmt.Sprintf("isolate %s", f.DC) }
func (f Delay) String() string     { return fmt.Sprintf("delay %s %s %s", f.A, f.B, f.RTT) }
func (f Jitter) String() string    { return fmt.Sprintf("jitter %s %s %s", f.A, f.B, f.Max) }
func (f Bandwidth) String() string { return fmt.Sprintf("bandwidth %s %s %s", f.A, f.B, f.Rate) }
func (f Slow) String() string {
	return fmt.Sprintf("slow %s %s %s", f.A, f.B, strconv.FormatFloat(f.Factor, 'g', -1, 64))
}
func (f Lag) String() string { return fmt.Sprintf("lag %s %s", f.Member, f.By) }

func (f Cut) key() string {
	if f.OneWay {
		return fmt.Sprintf("cut %s->%s", f.From, f.To)
	}
	return pairKey("cut", f.From, f.To)
}
func (f Isolate) key() string   { return "isolate " + string(f.DC) }
func (f Delay) key() string     { return pairKey("delay", f.A, f.B) }
func (f Jitter) key() string    { return pairKey("jitter", f.A, f.B) }
func (f Bandwidth) key() string { return pairKey("bandwidth", f.A, f.B) }
func (f Slow) key() string      { return pairKey("slow", f.A, f.B) }
func (f Lag) key() string       { return "lag " + f.Member }

func pairKey(kind string, a, b topology.DatacenterID) string {
	return fmt.Sprintf("%s %s %s", kind, min(a, b), max(a, b))
}

func (f Cut) places() []topology.DatacenterID       { return []topology.DatacenterID{f.From, f.To} }
func (f Isolate) places() []topology.DatacenterID   { return []topology.DatacenterID{f.DC} }
func (f Delay) places() []topology.DatacenterID     { return []topology.DatacenterID{f.A, f.B} }
func (f Jitter) places() []topology.DatacenterID    { return []topology.DatacenterID{f.A, f.B} }
func (f Bandwidth) places() []topology.DatacenterID { return []topology.DatacenterID{f.A, f.B} }
func (f Slow) places() []topology.DatacenterID      { return []topology.DatacenterID{f.A, f.B} }
func (f Lag) places() []topology.DatacenterID       { return nil }

func (f Cut) check() error     { return checkPair(f.From, f.To) }
func (f Isolate) check() error { return nil }
func (f Delay) check() error {
	if f.RTT < 0 {
		return fmt.Errorf("round-trip time %s is negative", f.RTT)
	}
	return checkPair(f.A, f.B)
}
func (f Jitter) check() error {
	if f.Max < 0 {
		return fmt.Errorf("jitter %s is negative", f.Max)
	}
	return checkPair(f.A, f.B)
}
func (f Bandwidth) check() error {
	if f.Rate < 0 {
		return fmt.Errorf("bandwidth %s is negative", f.Rate)
	}
	return checkPair(f.A, f.B)
}
func (f Slow) check() error {
	if !(f.Factor > 0) || math.IsInf(f.Factor, 0) {
		return fmt.Errorf("factor %v is not a positive number", f.Factor)
	}
	return checkPair(f.A, f.B)
}
func (f Lag) check() error {
	if f.By < 0 {
		return fmt.Errorf("lag %s is negative", f.By)
	}
	return nil
}

func checkPair(a, b topology.DatacenterID) error {
	if a == b {
		return fmt.Errorf("%s and %s are one datacenter, and there is no link inside a datacenter", a, b)
	}
	return nil
}

// faultForms is the grammar of ParseFault as a user reads it; it is the hint of every FaultError.
const faultForms = `cut NYC LON | cut NYC->LON | isolate SYD | delay NYC LON 300ms | jitter NYC LON 20ms | bandwidth NYC LON 1MB/s | slow NYC LON 3 | lag nyc/LON 5s`

// A FaultError says why a text is no fault, or why a fault cannot be applied.
type FaultError struct {
	Fault string
	Err   error
}

func (e *FaultError) Error() string { return fmt.Sprintf("fault %q: %v", e.Fault, e.Err) }

// Unwrap gives the reason.
func (e *FaultError) Unwrap() error { return e.Err }

// Hint lists the forms of a fault.
func (e *FaultError) Hint() string { return "a fault is one of: " + faultForms }

// ParseFault reads what Fault's String prints. Its errors are *FaultError.
func ParseFault(text string) (Fault, error) {
	f, err := parseFault(strings.Fields(text))
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return nil, &FaultError{Fault: text, Err: err}
	}
	return f, nil
}

func parseFault(words []string) (Fault, error) {
	if len(words) == 0 {
		return nil, fmt.Errorf("it is empty")
	}
	kind, args := words[0], words[1:]
	if kind == "cut" && len(args) == 1 {
		from, to, ok := strings.Cut(args[0], "->")
		if !ok || from == "" || to == "" {
			return nil, fmt.Errorf("%q names no direction FROM->TO", args[0])
		}
		return Cut{From: topology.DatacenterID(from), To: topology.DatacenterID(to), OneWay: true}, nil
	}
	want := map[string]int{"cut": 2, "isolate": 1, "delay": 3, "jitter": 3, "bandwidth": 3, "slow": 3, "lag": 2}
	switch n, known := want[kind]; {
	case !known:
		return nil, fmt.Errorf("%q is no kind of fault", kind)
	case n != len(args):
		return nil, fmt.Errorf("%s takes %d words, got %d", kind, n, len(args))
	}
	a := topology.DatacenterID(args[0])
	if kind == "isolate" {
		return Isolate{DC: a}, nil
	}
	b, last := topology.DatacenterID(args[1]), args[len(args)-1]
	switch kind {
	case "cut":
		return Cut{From: a, To: b}, nil
	case "bandwidth":
		rate, err := topology.ParseByteRate(last)
		return Bandwidth{A: a, B: b, Rate: rate}, err
	case "slow":
		factor, err := strconv.ParseFloat(last, 64)
		return Slow{A: a, B: b, Factor: factor}, err
	}
	d, err := time.ParseDuration(last)
	switch kind {
	case "delay":
		return Delay{A: a, B: b, RTT: d}, err
	case "jitter":
		return Jitter{A: a, B: b, Max: d}, err
	default: // "lag", the only kind left in the table above
		return Lag{Member: args[0], By: d}, err
	}
}
