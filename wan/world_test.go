package wan

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/topology"
)

func TestLinksObeyFaults(t *testing.T) {
	const ms = time.Millisecond
	for name, test := range map[string]struct {
		scale  float64
		off    bool
		faults []string
		want   LinkState // of NYC-LON
	}{
		"as declared":                {want: LinkState{RTT: 76 * ms}},
		"scaled":                     {scale: 0.1, want: LinkState{RTT: 7600 * time.Microsecond}},
		"no delays by a scale":       {scale: -1, want: LinkState{}},
		"delay replaces":             {faults: []string{"delay LON NYC 300ms"}, want: LinkState{RTT: 300 * ms}},
		"a fault's delay is scaled":  {scale: 0.5, faults: []string{"delay NYC LON 300ms"}, want: LinkState{RTT: 150 * ms}},
		"slow multiplies":            {faults: []string{"slow NYC LON 3", "delay NYC LON 100ms", "bandwidth NYC LON 3MB/s", "jitter NYC LON 2ms"}, want: LinkState{RTT: 300 * ms, Bandwidth: 1_000_000, Jitter: 6 * ms}},
		"cut":                        {faults: []string{"cut NYC LON"}, want: LinkState{RTT: 76 * ms, CutAB: true, CutBA: true}},
		"cut one way":                {faults: []string{"cut LON->NYC"}, want: LinkState{RTT: 76 * ms, CutBA: true}},
		"isolate cuts":               {faults: []string{"isolate LON"}, want: LinkState{RTT: 76 * ms, CutAB: true, CutBA: true}},
		"isolate elsewhere does not": {faults: []string{"isolate SYD"}, want: LinkState{RTT: 76 * ms}},
		"delays off leaves cuts":     {off: true, faults: []string{"cut NYC->LON", "jitter NYC LON 9ms"}, want: LinkState{CutAB: true}},
	} {
		t.Run(name, func(t *testing.T) {
			o := threeCities()
			o.Scale = test.scale
			n := newNetwork(t, o)
			for _, f := range test.faults {
				apply(t, n, f)
			}
			n.SetDelays(!test.off)
			test.want.A, test.want.B = "NYC", "LON"
			if got := n.Links()[0]; got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// A pair without a declared link has no delay, but can be cut; the inside of a datacenter has neither.
func TestUndeclaredLink(t *testing.T) {
	n := newNetwork(t, Options{Datacenters: []topology.DatacenterID{"A", "B"}})
	apply(t, n, "cut A B")
	if got := n.Links(); len(got) != 1 || !got[0].CutAB || got[0].RTT != 0 {
		t.Errorf("got %+v", got)
	}
	apply(t, n, "isolate A")
	if got := n.view(0, 0, "").direction; got != (direction{}) {
		t.Errorf("inside A: got %+v, want nothing", got)
	}
}

// Whatever the jitter, packets keep their order, are never early by more than the jitter, and are never late but for it or for the packet before.
func TestDueKeepsOrder(t *testing.T) {
	packets := 0
	rapid.Check(t, func(t *rapid.T) {
		d := direction{
			oneWay: time.Duration(rapid.Int64Range(0, 1e9).Draw(t, "delay")),
			jitter: time.Duration(rapid.Int64Range(0, 1e9).Draw(t, "jitter")),
		}
		now := time.Unix(1, 0)
		var last time.Time
		for range rapid.IntRange(1, 50).Draw(t, "packets") {
			packets++
			now = now.Add(time.Duration(rapid.Int64Range(0, 1e8).Draw(t, "gap")))
			due := d.due(now, last, rapid.Float64Range(-1, 0.999).Draw(t, "u"))
			switch {
			case due.Before(last):
				t.Fatalf("due %v overtakes %v", due, last)
			case due.Before(now) || due.Before(now.Add(d.oneWay-d.jitter)):
				t.Fatalf("sent %v, due %v: too early for %v ± %v", now, due, d.oneWay, d.jitter)
			case due.After(later(last, now.Add(d.oneWay+d.jitter))):
				t.Fatalf("sent %v, due %v: too late for %v ± %v", now, due, d.oneWay, d.jitter)
			}
			last = due
		}
	})
	t.Logf("%d packets", packets)
}

// A pipe passes what its rate says however the takes are cut and whoever takes, and forgets reservations at an old rate.
func TestPipeSharesItsRate(t *testing.T) {
	var p pipe
	start := time.Unix(1, 0)
	var end time.Time
	for i := range 1000 {
		end = p.take(start, start, 500+i%2*1000, 1_000_000)
	}
	if got := end.Sub(start); got != time.Second {
		t.Errorf("1 MB at 1 MB/s took %v", got)
	}
	if got := p.take(start, start, 1000, 10_000).Sub(start); got != 100*time.Millisecond {
		t.Errorf("after a change of rate: got %v, want 100ms", got)
	}
}
