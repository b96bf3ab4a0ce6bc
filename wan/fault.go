package wan

import (
	"cmp"
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
	form() form
}

// A form is what all faults have.
type form struct {
	text string // what ParseFault reads
	// key names what is disturbed; a pair of datacenters has one key in both orders.
	key string
	// places are the datacenters that the fault names.
	places []topology.DatacenterID
	// wrong says what is wrong with the fault's own values, whatever the network.
	wrong error
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
func Check(f Fault) error { return refuse(f.String(), f.form().wrong) }

// Places lists the datacenters that a fault names.
func Places(f Fault) []topology.DatacenterID { return f.form().places }

func (f Cut) String() string       { return f.form().text }
func (f Isolate) String() string   { return f.form().text }
func (f Delay) String() string     { return f.form().text }
func (f Jitter) String() string    { return f.form().text }
func (f Bandwidth) String() string { return f.form().text }
func (f Slow) String() string      { return f.form().text }
func (f Lag) String() string       { return f.form().text }

func (f Cut) form() form {
	cut := pairForm("cut", f.From, f.To, "", nil)
	cut.text = fmt.Sprintf("cut %s %s", f.From, f.To)
	if f.OneWay {
		cut.text = fmt.Sprintf("cut %s->%s", f.From, f.To)
		cut.key = cut.text
	}
	return cut
}

func (f Isolate) form() form {
	text := "isolate " + string(f.DC)
	return form{text: text, key: text, places: []topology.DatacenterID{f.DC}}
}

func (f Delay) form() form {
	return pairForm("delay", f.A, f.B, f.RTT.String(), negative("round-trip time", f.RTT))
}

func (f Jitter) form() form {
	return pairForm("jitter", f.A, f.B, f.Max.String(), negative("jitter", f.Max))
}

func (f Bandwidth) form() form {
	return pairForm("bandwidth", f.A, f.B, f.Rate.String(), negative("bandwidth", f.Rate))
}

func (f Slow) form() form {
	var wrong error
	if !(f.Factor > 0) || math.IsInf(f.Factor, 0) {
		wrong = fmt.Errorf("factor %v is not a positive number", f.Factor)
	}
	return pairForm("slow", f.A, f.B, strconv.FormatFloat(f.Factor, 'g', -1, 64), wrong)
}

func (f Lag) form() form {
	key := "lag " + f.Member
	return form{text: fmt.Sprintf("%s %s", key, f.By), key: key, wrong: negative("lag", f.By)}
}

// pairForm is the form of a fault of a link.
func pairForm(kind string, a, b topology.DatacenterID, measure string, wrong error) form {
	return form{
		text: fmt.Sprintf("%s %s %s %s", kind, a, b, measure), key: fmt.Sprintf("%s %s %s", kind, min(a, b), max(a, b)),
		places: []topology.DatacenterID{a, b}, wrong: cmp.Or(wrong, checkPair(a, b)),
	}
}

func negative[N ~int64](what string, measure N) error {
	if measure < 0 {
		return fmt.Errorf("%s %v is negative", what, measure)
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

// refuse makes a FaultError of a reason, if there is one.
func refuse(fault string, err error) error {
	if err == nil {
		return nil
	}
	return &FaultError{Fault: fault, Err: err}
}

// ParseFault reads what Fault's String prints. Its errors are *FaultError.
func ParseFault(text string) (Fault, error) {
	f, err := parseFault(strings.Fields(text))
	if err == nil {
		err = f.form().wrong
	}
	if err != nil {
		return nil, refuse(text, err)
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
		return Bandwidth{a, b, rate}, err
	case "slow":
		factor, err := strconv.ParseFloat(last, 64)
		return Slow{a, b, factor}, err
	}
	d, err := time.ParseDuration(last)
	switch kind {
	case "delay":
		return Delay{a, b, d}, err
	case "jitter":
		return Jitter{a, b, d}, err
	default: // "lag", the only kind left in the table above
		return Lag{Member: args[0], By: d}, err
	}
}
