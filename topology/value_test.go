package topology_test

import (
	"encoding"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/geoshard/geoshard/topology"
	"pgregory.net/rapid"
)

func TestByteRateIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := topology.ByteRate(rapid.Int64Min(0).Draw(t, "rate"))
		if got, err := topology.ParseByteRate(want.String()); err != nil || got != want {
			t.Fatalf("%s: got %d, %v, want %d", want, got, err, want)
		}
	})
}

func TestParseByteRate(t *testing.T) {
	for text, want := range map[string]topology.ByteRate{"10MB/s": 10e6, "1.5GB/s": 15e8, "800B/s": 800, "0KB/s": 0, "9223372036854775807B/s": math.MaxInt64} {
		if got, err := topology.ParseByteRate(text); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "10", "MB/s", "10 MB/s", "-1B/s", "10Mbit/s", "NaNB/s", "InfGB/s", "9223372036854775808B/s", "1e30GB/s"} {
		if got, err := topology.ParseByteRate(text); err == nil {
			t.Errorf("%q: got %d, want an error", text, got)
		}
	}
}

// The order is the one of MongoDB's indexes; each value is below all that follow.
func TestCompareOrdersAsMongoDBDoes(t *testing.T) {
	ascending := []topology.Value{
		topology.FloatOf(-1e300), topology.IntegerOf(math.MinInt64), topology.FloatOf(-0.5), topology.IntegerOf(0), topology.FloatOf(0.5),
		// 2^53+1 is no float64: a comparison by conversion would call it equal to the float below it.
		topology.FloatOf(1 << 53), topology.IntegerOf(1<<53 + 1), topology.IntegerOf(math.MaxInt64), topology.FloatOf(1 << 63),
		topology.StringOf(""), topology.StringOf("A"), topology.StringOf("AA"), topology.StringOf("a"), topology.StringOf("é"),
		topology.UUIDOf([16]byte{}), topology.UUIDOf([16]byte{0xff}), topology.ObjectIDOf([12]byte{}), topology.ObjectIDOf([12]byte{11: 1}),
		topology.DateOf(time.UnixMilli(-1)), topology.DateOf(time.UnixMilli(0)),
	}
	for i, a := range ascending {
		for j, b := range ascending {
			if got, want := sign(a.Compare(b)), sign(i-j); got != want {
				t.Errorf("%s with %s: got %d, want %d", a, b, got, want)
			}
		}
	}
	if topology.IntegerOf(1).Compare(topology.FloatOf(1)) != 0 {
		t.Error("1 and 1.0 are one value")
	}
	if topology.FloatOf(math.Copysign(0, -1)) != topology.FloatOf(0) {
		t.Error("zero has no sign")
	}
}

func sign(n int) int { return min(1, max(-1, n)) }

func TestEnumsAreReadBack(t *testing.T) {
	type enum interface {
		encoding.TextMarshaler
		String() string
	}
	type reader interface{ encoding.TextUnmarshaler }
	for _, c := range []struct {
		known   []enum
		unknown enum
		read    func() (reader, func() enum)
	}{
		{[]enum{topology.RoleActive, topology.RolePassive, topology.RoleVoter}, topology.RoleUnknown, func() (reader, func() enum) { v := new(topology.Role); return v, func() enum { return *v } }},
		{[]enum{topology.SurviveNode, topology.SurviveDatacenter}, topology.SurviveUnstated, func() (reader, func() enum) { v := new(topology.Survival); return v, func() enum { return *v } }},
		{[]enum{topology.UnknownReport, topology.UnknownToZone, topology.UnknownReject}, topology.UnknownUnstated, func() (reader, func() enum) { v := new(topology.Unknown); return v, func() enum { return *v } }},
		{[]enum{topology.SeverityNote, topology.SeverityWarning, topology.SeverityError}, topology.SeverityUnknown, func() (reader, func() enum) { v := new(topology.Severity); return v, func() enum { return *v } }},
	} {
		for _, want := range c.known {
			text, err := want.MarshalText()
			if err != nil || string(text) != want.String() {
				t.Errorf("%v: got %q, %v", want, text, err)
			}
			to, value := c.read()
			if err := to.UnmarshalText(text); err != nil || value() != want {
				t.Errorf("%q: got %v, %v", text, value(), err)
			}
		}
		if text, err := c.unknown.MarshalText(); err == nil || c.unknown.String() != "unknown" {
			t.Errorf("the zero %T: got %q, want an error", c.unknown, text)
		}
		if to, _ := c.read(); to.UnmarshalText([]byte("unknown")) == nil {
			t.Errorf("%T reads its zero value", c.unknown)
		}
	}
}

// A topology made in Go can be wrong in ways that no file can.
func TestValidateChecksWhatAFileCannotSay(t *testing.T) {
	for name, spoil := range map[string]func(*topology.Topology){
		"zero":                  func(w *topology.Topology) { *w = topology.Topology{} },
		"role":                  func(w *topology.Topology) { w.Datacenters[0].Role = 0 },
		"goal":                  func(w *topology.Topology) { w.Survive = 9 },
		"policy":                func(w *topology.Topology) { w.Namespaces[0].Unknown = 0 },
		"datacenter twice":      func(w *topology.Topology) { w.Datacenters[1] = w.Datacenters[0] },
		"shard twice":           func(w *topology.Topology) { w.Shards[1] = w.Shards[0] },
		"zone twice":            func(w *topology.Topology) { w.Zones[1] = w.Zones[0] },
		"namespace twice":       func(w *topology.Topology) { w.Namespaces = append(w.Namespaces, w.Namespaces[0]) },
		"field twice":           func(w *topology.Topology) { w.Namespaces[0].Key[1] = w.Namespaces[0].Key[0] },
		"priority not a number": func(w *topology.Topology) { w.Shards[0].Members[0].Priority = math.NaN() },
		"position not a number": func(w *topology.Topology) { w.Datacenters[0].At.Lat = math.NaN() },
		"negative bandwidth":    func(w *topology.Topology) { w.Links[0].Bandwidth = -1 },
		"zero value": func(w *topology.Topology) {
			w.Namespaces[0].Ranges = []topology.Range{{Zone: "NYC", Values: make([]topology.Value, 1)}}
		},
		"zero bound": func(w *topology.Topology) {
			w.Namespaces[0].Ranges = []topology.Range{{Zone: "NYC", From: new(topology.Value)}}
		},
		"value not a number": func(w *topology.Topology) {
			w.Namespaces[0].Ranges = []topology.Range{{Zone: "NYC", Values: []topology.Value{topology.FloatOf(math.NaN())}}}
		},
	} {
		w := fixture()
		spoil(w)
		err := w.Validate()
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		if _, err := w.Marshal(); err == nil {
			t.Errorf("%s: marshalled", name)
		}
		t.Logf("%s: %v", name, err)
	}
}

func TestLookups(t *testing.T) {
	w := fixture()
	if got := w.RTT("SYD", "LON"); got != 265*time.Millisecond {
		t.Errorf("got %v", got)
	}
	if got := w.RTT("LON", "LON"); got != 0 {
		t.Errorf("got %v inside a datacenter", got)
	}
	if got := w.HomeOf("nowhere"); got != "" {
		t.Errorf("got %q as the home of an unknown shard", got)
	}
	if z, ok := w.Zone("LON"); !ok || !slices.Equal(z.Shards, []topology.ShardID{"lon"}) {
		t.Errorf("got %+v, %t", z, ok)
	}
	patterns := &topology.Topology{Namespaces: []topology.Namespace{{Name: "shop.*"}, {Name: "shop.eu.*"}, {Name: "shop.carts"}}}
	for collection, want := range map[string]string{
		"shop.carts": "shop.carts", "shop.orders": "shop.*", "shop.eu.orders": "shop.eu.*", "shop.eu": "shop.*", "stock.carts": "", "shop.": "",
	} {
		if got, ok := patterns.NamespaceOf(collection); got.Name != want || ok != (want != "") {
			t.Errorf("%s: got %q, %t, want %q", collection, got.Name, ok, want)
		}
	}
	if _, ok := w.Namespace("shop.none"); ok {
		t.Error("found a namespace that is not there")
	}
}
