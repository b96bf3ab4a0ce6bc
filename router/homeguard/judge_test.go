package homeguard

import (
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
)

// declared has three kinds of namespaces: values named like zones, ranges of numbers with the rest in a zone, and a pattern with a hashed second field.
const declared = `version: 1
datacenters:
  NYC: {name: New York}
  LON: {name: London}
  SYD: {name: Sydney}
links:
  - {between: [NYC, LON], rtt: 76ms}
  - {between: [NYC, SYD], rtt: 200ms}
  - {between: [LON, SYD], rtt: 265ms}
shards:
  s0: {members: [{dc: NYC, priority: 10}, {dc: LON, priority: 5}, {dc: SYD, priority: 1}]}
  s1: {members: [{dc: LON, priority: 10}, {dc: NYC, priority: 5}, {dc: SYD, priority: 1}]}
  s2: {members: [{dc: SYD, priority: 10}, {dc: SYD, priority: 5}, {dc: LON, priority: 1}]}
zones:
  NYC: {shards: [s0]}
  LON: {shards: [s1]}
  SYD: {shards: [s2], allowedDatacenters: [SYD, LON]}
namespaces:
  guard_shop.carts: {key: {dataCenter: 1, cartId: 1}, zoneBy: dataCenter, unknown: reject}
  guard_shop.tenants:
    key: {tenant: 1}
    zoneBy: tenant
    ranges:
      - {zone: NYC, from: 0, to: 100}
      - {zone: LON, from: 100, to: 200}
      - {zone: SYD, values: [777]}
    unknown: zone
    unknownZone: NYC
  guard_logs.*: {key: {dataCenter: 1, at: hashed}, zoneBy: dataCenter}
  guard_logs.special.*: {key: {place: 1}, zoneBy: place}
`

func world(t testing.TB) *topology.Topology {
	t.Helper()
	w, err := topology.Parse("declared.yaml", []byte(declared))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func guardIn(t testing.TB, here topology.DatacenterID, edit ...func(*Options)) *Guard {
	t.Helper()
	o := Options{World: world(t), Here: here}
	for _, e := range edit {
		e(&o)
	}
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// filter reads extended JSON.
func filter(t testing.TB, text string) bson.Raw {
	t.Helper()
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(text), false, &d); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return document(d)
}

func dcs(names ...topology.DatacenterID) []topology.DatacenterID { return names }

func TestAFilterIsJudgedByTheZonesThatItTouches(t *testing.T) {
	everywhere := dcs("LON", "NYC", "SYD")
	for _, c := range []struct {
		namespace, filter string
		want              Verdict
		datacenters       []topology.DatacenterID
	}{
		{"guard_shop.carts", `{"dataCenter": "NYC"}`, VerdictHome, dcs("NYC")},
		{"guard_shop.carts", `{"dataCenter": "NYC", "cartId": 7}`, VerdictHome, dcs("NYC")},
		{"guard_shop.carts", `{"cartId": 7, "dataCenter": {"$eq": "NYC"}}`, VerdictHome, dcs("NYC")},
		{"guard_shop.carts", `{"dataCenter": {"$in": ["NYC"]}}`, VerdictHome, dcs("NYC")},
		{"guard_shop.carts", `{"$and": [{"cartId": 7}, {"dataCenter": "NYC"}]}`, VerdictHome, dcs("NYC")},
		{"guard_shop.carts", `{"dataCenter": "LON", "cartId": 7}`, VerdictRemote, dcs("LON")},
		{"guard_shop.carts", `{"dataCenter": {"$in": ["LON", "SYD"]}}`, VerdictRemote, dcs("LON", "SYD")},
		{"guard_shop.carts", `{"dataCenter": {"$in": ["NYC", "LON"]}}`, VerdictRemote, dcs("LON", "NYC")},
		{"guard_shop.carts", `{"cartId": 7}`, VerdictNoKey, everywhere},
		{"guard_shop.carts", `{}`, VerdictNoKey, everywhere},
		{"guard_shop.carts", `{"dataCenter": {"$exists": true}}`, VerdictNoKey, everywhere},
		{"guard_shop.carts", `{"dataCenter": {"$ne": "LON"}}`, VerdictNoKey, everywhere},
		{"guard_shop.carts", `{"dataCenter": {"$regularExpression": {"pattern": "^N", "options": ""}}}`, VerdictNoKey, everywhere},
		{"guard_shop.carts", `{"$or": [{"dataCenter": "NYC"}, {"dataCenter": "NYC"}]}`, VerdictNoKey, everywhere}, // mongos 6.0 asks all for a shard key of two fields, too
		{"guard_shop.carts", `{"dataCenter": {"$gte": "M", "$lt": "O"}}`, VerdictRemote, everywhere},              // touches the gaps about NYC
		{"guard_shop.carts", `{"dataCenter": "PAR"}`, VerdictUnplaced, everywhere},
		{"guard_shop.carts", `{"dataCenter": null}`, VerdictUnplaced, everywhere},
		{"guard_shop.carts", `{"dataCenter": {"$in": []}}`, VerdictUnplaced, everywhere}, // the router asks any one shard
		{"guard_shop.tenants", `{"tenant": {"$gte": 99, "$lt": 88.5}}`, VerdictUnplaced, everywhere},
		{"guard_shop.carts", `{"dataCenter": "NYC\u0000"}`, VerdictUnplaced, everywhere},
		{"guard_shop.tenants", `{"tenant": 0}`, VerdictHome, dcs("NYC")},
		{"guard_shop.tenants", `{"tenant": 99.5}`, VerdictHome, dcs("NYC")},
		{"guard_shop.tenants", `{"tenant": 100}`, VerdictRemote, dcs("LON")},
		{"guard_shop.tenants", `{"tenant": 777}`, VerdictRemote, dcs("SYD")},
		{"guard_shop.tenants", `{"tenant": "x"}`, VerdictHome, dcs("NYC")}, // unknown ones are NYC's
		{"guard_shop.tenants", `{"tenant": {"$lt": 50}}`, VerdictHome, dcs("NYC")},
		{"guard_shop.tenants", `{"tenant": {"$gt": 50, "$lt": 150}}`, VerdictRemote, dcs("LON", "NYC")},
		{"guard_shop.tenants", `{"name": "x"}`, VerdictNoKey, everywhere},
		{"guard_logs.visits", `{"dataCenter": "NYC", "at": 3}`, VerdictHome, dcs("NYC")},
		{"guard_logs.visits", `{"dataCenter": "SYD"}`, VerdictRemote, dcs("SYD")},
		{"guard_logs.special.x", `{"place": "NYC"}`, VerdictHome, dcs("NYC")},       // the longer pattern
		{"guard_logs.special.x", `{"dataCenter": "NYC"}`, VerdictNoKey, everywhere}, // whose key is another
		{"other.things", `{"dataCenter": "LON"}`, VerdictOutside, nil},
		{"config.chunks", `{}`, VerdictOutside, nil},
	} {
		got := guardIn(t, "NYC").Judge(c.namespace, filter(t, c.filter))
		if got.Verdict != c.want || !slices.Equal(got.Datacenters, c.datacenters) {
			t.Errorf("%s %s: got %s in %v, want %s in %v", c.namespace, c.filter, got.Verdict, got.Datacenters, c.want, c.datacenters)
		}
		if cross := len(got.Datacenters) > 0 && !slices.Equal(got.Datacenters, dcs("NYC")); got.Cross != cross {
			t.Errorf("%s %s: got cross %v, want %v", c.namespace, c.filter, got.Cross, cross)
		}
	}
}

func TestReadsThatAMemberHereMayAnswerStayHere(t *testing.T) {
	for _, c := range []struct {
		here  topology.DatacenterID
		home  string
		reach reach
		want  topology.DatacenterID
	}{
		{"NYC", "LON", primaries, "LON"},
		{"NYC", "LON", secondaries, "NYC"},
		{"NYC", "LON", nearest, "NYC"},
		{"NYC", "NYC", nearest, "NYC"},
		{"NYC", "NYC", secondaries, "LON"}, // the only member here is the primary: the nearest secondary is in London
		{"SYD", "SYD", secondaries, "SYD"}, // two members at home
		{"NYC", "SYD", nearest, "LON"},     // no member in NYC: the nearer one of the others
		{"NYC", "SYD", secondaries, "LON"},
	} {
		g := guardIn(t, c.here)
		got := g.judge.judgeFilter(g.judge.placeOf("guard_shop.carts"), filter(t, `{"dataCenter": "`+c.home+`"}`), nil, c.reach)
		if !slices.Equal(got.Datacenters, dcs(c.want)) || got.Cross != (c.want != c.here) {
			t.Errorf("in %s, of %s, reach %d: got %v, cross %v, want %s", c.here, c.home, c.reach, got.Datacenters, got.Cross, c.want)
		}
	}
}

func TestACollationLeavesStringsOpen(t *testing.T) {
	g := guardIn(t, "NYC")
	for locale, want := range map[string]bool{"simple": false, "de": true} {
		got := g.judge.judgeFilter(g.judge.placeOf("guard_shop.carts"), filter(t, `{"dataCenter": "NYC"}`), filter(t, `{"locale": "`+locale+`"}`), primaries)
		if got.Cross != want {
			t.Errorf("locale %s: got cross %v, want %v", locale, got.Cross, want)
		}
	}
}

func TestADocumentIsJudgedByItsKey(t *testing.T) {
	g := guardIn(t, "LON")
	for doc, want := range map[string]Verdict{
		`{"dataCenter": "LON", "cartId": 1}`:                       VerdictHome,
		`{"dataCenter": "LON"}`:                                    VerdictHome,
		`{"cartId": 1, "dataCenter": "SYD"}`:                       VerdictRemote,
		`{"cartId": 1}`:                                            VerdictUnplaced,
		`{"dataCenter": ["LON"], "cartId": 1}`:                     VerdictUnplaced,
		`{"dataCenter": {"$maxKey": 1}, "cartId": {"$maxKey": 1}}`: VerdictUnplaced,
	} {
		if got := g.judge.judgeDocument(g.judge.placeOf("guard_shop.carts"), filter(t, doc)); got.Verdict != want {
			t.Errorf("%s: got %s, want %s", doc, got.Verdict, want)
		}
	}
}

func TestAGuardNeedsAWorldAndAPlaceInIt(t *testing.T) {
	for name, o := range map[string]Options{
		"no world": {Here: "NYC"}, "no place": {World: world(t)}, "unknown place": {World: world(t), Here: "PAR"},
		"unknown mode": {World: world(t), Here: "NYC", Mode: 9}, "negative": {World: world(t), Here: "NYC", Shapes: -1},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, m := range []Mode{ModeCount, ModeWarn, ModeRefuse} {
		if got, err := ParseMode(m.String()); got != m || err != nil {
			t.Errorf("%s: read as %s, %v", m, got, err)
		}
	}
	if _, err := ParseMode("shout"); err == nil {
		t.Error("mode shout was accepted")
	}
}
