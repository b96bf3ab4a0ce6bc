package plan

import (
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// Few values, so that what is declared and what is found meet often.
var someValues = []topology.Value{
	topology.FloatOf(-1e300), topology.IntegerOf(-7), topology.IntegerOf(0), topology.IntegerOf(5), topology.FloatOf(5.5), topology.IntegerOf(1 << 53), topology.IntegerOf(1<<63 - 1),
	topology.StringOf(""), topology.StringOf("A"), topology.StringOf("LON"), topology.StringOf("LON\x00"), topology.StringOf("M"), topology.StringOf("NYC"), topology.StringOf("Z"),
	topology.UUIDOf([16]byte{1}), topology.UUIDOf([16]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}),
	topology.ObjectIDOf([12]byte{7}), topology.DateOf(time.UnixMilli(0)), topology.DateOf(time.UnixMilli(1 << 40)),
}

var someKeys = []topology.Key{
	{{Name: "dc"}}, {{Name: "dc"}, {Name: "id"}}, {{Name: "dc"}, {Name: "id", Hashed: true}}, {{Name: "dc"}, {Name: "a.b"}, {Name: "id"}},
}

func drawWorld(t *rapid.T) *topology.Topology {
	w := &topology.Topology{Version: topology.CurrentVersion}
	for i := range 4 {
		dc := topology.DatacenterID(fmt.Sprintf("DC%d", i))
		w.Datacenters = append(w.Datacenters, topology.Datacenter{ID: dc, Role: topology.RoleActive})
		w.Shards = append(w.Shards, topology.Shard{ID: topology.ShardID(fmt.Sprintf("s%d", i)), Members: []topology.Member{{DC: dc, Priority: 1}}})
	}
	for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom([]topology.ZoneID{"NYC", "LON", "SYD", "M"}), 1, 4, rapid.ID).Draw(t, "zones") {
		shards := rapid.SliceOfNDistinct(rapid.SampledFrom([]topology.ShardID{"s0", "s1", "s2", "s3"}), 1, 2, rapid.ID).Draw(t, "zone shards")
		w.Zones = append(w.Zones, topology.Zone{ID: id, Shards: shards})
	}
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"shop.carts", "shop.orders", "shop.*", "stock.items"}), 1, 3, rapid.ID).Draw(t, "namespaces") {
		w.Namespaces = append(w.Namespaces, drawNamespace(t, w, name))
	}
	return w
}

func drawNamespace(t *rapid.T, w *topology.Topology, name string) topology.Namespace {
	zone := rapid.Map(rapid.SampledFrom(w.Zones), func(z topology.Zone) topology.ZoneID { return z.ID })
	ns := topology.Namespace{Name: name, Key: rapid.SampledFrom(someKeys).Draw(t, "key"), ZoneBy: "dc"}
	ns.Unknown = rapid.SampledFrom([]topology.Unknown{topology.UnknownReport, topology.UnknownToZone, topology.UnknownReject}).Draw(t, "unknown")
	if ns.Unknown == topology.UnknownToZone {
		ns.UnknownZone = zone.Draw(t, "unknown zone")
	}
	cuts := drawCuts(t, 8)
	for i, from := range cuts {
		r := topology.Range{Zone: zone.Draw(t, "zone")}
		switch last := i == len(cuts)-1; {
		case rapid.Bool().Draw(t, "gap"):
			continue
		case last && rapid.Bool().Draw(t, "open"):
			r.From = &from
		case i == 0 && rapid.Bool().Draw(t, "open"):
			r.To = &from
		case last || !sameClass(from.Kind(), cuts[i+1].Kind()) || rapid.Bool().Draw(t, "single"):
			r.Values = []topology.Value{from}
		default:
			r.From, r.To = &from, &cuts[i+1]
		}
		ns.Ranges = append(ns.Ranges, r)
	}
	ns.OnlyRanges = len(ns.Ranges) > 0 && rapid.Bool().Draw(t, "only ranges")
	return ns
}

// drawCuts draws values, sorted.
func drawCuts(t *rapid.T, most int) []topology.Value {
	cuts := rapid.SliceOfNDistinct(rapid.SampledFrom(someValues), 0, most, rapid.ID).Draw(t, "cuts")
	slices.SortFunc(cuts, topology.Value.Compare)
	return cuts
}

func drawOptions(t *rapid.T) Options {
	return Options{Tighten: rapid.Bool().Draw(t, "tighten"), Shard: rapid.Bool().Draw(t, "shard"), Prune: rapid.Bool().Draw(t, "prune")}
}

// drawState draws a cluster that may have been the world's once, and where others had their fingers in the pie.
func drawState(t *rapid.T, w *topology.Topology) *zones.State {
	s := &zones.State{ClusterID: "c", Version: "6.0.5", Balancer: zones.Balancer{Running: true, ChunkSize: 128 << 20}}
	ids := []topology.ZoneID{"OLD", "NYC", "LON", "SYD", "M"}
	for i := range 4 {
		s.Shards = append(s.Shards, zones.Shard{ID: topology.ShardID(fmt.Sprintf("s%d", i))})
	}
	for _, zone := range ids {
		for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, 3), 1, 3, rapid.ID).Draw(t, "shards of zone") {
			s.Shards[i].Zones = append(s.Shards[i].Zones, zone)
		}
	}
	for i := range s.Shards {
		slices.Sort(s.Shards[i].Zones)
	}
	for _, name := range []string{"other.things", "shop.carts", "shop.orders", "shop.users", "stock.items"} {
		if rapid.Bool().Draw(t, "in catalogue") {
			s.Collections = append(s.Collections, drawCollection(t, w, name, ids))
		}
	}
	return s
}

func drawCollection(t *rapid.T, w *topology.Topology, name string, ids []topology.ZoneID) zones.Collection {
	c := zones.Collection{Name: name, Exists: rapid.Bool().Draw(t, "exists")}
	key := rapid.SampledFrom(someKeys).Draw(t, "found key")
	if ns, ok := w.NamespaceOf(name); ok && rapid.Bool().Draw(t, "declared key") {
		key = ns.Key
	}
	if c.Exists {
		c.Primary = "s0"
		c.Sizes = map[topology.ShardID]zones.Size{"s0": {}}
		if rapid.Bool().Draw(t, "has documents") {
			c.Sizes["s0"] = zones.Size{Documents: 10, Bytes: 1000}
		}
		if c.Sharded = rapid.Bool().Draw(t, "sharded"); c.Sharded {
			c.Key, c.NoBalance = key, rapid.Bool().Draw(t, "held")
			c.Chunks = []zones.Chunk{{Min: shardkey.StartOf(key, shardkey.MinKey), Max: shardkey.StartOf(key, shardkey.MaxKey), Shard: "s0"}}
		}
		c.Validator = drawValidator(t)
		c.Indexes = []zones.Index{}
	}
	c.Ranges = drawFound(t, w, c, key, ids)
	return c
}

func drawValidator(t *rapid.T) bson.Raw {
	theirs := docOf(bson.D{{Key: "total", Value: bson.D{{Key: "$gte", Value: 0}}}})
	ours := zones.Rejection("dc", []topology.Range{{Zone: "OLD", Values: []topology.Value{topology.StringOf("OLD")}}})
	return rapid.SampledFrom([]bson.Raw{nil, theirs, ours, conjunctionOf(theirs, ours), conjunctionOf(ours, theirs, theirs), conjunctionOf(theirs, theirs)}).Draw(t, "validator")
}

// drawFound draws ranges: some as the world wants them, or nearly, some of other zones and other bounds.
func drawFound(t *rapid.T, w *topology.Topology, c zones.Collection, key topology.Key, ids []topology.ZoneID) []zones.Range {
	var drawn []zones.Range
	if ns, ok := w.NamespaceOf(c.Name); ok {
		wanted, _ := declaredRanges(w, ns)
		ns.Unknown = topology.UnknownReport // without the gaps
		for _, r := range keyRanges(ns, key, wanted) {
			if rapid.Bool().Draw(t, "as wanted") {
				drawn = append(drawn, r)
			}
		}
	}
	cuts := drawCuts(t, 5)
	for i := range max(0, len(cuts)-1) {
		drawn = append(drawn, zones.Range{Min: shardkey.StartOf(key, shardkey.ValueOf(cuts[i])), Max: shardkey.StartOf(key, shardkey.ValueOf(cuts[i+1])), Zone: rapid.SampledFrom(ids).Draw(t, "found zone")})
	}
	var found []zones.Range
	for _, r := range drawn {
		if r = disfigured(t, c, key, r, ids); shardkey.CompareKeys(r.Min, r.Max) < 0 && !slices.ContainsFunc(found, func(f zones.Range) bool {
			return shardkey.CompareKeys(f.Min, r.Max) < 0 && shardkey.CompareKeys(r.Min, f.Max) < 0
		}) {
			found = append(found, r)
		}
	}
	zones.SortRanges(found)
	return found
}

// disfigured writes a range in another way, or gives it to another zone.
func disfigured(t *rapid.T, c zones.Collection, key topology.Key, r zones.Range, ids []topology.ZoneID) zones.Range {
	if len(key) > 1 && rapid.Bool().Draw(t, "usual end") {
		if v, ok := shardkey.SingleValue(key, r.Min, r.Max); ok {
			r.Max = keyOfTwo(key, v, shardkey.MaxKey)
		}
	}
	if rapid.Bool().Draw(t, "small integers") {
		r.Min, r.Max = smallIntegers(r.Min), smallIntegers(r.Max)
	}
	if !c.Sharded && rapid.Bool().Draw(t, "prefixes") {
		r.Min, r.Max = prefix(r.Min), prefix(r.Max)
	}
	if rapid.IntRange(0, 3).Draw(t, "other zone") == 0 {
		r.Zone = rapid.SampledFrom(ids).Draw(t, "zone instead")
	}
	return r
}

// keyOfTwo is a key with a value in the first field and another in all others.
func keyOfTwo(key topology.Key, first, others bson.RawValue) bson.Raw {
	d := bson.D{{Key: key[0].Name, Value: first}}
	for _, f := range key[1:] {
		d = append(d, bson.E{Key: f.Name, Value: others})
	}
	return docOf(d)
}

// smallIntegers has integers of 32 bits where they fit, as mongosh sends them.
func smallIntegers(key bson.Raw) bson.Raw {
	elements, _ := key.Elements()
	var d bson.D
	for _, e := range elements {
		v := any(e.Value())
		if n, ok := e.Value().Int64OK(); ok && int64(int32(n)) == n {
			v = int32(n)
		}
		d = append(d, bson.E{Key: e.Key(), Value: v})
	}
	return docOf(d)
}

func prefix(key bson.Raw) bson.Raw {
	first, _ := shardkey.FirstTwo(key)
	elements, _ := key.Elements()
	return docOf(bson.D{{Key: elements[0].Key(), Value: first}})
}
