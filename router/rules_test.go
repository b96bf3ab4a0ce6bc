package router_test

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/topology"
)

// An ask is a request and the state of the world, as testdata/rules.yaml writes it.
type ask struct {
	Here, Class, Home, Choose, Country string
	Redirect                           bool
	Place                              []float64
	Down                               []string
	Primaries                          map[string]string
	RTT                                map[string]time.Duration
}

type ruleCases struct {
	Rule, World string
	Cases       []struct {
		Name string
		Ask  ask
		Want string
	}
}

// What is nil is answered, by an error or a decision.
func TestNilIsNoPanic(t *testing.T) {
	if _, err := router.NewTable(nil); !errors.Is(err, topology.ErrInvalid) {
		t.Errorf("no world: got %v, want an invalid topology", err)
	}
	tab := routed(t, nil)
	write := &router.Query{Here: tab.DC("NYC"), Class: router.Write, Home: "LON"}
	if got, want := tab.Decide(write, nil), tab.Decide(write, &router.Health{}); got != want {
		t.Errorf("no health: got %+v, want %+v", got, want)
	}
	if got := tab.Decide(nil, nil); got.Mode != router.Refuse {
		t.Errorf("no query: got %+v, want it refused", got)
	}
	for _, q := range []*router.Query{nil, write} {
		if d, steps := tab.Explain(q, nil); d != tab.Decide(q, nil) || len(steps) == 0 {
			t.Errorf("explained as %+v by %v", d, steps)
		}
	}
}

func TestRules(t *testing.T) {
	src, err := os.ReadFile("testdata/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rules []ruleCases
	if err := yaml.UnmarshalWithOptions(src, &rules, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	cases := 0
	for _, r := range rules {
		tab := table(t, preset(t, r.World))
		for _, c := range r.Cases {
			cases++
			q, h := c.Ask.query(t, tab), c.Ask.health(t, tab)
			d, steps := tab.Explain(&q, &h)
			got := fmt.Sprint(orDash(tab.Datacenter(d.To)), " ", orDash(tab.Datacenter(d.Owner)), " ", d.Mode, " ", d.Reason)
			if got != c.Want {
				t.Errorf("%s: %s: got %q, want %q\n%v", r.Rule, c.Name, got, c.Want, steps)
			}
		}
	}
	t.Logf("%d rules, %d cases", len(rules), cases)
}

func orDash(dc topology.DatacenterID) topology.DatacenterID {
	if dc == "" {
		return "-"
	}
	return dc
}

func (a ask) query(t *testing.T, tab *router.Table) router.Query {
	t.Helper()
	q := router.Query{Here: known(t, tab, a.Here), Redirect: a.Redirect, Home: a.Home, Explicit: a.Choose, Country: a.Country}
	if err := q.Class.UnmarshalText([]byte(a.Class)); err != nil {
		t.Fatal(err)
	}
	if len(a.Place) == 2 {
		q.Lat, q.Long, q.HasPlace = a.Place[0], a.Place[1], true
	}
	return q
}

func (a ask) health(t *testing.T, tab *router.Table) router.Health {
	t.Helper()
	h := router.Health{RTT: make([]time.Duration, len(tab.DCs())+1)}
	for _, name := range a.Down {
		h.Down = h.Down.With(known(t, tab, name))
	}
	for name, rtt := range a.RTT {
		h.RTT[known(t, tab, name)] = rtt
	}
	for _, shard := range tab.Shards() {
		at := router.NoDC
		if name := a.Primaries[string(shard)]; name == "none" {
			at = router.Electing
		} else {
			at = known(t, tab, name)
		}
		h.Primaries = append(h.Primaries, at)
	}
	return h
}

func known(t *testing.T, tab *router.Table, name string) router.DC {
	t.Helper()
	dc := tab.DC(topology.DatacenterID(name))
	if dc == router.NoDC && name != "" {
		t.Fatalf("unknown datacenter %s", name)
	}
	return dc
}
