package wan

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/topology"
)

// anyFault draws valid faults of all kinds.
func anyFault() *rapid.Generator[Fault] {
	return rapid.Custom(func(t *rapid.T) Fault {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[A-Za-z][A-Za-z0-9_]{0,8}`), 2, 2, rapid.ID[string]).Draw(t, "datacenters")
		a, b := topology.DatacenterID(names[0]), topology.DatacenterID(names[1])
		d := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "duration"))
		switch rapid.IntRange(0, 6).Draw(t, "kind") {
		case 0:
			return Cut{From: a, To: b, OneWay: rapid.Bool().Draw(t, "one way")}
		case 1:
			return Isolate{DC: a}
		case 2:
			return Delay{A: a, B: b, RTT: d}
		case 3:
			return Jitter{A: a, B: b, Max: d}
		case 4:
			return Bandwidth{A: a, B: b, Rate: topology.ByteRate(rapid.Int64Range(1, 1<<40).Draw(t, "rate"))}
		case 5:
			return Slow{A: a, B: b, Factor: rapid.Float64Range(1e-6, 1e6).Draw(t, "factor")}
		default:
			return Lag{Member: names[0] + "/" + names[1], By: d}
		}
	})
}

func TestFaultsPrintAndParse(t *testing.T) {
	count := 0
	rapid.Check(t, func(t *rapid.T) {
		want := anyFault().Draw(t, "fault")
		got, err := ParseFault(want.String())
		if err != nil || got != want {
			t.Fatalf("parse %q: got %#v (%v), want %#v", want, got, err, want)
		}
		count++
	})
	t.Logf("%d faults", count)
}

// The forms that the documentation promises, and that they mean what they say.
func TestParseFaultForms(t *testing.T) {
	for text, want := range map[string]Fault{
		"cut NYC LON":             Cut{From: "NYC", To: "LON"},
		"cut NYC->LON":            Cut{From: "NYC", To: "LON", OneWay: true},
		"isolate SYD":             Isolate{DC: "SYD"},
		"delay NYC LON 300ms":     Delay{A: "NYC", B: "LON", RTT: 300 * time.Millisecond},
		"jitter NYC LON 20ms":     Jitter{A: "NYC", B: "LON", Max: 20 * time.Millisecond},
		"bandwidth NYC LON 1MB/s": Bandwidth{A: "NYC", B: "LON", Rate: 1_000_000},
		"slow NYC LON 3":          Slow{A: "NYC", B: "LON", Factor: 3},
		"lag nyc/LON 5s":          Lag{Member: "nyc/LON", By: 5 * time.Second},
		"  slow   NYC LON  0.5 ":  Slow{A: "NYC", B: "LON", Factor: 0.5},
	} {
		if got, err := ParseFault(text); err != nil || got != want {
			t.Errorf("%q: got %#v (%v), want %#v", text, got, err, want)
		}
	}
	for _, form := range strings.Split(faultForms, " | ") {
		if _, err := ParseFault(form); err != nil {
			t.Errorf("a form of the hint: %v", err)
		}
	}
}

func TestParseFaultRefuses(t *testing.T) {
	for _, text := range []string{
		"", "cut", "cut NYC", "cut NYC->", "cut ->LON", "cut NYC LON SYD", "cut NYC NYC", "explode NYC", "isolate", "isolate NYC LON",
		"delay NYC LON", "delay NYC LON soon", "delay NYC LON -1s", "jitter NYC LON -1ms", "bandwidth NYC LON fast", "bandwidth NYC LON -1MB/s",
		"slow NYC LON 0", "slow NYC LON -2", "slow NYC LON NaN", "slow NYC LON Inf", "lag nyc/LON", "lag nyc/LON -5s", "lag nyc/LON 5",
	} {
		f, err := ParseFault(text)
		var fe *FaultError
		if !errors.As(err, &fe) {
			t.Errorf("%q: got %v (%v), want a FaultError", text, f, err)
			continue
		}
		if !strings.Contains(fe.Hint(), "isolate SYD") {
			t.Errorf("%q: the hint %q lists no forms", text, fe.Hint())
		}
	}
}

func TestUnknownPlacesAreNamed(t *testing.T) {
	n := newNetwork(t, threeCities())
	frontOf(t, n, "nyc/LON", "LON", "127.0.0.1:1")
	for text, want := range map[string]error{
		"cut NYC PAR": topology.ErrUnknownDatacenter, "isolate PAR": topology.ErrUnknownDatacenter, "delay PAR NYC 1s": topology.ErrUnknownDatacenter,
		"lag nyc/PAR 1s": topology.ErrUnknownMember,
	} {
		f, err := ParseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		err = n.Apply(f)
		var unknown *UnknownError
		if !errors.Is(err, want) || !errors.As(err, &unknown) || !strings.Contains(unknown.Hint(), "LON") {
			t.Errorf("%q: got %v, want %v with a hint of what is known", text, err, want)
		}
		if err := n.Remove(f); !errors.Is(err, want) {
			t.Errorf("remove %q: got %v, want %v", text, err, want)
		}
	}
	if _, err := n.Front("nyc/PAR", "PAR", "127.0.0.1:1"); !errors.Is(err, topology.ErrUnknownDatacenter) {
		t.Errorf("front in PAR: got %v", err)
	}
	if _, err := n.Front("nyc/LON", "LON", "127.0.0.1:1"); err == nil {
		t.Error("a second front of one member was opened")
	}
	if err := n.Register(1, "PAR", ""); !errors.Is(err, topology.ErrUnknownDatacenter) {
		t.Errorf("register in PAR: got %v", err)
	}
	if err := n.SetTarget("nyc/PAR", "x"); !errors.Is(err, topology.ErrUnknownMember) {
		t.Errorf("target of nyc/PAR: got %v", err)
	}
	if _, err := n.Dialer("PAR").DialContext(t.Context(), "tcp", "127.0.0.1:1"); !errors.Is(err, topology.ErrUnknownDatacenter) {
		t.Errorf("dial from PAR: got %v", err)
	}
	if got := n.Faults(); len(got) != 0 {
		t.Errorf("refused faults are listed: %v", got)
	}
}

// The set of faults against its model: a map from what is disturbed to the last fault. Links follow from the set alone, not from
// the way that led to it.
func TestFaultsAreASet(t *testing.T) {
	o := threeCities()
	steps := 0
	rapid.Check(t, func(t *rapid.T) {
		n, err := start(o, newTimerSleeper)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		model := map[string]Fault{}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			steps++
			pair := rapid.SampledFrom([]Fault{
				Cut{From: "NYC", To: "LON"}, Cut{From: "LON", To: "NYC"}, Cut{From: "NYC", To: "LON", OneWay: true}, Isolate{DC: "SYD"}, Isolate{DC: "LON"},
				Delay{A: "NYC", B: "LON", RTT: time.Second}, Delay{A: "LON", B: "NYC", RTT: 2 * time.Second}, Slow{A: "NYC", B: "SYD", Factor: 3},
				Bandwidth{A: "SYD", B: "NYC", Rate: 1000}, Jitter{A: "NYC", B: "SYD", Max: time.Millisecond},
			}).Draw(t, "fault")
			switch rapid.IntRange(0, 5).Draw(t, "action") {
			case 0:
				n.Heal()
				clear(model)
			case 1, 2:
				if err := n.Remove(pair); err != nil {
					t.Fatal(err)
				}
				delete(model, pair.form().key)
			default:
				for range 2 { // twice is once
					if err := n.Apply(pair); err != nil {
						t.Fatal(err)
					}
				}
				model[pair.form().key] = pair
			}
			var faults []Fault
			for _, f := range model {
				faults = append(faults, f)
			}
			if got := n.Faults(); len(got) != len(faults) {
				t.Fatalf("got faults %v, want %v", got, faults)
			}
			want := conditions{datacenters: o.Datacenters, links: o.Links, faults: faults, scale: 1, delays: true}.directions()
			for i, d := range n.state.Load().dirs {
				d.healed = time.Time{}
				if d != want[i] {
					t.Fatalf("direction %d: got %+v, want %+v with %v", i, d, want[i], faults)
				}
			}
		}
	})
	t.Logf("%d steps", steps)
}
