package zones_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/topology"
)

// counts are the documents that were put into a cluster.
type counts struct {
	documents, unknown int64
	// byZone has those of each collection.
	byZone map[string]map[topology.ZoneID]int64
}

// zoneOf is the zone of a value by the words of topology.Namespace. It shares nothing with the planner and with verify.
func zoneOf(world *topology.Topology, ns topology.Namespace, v topology.Value) (topology.ZoneID, bool) {
	for _, r := range ns.Ranges {
		switch {
		case slices.ContainsFunc(r.Values, func(w topology.Value) bool { return w.Compare(v) == 0 }):
			return r.Zone, true
		case len(r.Values) == 0 && (r.From == nil || r.From.Compare(v) <= 0) && (r.To == nil || v.Compare(*r.To) < 0):
			return r.Zone, true
		}
	}
	if v.Kind() == topology.KindString && !ns.OnlyRanges {
		if zone, ok := world.Zone(topology.ZoneID(v.Text())); ok {
			return zone.ID, true
		}
	}
	return "", false
}

// declaredValues are the single values, the beginnings of ranges and the names of zones that decide by themselves.
func declaredValues(world *topology.Topology, ns topology.Namespace) []topology.Value {
	var all []topology.Value
	for _, r := range ns.Ranges {
		all = append(all, r.Values...)
		if r.From != nil {
			all = append(all, *r.From)
		}
	}
	for _, zone := range world.Zones {
		name := topology.StringOf(string(zone.ID))
		if _, ok := zoneOf(world, ns, name); ok && !ns.OnlyRanges && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

func bsonOf(t *testing.T, v topology.Value) any {
	t.Helper()
	switch v.Kind() {
	case topology.KindInteger:
		return v.Integer()
	case topology.KindFloat:
		return v.Float()
	case topology.KindString:
		return v.Text()
	case topology.KindUUID:
		id := v.UUID()
		return bson.Binary{Subtype: bson.TypeBinaryUUID, Data: id[:]}
	case topology.KindObjectID:
		return bson.ObjectID(v.ObjectID())
	case topology.KindDate:
		return bson.NewDateTimeFromTime(v.Date())
	default:
		t.Fatalf("%v has no type", v)
		return nil
	}
}

// nested is a document that has a value at the end of a dotted path.
func nested(path string, v any) bson.E {
	if first, rest, dotted := strings.Cut(path, "."); dotted {
		return bson.E{Key: first, Value: bson.D{nested(rest, v)}}
	}
	return bson.E{Key: path, Value: v}
}

// put inserts documents of each value into a collection: each of them once, with a second field of its own. What is to be refused has to be refused. It adds
// those that are there to the counts.
func (s access) put(t *testing.T, world *topology.Topology, name string, values []topology.Value, each, pad int, c *counts) {
	t.Helper()
	ns, ok := world.NamespaceOf(name)
	if !ok {
		t.Fatalf("%s is not declared", name)
	}
	if c.byZone == nil {
		c.byZone = map[string]map[topology.ZoneID]int64{}
	}
	if c.byZone[name] == nil {
		c.byZone[name] = map[topology.ZoneID]int64{}
	}
	var documents []bson.D
	refused := 0
	for _, v := range values {
		zone, known := zoneOf(world, ns, v)
		for id := range each {
			documents = append(documents, documentOf(ns.Key, bsonOf(t, v), int64(id), pad))
		}
		if !known && ns.Unknown == topology.UnknownReject {
			refused += each
			continue
		}
		c.documents += int64(each)
		switch {
		case known:
			c.byZone[name][zone] += int64(each)
		case ns.Unknown == topology.UnknownToZone:
			c.byZone[name][ns.UnknownZone] += int64(each)
			c.unknown += int64(each)
		default:
			c.unknown += int64(each)
		}
	}
	if len(documents) == 0 {
		return
	}
	_, err := collection(s.Client(), name).InsertMany(t.Context(), documents, options.InsertMany().SetOrdered(false))
	var bulk mongo.BulkWriteException
	if refused == 0 && err != nil || refused > 0 && (!errors.As(err, &bulk) || len(bulk.WriteErrors) != refused) {
		t.Fatalf("insert into %s: got %v, want %d documents refused of %d", name, err, refused, len(documents))
	}
	const failedValidation = 121
	for _, e := range bulk.WriteErrors {
		if e.Code != failedValidation {
			t.Fatalf("insert into %s: got %v, want nothing but refusals of the validator", name, e)
		}
	}
}

func documentOf(key topology.Key, first any, id int64, pad int) bson.D {
	d := bson.D{nested(key[0].Name, first)}
	for _, f := range key[1:] {
		d = append(d, nested(f.Name, id))
	}
	if pad > 0 {
		d = append(d, bson.E{Key: "pad", Value: make([]byte, pad)})
	}
	if i := slices.IndexFunc(d, func(e bson.E) bool { return e.Key == "_id" }); i >= 0 { // one document for each value and id
		d[i].Value = bson.NewObjectID()
	}
	return d
}
