package verify_test

import (
	"math"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/verify"
)

// What each value means is worked out here by hand from geoshard.yaml's rules; the servers must come to the same.
func TestServersGiveValuesOfEveryTypeTheirZone(t *testing.T) {
	s := start(t)
	day := func(d int) topology.Value { return topology.DateOf(time.Date(2026, 1, d, 0, 0, 0, 0, time.UTC)) }
	bound := func(v topology.Value) *topology.Value { return &v }
	uuid, oid := [16]byte{4, 2}, [12]byte{4, 2}
	ns := carts("rule.carts")
	ns.Ranges = []topology.Range{
		{Zone: "LON", From: bound(topology.IntegerOf(10)), To: bound(topology.FloatOf(20.5))},
		{Zone: "LON", Values: []topology.Value{topology.StringOf("$dc"), topology.StringOf("US"), topology.UUIDOf(uuid), topology.ObjectIDOf(oid)}},
		{Zone: "SYD", From: bound(day(1)), To: bound(day(3))},
		{Zone: "SYD", Values: []topology.Value{topology.StringOf("NYC")}}, // a range is stronger than a zone's name
	}
	docs := []any{bson.D{{Key: "id", Value: ""}}} // no dc at all
	for _, c := range []struct {
		zone   topology.ZoneID // empty: unknown
		values []any
	}{
		{"LON", []any{int32(10), int64(20), 20.25, decimal(t, "15.5"), "$dc", "US", "LON", bson.Binary{Subtype: 4, Data: uuid[:]}, bson.ObjectID(oid)}},
		{"SYD", []any{bson.NewDateTimeFromTime(day(1).Date()), bson.NewDateTimeFromTime(day(3).Date().Add(-time.Millisecond)), "NYC", "SYD"}},
		{"", []any{9, 20.5, math.NaN(), math.Inf(1), nil, true, "us", "lon", "LON ", "LON\x00", "", bson.NewDateTimeFromTime(day(3).Date()),
			bson.Binary{Subtype: 0, Data: uuid[:]}, bson.MinKey{}, bson.MaxKey{}, bson.D{{Key: "x", Value: 1}}}},
	} {
		for _, v := range c.values {
			docs = append(docs, key(v, string(c.zone)))
		}
	}
	s.insert(t, s.router, ns.Name, docs...)
	s.wantZones(t, ns, map[topology.ZoneID]int64{"LON": 9, "SYD": 4}, 17)

	// A range without an end goes on through the later types, and one without a beginning starts at what is missing.
	ns.OnlyRanges = true
	ns.Ranges = []topology.Range{{Zone: "NYC", To: bound(topology.IntegerOf(10))}, {Zone: "SYD", From: bound(topology.StringOf("US"))}}
	s.wantZones(t, ns, map[topology.ZoneID]int64{
		"NYC": 5,  // 9, NaN, null, MinKey, none
		"SYD": 12, // US and us and lon are strings; then the object, both binaries, the ObjectID, true, three dates, MaxKey
	}, 13)
}

func decimal(t *testing.T, text string) bson.Decimal128 {
	t.Helper()
	d, err := bson.ParseDecimal128(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (s opened) wantZones(t *testing.T, ns topology.Namespace, want map[topology.ZoneID]int64, unknown int64) {
	t.Helper()
	r := s.verify(t, s.declare(ns), verify.Options{})
	for _, m := range r.Namespaces[0].Members {
		if m.Documents == 0 {
			continue // the collection is not sharded: one shard has it
		}
		for _, dc := range datacenters {
			if zone := topology.ZoneID(dc); m.Zones[zone] != want[zone] {
				t.Errorf("%s: got %d documents of %s, want %d", m.Host, m.Zones[zone], zone, want[zone])
			}
		}
		if m.Unknown != unknown {
			t.Errorf("%s: got %d of unknown values, want %d", m.Host, m.Unknown, unknown)
		}
	}
}

// A collection's own collation may not see the difference between lon and LON; zones and shard keys do.
func TestCollationOfACollectionHasNoSay(t *testing.T) {
	s := start(t)
	ns := carts("collated.carts")
	db := s.router.Database("collated")
	if err := db.CreateCollection(t.Context(), "carts", options.CreateCollection().SetCollation(&options.Collation{Locale: "en", Strength: 1})); err != nil {
		t.Fatal(err)
	}
	s.insert(t, s.router, ns.Name, key("LON", 1), key("lon", 2), key("Lon", 3))
	s.wantZones(t, ns, map[topology.ZoneID]int64{"LON": 1}, 2)
}

// A pattern is about the sharded collections that have its key, and the report says which were left out.
func TestPatternsStandForCollections(t *testing.T) {
	s := start(t)
	for _, name := range []string{"pattern.a", "pattern.b"} {
		s.place(t, name, 1)
		s.fill(t, name, 2)
	}
	s.admin(t, bson.D{{Key: "shardCollection", Value: "pattern.other"}, {Key: "key", Value: bson.D{{Key: "x", Value: 1}}}})
	r := s.verify(t, s.declare(carts("pattern.*")), verify.Options{})
	if len(r.Namespaces) != 2 || r.Namespaces[0].Name != "pattern.a" || !r.Clean() || len(r.NotChecked) != 1 {
		t.Errorf("got %d namespaces, not checked %v, want a and b, and other left out", len(r.Namespaces), r.NotChecked)
	}
	if r := s.verify(t, s.declare(carts("pattern.*")), verify.Options{Namespaces: []string{"pattern.b"}}); len(r.Namespaces) != 1 || r.Totals().Documents != 6 {
		t.Errorf("one of them: got %+v", r.Totals())
	}
}
