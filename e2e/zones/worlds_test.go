package zones_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/geoshard/geoshard/topology"
)

// A worldMaker draws worlds for a cluster. Names are of one case, so that cases do not meet.
type worldMaker struct {
	*rand.Rand
	cluster *topology.Topology
	id      int
}

// values are few, so that what one world declares and what the next does meet often. Some are what a careless rule gets wrong: neighbours, the last ones of a
// type, text that looks like a field or has a zero byte.
func (m worldMaker) values() []topology.Value {
	return []topology.Value{
		topology.FloatOf(-1e300), topology.IntegerOf(-7), topology.IntegerOf(0), topology.IntegerOf(5), topology.FloatOf(5.5), topology.IntegerOf(1 << 53), topology.IntegerOf(1<<63 - 1),
		topology.StringOf(""), topology.StringOf("$pay"), topology.StringOf("A"), topology.StringOf("A\x00"), topology.StringOf("ÅÄÖ"), topology.StringOf(string(m.zone(0))), topology.StringOf(string(m.zone(1))),
		topology.UUIDOf([16]byte{1}), topology.UUIDOf([16]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}),
		topology.ObjectIDOf([12]byte{7}), topology.DateOf(time.UnixMilli(0)), topology.DateOf(time.UnixMilli(1 << 40)),
	}
}

var keys = []topology.Key{
	{{Name: "dc"}}, {{Name: "dc"}, {Name: "id"}}, {{Name: "dc"}, {Name: "id", Hashed: true}}, {{Name: "dc"}, {Name: "a.b"}, {Name: "id"}},
	{{Name: "at.dc"}, {Name: "id"}}, {{Name: "at.dc"}, {Name: "a.b", Hashed: true}, {Name: "id"}}, {{Name: "dc"}, {Name: "_id", Hashed: true}},
}

func (m worldMaker) db() string { return fmt.Sprintf("random%d", m.id) }

func (m worldMaker) zone(i int) topology.ZoneID {
	return topology.ZoneID(fmt.Sprintf("%s%d", []string{"NYC", "LON", "SYD", "-"}[i], m.id))
}

// likely is true once in n times.
func (m worldMaker) likely(n int) bool { return m.IntN(n) == 0 }

// namespaces draws what both worlds of a case have in common: which collections there are, and their keys.
func (m worldMaker) namespaces() []topology.Namespace {
	names := []string{m.db() + ".carts", m.db() + ".orders", m.db() + ".eu.*", m.db() + ".*"}
	m.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	var all []topology.Namespace
	for _, name := range names[:1+m.IntN(3)] {
		key := keys[m.IntN(len(keys))]
		all = append(all, topology.Namespace{Name: name, Key: key, ZoneBy: key[0].Name})
	}
	return all
}

// world draws zones, and rules for the namespaces.
func (m worldMaker) world(namespaces []topology.Namespace) *topology.Topology {
	w := *m.cluster
	w.Zones, w.Namespaces = nil, nil
	for i := range 1 + m.IntN(4) {
		zone := topology.Zone{ID: m.zone(i)}
		for _, s := range m.Perm(len(w.Shards))[:1+m.IntN(4)/3] { // two shards once in four times
			zone.Shards = append(zone.Shards, w.Shards[s].ID)
		}
		if m.likely(2) {
			zone.AllowedDatacenters = []topology.DatacenterID{w.Datacenters[0].ID}
		}
		w.Zones = append(w.Zones, zone)
	}
	for _, ns := range namespaces {
		w.Namespaces = append(w.Namespaces, m.rules(&w, ns))
	}
	return &w
}

// places reports whether a world has a zone of one shard for some of the values: documents that have to leave if it becomes another shard.
func (m worldMaker) places(w *topology.Topology) bool {
	for _, ns := range w.Namespaces {
		for _, v := range m.values() {
			id, known := zoneOf(w, ns, v)
			if zone, _ := w.Zone(id); known && len(zone.Shards) == 1 {
				return true
			}
		}
	}
	return false
}

func (m worldMaker) anyZone(w *topology.Topology) topology.ZoneID {
	return w.Zones[m.IntN(len(w.Zones))].ID
}

func (m worldMaker) rules(w *topology.Topology, ns topology.Namespace) topology.Namespace {
	ns.Unknown = []topology.Unknown{topology.UnknownReport, topology.UnknownToZone, topology.UnknownReject}[m.IntN(3)]
	if ns.Unknown == topology.UnknownToZone {
		ns.UnknownZone = m.anyZone(w)
	}
	ns.Ranges = m.ranges(w)
	ns.OnlyRanges = len(ns.Ranges) > 0 && m.likely(2)
	return ns
}

// ranges draws single values, ranges between two of a type, and open ones at the ends. They do not overlap.
func (m worldMaker) ranges(w *topology.Topology) []topology.Range {
	values := m.values()
	m.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
	cuts := values[:m.IntN(8)]
	slices.SortFunc(cuts, topology.Value.Compare)
	var all []topology.Range
	singles := map[topology.ZoneID][]topology.Value{}
	for i, from := range cuts {
		zone := m.anyZone(w)
		switch last := i == len(cuts)-1; {
		case m.likely(3):
			continue
		case last && m.likely(2):
			all = append(all, topology.Range{Zone: zone, From: &from})
		case i == 0 && m.likely(2):
			all = append(all, topology.Range{Zone: zone, To: &from})
		case last || !sorted(from, cuts[i+1]) || m.likely(2):
			singles[zone] = append(singles[zone], from)
		default:
			all = append(all, topology.Range{Zone: zone, From: &from, To: &cuts[i+1]})
		}
	}
	for _, zone := range w.Zones {
		if values := singles[zone.ID]; len(values) > 0 {
			all = append(all, topology.Range{Zone: zone.ID, Values: values})
		}
	}
	return all
}

// sorted says whether two values are of types that sort among each other.
func sorted(a, b topology.Value) bool {
	number := func(k topology.Kind) bool { return k == topology.KindInteger || k == topology.KindFloat }
	return a.Kind() == b.Kind() || number(a.Kind()) && number(b.Kind())
}
