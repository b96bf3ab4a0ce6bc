package placement

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/topology"
)

// cuts are values of all classes, sorted; ranges lie between them.
var cuts = []topology.Value{
	topology.FloatOf(-1.5), topology.IntegerOf(0), topology.FloatOf(0.5), topology.IntegerOf(7), topology.StringOf(""), topology.StringOf("LON"), topology.StringOf("M"),
	topology.StringOf("NYC"), topology.StringOf("NYC\x00"), topology.StringOf("SYD"), topology.UUIDOf([16]byte{1}), topology.ObjectIDOf([12]byte{1}),
}

// Find and ZoneOf agree with the words of topology.Namespace, rule by rule.
func TestTheZoneIsTheOneThatTheNamespaceDescribes(t *testing.T) {
	world := &topology.Topology{Zones: []topology.Zone{{ID: "LON"}, {ID: "NYC"}, {ID: "SYD"}}}
	rapid.Check(t, func(t *rapid.T) {
		ns := drawNamespace(t, world)
		ranges := RangesOf(world, ns)
		for _, v := range slices.Concat(cuts, []topology.Value{topology.StringOf("A"), topology.StringOf("PAR"), topology.IntegerOf(8)}) {
			want, known := byTheBook(world, ns, v)
			if i := Find(ranges, v); (i >= 0) != known || known && ranges[i].Zone != want {
				t.Fatalf("%s in %v: got range %d, want %q", v, ranges, i, want)
			}
			if !known {
				want = ns.UnknownZone
			}
			if got, ok := ZoneOf(world, ns, v); got.ID != want || ok != (want != "") {
				t.Fatalf("%s in %v: got %q, %t, want %q", v, ranges, got.ID, ok, want)
			}
		}
	})
}

func drawNamespace(t *rapid.T, world *topology.Topology) topology.Namespace {
	ns := topology.Namespace{OnlyRanges: rapid.Bool().Draw(t, "only ranges")}
	zone := func(what string) topology.ZoneID { return rapid.SampledFrom(world.Zones).Draw(t, what).ID }
	for i := range cuts {
		r := topology.Range{Zone: zone("zone")}
		switch kind := rapid.IntRange(0, 3).Draw(t, "kind"); {
		case kind == 0:
			r.Values = []topology.Value{cuts[i]}
		case kind == 1 && i+1 < len(cuts) && cuts[i].Kind() == cuts[i+1].Kind():
			r.From, r.To = &cuts[i], &cuts[i+1]
		case kind == 1 && i == 0:
			r.To = &cuts[i]
		case kind == 1 && i == len(cuts)-1:
			r.From = &cuts[i]
		default:
			continue
		}
		ns.Ranges = append(ns.Ranges, r)
	}
	ns.Ranges = rapid.Permutation(ns.Ranges).Draw(t, "order")
	if rapid.Bool().Draw(t, "rest") {
		ns.Unknown, ns.UnknownZone = topology.UnknownToZone, zone("zone of the rest")
	}
	return ns
}

func byTheBook(world *topology.Topology, ns topology.Namespace, v topology.Value) (topology.ZoneID, bool) {
	for _, r := range ns.Ranges {
		if r.Includes(v) {
			return r.Zone, true
		}
	}
	zone, ok := world.Zone(topology.ZoneID(v.Text()))
	return zone.ID, ok && !ns.OnlyRanges && v.Kind() == topology.KindString
}
