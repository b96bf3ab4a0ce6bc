package topology_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

// An edit replaces text of the reference world, which must have it.
type edit struct{ old, new string }

// A slip is one way to get geoshard.yaml wrong.
type slip struct {
	name  string
	edits []edit
}

// TestMessages reads the reference world with one slip after the other; testdata/messages.txt is what the user reads.
func TestMessages(t *testing.T) {
	base, err := os.ReadFile("testdata/nyc-lon-syd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, s := range slips {
		fmt.Fprintf(&got, "== %s\n%s", s.name, messages(s.source(t, string(base))))
	}
	testkit.Golden(t, "testdata/messages.txt", got.String())
	t.Logf("%d slips", len(slips))
}

// source is the reference world with the slip.
func (s slip) source(t testing.TB, src string) string {
	t.Helper()
	for _, e := range s.edits {
		if !strings.Contains(src, e.old) {
			t.Fatalf("%s: the reference world has no %q", s.name, e.old)
		}
		src = strings.Replace(src, e.old, e.new, 1)
	}
	return src
}

// messages checks a document and lists its problems.
func messages(src string) string {
	_, problems := topology.Check("geo.yaml", []byte(src))
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintln(&b, p)
	}
	if len(problems) == 0 {
		b.WriteString("(no problem)\n")
	}
	return b.String()
}

// change is a slip of one edit.
func change(name, old, new string) slip { return slip{name, []edit{{old, new}}} }

const (
	nycMembers = "[{dc: NYC, priority: 10}, {dc: LON, priority: 5}, {dc: SYD, priority: 0}]"
	lonMembers = "[{dc: LON, priority: 10}, {dc: NYC, priority: 5}, {dc: SYD, priority: 0}]"
	sydShard   = "  syd: {members: [{dc: SYD, priority: 10}, {dc: LON, priority: 5}, {dc: NYC, priority: 0}]}\n"
	sydZone    = "  SYD: {shards: [syd]}\n"
	sydLine    = "  SYD: {name: Sydney,   at: [-33.87, 151.21], countries: [AU, NZ, JP, SG], endpoint: \"http://127.0.0.1:8083\"}\n"
	nycVoted   = "[{dc: NYC, priority: 10}, {dc: LON, priority: 5}, {dc: SYD}]"
	lonVoted   = "[{dc: LON, priority: 10}, {dc: NYC, priority: 5}, {dc: SYD}]"
	afterKey   = "zoneBy: dataCenter, unknown: reject"
	goal       = "survive: datacenter"
)

var sydVotes = edit{sydLine, "  SYD: {name: Sydney, role: voter}\n"}

func related(list string) edit { return edit{afterKey, afterKey + ", related: [" + list + "]"} }

var orders = edit{goal, "  shop.orders: {key: {dataCenter: 1, orderId: 1}, zoneBy: dataCenter}\n" + goal}

func ranges(list string) edit { return edit{afterKey, afterKey + ", ranges: [" + list + "]"} }

// slips are all of them: see routerSlips for those of the router section.
var slips = append(worldSlips, routerSlips...)

var worldSlips = []slip{
	{"nothing wrong", nil},

	// Reading.
	change("not YAML", "links:", "links: ["),
	change("second document", "links:", "---\nlinks:"),
	change("a list", "version: 1", "- 1\n---"),
	change("a key as long as a file", "version: 1", strings.Repeat("long", 100)+": 1"),
	change("a value as long as a file", "version: 1", "version: "+strings.Repeat("root:x:0:0 ", 100)),
	change("misspelt key", "shards:\n", "shard:\n"),
	change("misspelt key below", "{members: "+nycMembers, "{memebers: "+nycMembers),
	change("unknown key like nothing", goal, goal+"\ncolour: red"),
	change("key twice", "  LON: {shards", "  NYC: {shards: [lon]}\n  LON: {shards"),
	change("key missing", ", rtt: 76ms", ""),
	change("top key missing", "version: 1\n", ""),
	change("key that is no string", "  LON: {shards", "  12: {shards"),
	change("list for mapping", "NYC: {shards: [nyc]}", "NYC: [nyc]"),
	change("mapping for list", "{shards: [nyc]}", "{shards: {nyc: 1}}"),
	change("nothing for list", "{shards: [nyc]}", "{shards: }"),
	change("scalar for list", "{shards: [nyc]}", "{shards: nyc}"),
	change("number for string", "name: London", "name: 7"),
	change("boolean for string", "name: London", "name: true"),
	change("anchor", "name: London", "name: &a London"),
	change("tag", "name: London", "name: !!str London"),
	change("version of the future", "version: 1", "version: 2"),
	change("version as text", "version: 1", "version: one"),
	change("huge number", "version: 1", "version: 99999999999999999999"),
	{"everything at once", []edit{
		{"rtt: 76ms", "rtt: 76"}, {"{shards: [lon]}", "{shards: [lno]}"}, {"{dc: LON, priority: 5}", "{dc: LNO, priority: 5}"},
		{"zoneBy: dataCenter", "zoneBy: datacenter"}, {goal, "survive: data-center"}, {"countries: [GB", "countries: [UK"},
	}},

	// Datacenters.
	{"values that look alike in two zones", []edit{ranges(`{zone: NYC, values: [44, us, "\u00d6", NYC]}, {zone: LON, values: ["44", US, "O\u0308", lon, nyc]}`)}},
	change("name with a slash", "  NYC: {name", "  N/Y: {name"),
	change("names that differ in case alone", "  LON: {name", "  nyc: {name"),
	change("unprintable name", "name: London", `name: "Lon\tdon"`),
	change("unknown role", "name: London,", "name: London, role: pasive,"),
	change("position off the Earth", "at: [51.51, -0.13]", "at: [-0.13, 251.51]"),
	change("position of one number", "at: [51.51, -0.13]", "at: [51.51]"),
	change("position in words", "at: [51.51, -0.13]", "at: [north, west]"),
	change("lower-case country", "GB, IE", "gb, IE"),
	change("no country", "GB, IE", "GB, XX"),
	change("number as country", "GB, IE", "GB, 372"),
	change("country twice", "GB, IE", "GB, GB"),
	change("country in two datacenters", "GB, IE", "GB, US"),
	change("endpoint without scheme", `"http://127.0.0.1:8082"`, `"127.0.0.1:8082"`),
	change("endpoint of another protocol", `"http://127.0.0.1:8082"`, `"mongodb://127.0.0.1:8082"`),
	change("endpoint with a password", `"http://127.0.0.1:8082"`, `"http://me:secret@127.0.0.1:8082"`),
	change("endpoint with a query", `"http://127.0.0.1:8082"`, `"http://127.0.0.1:8082/?a=b"`),
	change("endpoint twice", `"http://127.0.0.1:8082"`, `"http://127.0.0.1:8081/"`),
	change("eight datacenters", "links:", "  A: {}\n  B: {}\n  C: {}\n  D: {}\n  E: {}\nlinks:"),

	// Links.
	change("link missing", "  - {between: [LON, SYD], rtt: 265ms}\n", ""),
	change("link twice", "between: [LON, SYD]", "between: [SYD, NYC]"),
	change("link with itself", "between: [LON, SYD]", "between: [LON, LON]"),
	change("link to nowhere", "between: [LON, SYD]", "between: [LON, SDY]"),
	change("link of three", "between: [LON, SYD]", "between: [LON, SYD, NYC]"),
	change("rtt without unit", "rtt: 265ms", "rtt: 265"),
	change("rtt of nothing", "rtt: 265ms", "rtt: 0s"),
	change("rtt in a strange unit", "rtt: 265ms", "rtt: 265 ms"),
	change("faster than light", "rtt: 265ms", "rtt: 100ms"),
	change("jitter beyond the delay", "rtt: 265ms", "rtt: 265ms, jitter: 200ms"),
	change("bandwidth without unit", "rtt: 265ms", "rtt: 265ms, bandwidth: 10Mbit"),

	// Shards and members.
	change("member in an unknown datacenter", "{dc: LON, priority: 5}", "{dc: LNO, priority: 5}"),
	change("priority below 0", "{dc: LON, priority: 5}", "{dc: LON, priority: -1}"),
	change("priority above 1000", "{dc: LON, priority: 5}", "{dc: LON, priority: 5000}"),
	change("no members", nycMembers, "[]"),
	change("more than seven votes", nycMembers, nycMembers[:len(nycMembers)-1]+strings.Repeat(", {dc: SYD, priority: 0}", 5)+"]"),
	change("all priorities 0", nycMembers, "[{dc: NYC, priority: 0}, {dc: LON, priority: 0}, {dc: SYD, priority: 0}]"),
	change("no priorities", nycMembers, "[{dc: NYC}, {dc: LON}, {dc: SYD}]"),
	change("home tie", nycMembers, "[{dc: NYC, priority: 10}, {dc: LON, priority: 10}, {dc: SYD, priority: 1}]"),
	change("reserved shard name", "  syd: {members", "  router: {members"),
	change("config in capitals is no shard that MongoDB would make", "  syd: {members", "  Config: {members"),
	{"the config servers may be a shard", []edit{{"  syd: {members", "  config: {members"}, {"shards: [syd]", "shards: [config]"}}},
	change("shard name with a dot", "  syd: {members", "  syd.1: {members"),

	// Elections.
	change("three may be elected", nycMembers, "[{dc: NYC, priority: 10}, {dc: LON, priority: 5}, {dc: SYD, priority: 1}]"),
	change("of equals the farther one splits votes", nycMembers, "[{dc: NYC, priority: 10}, {dc: SYD}, {dc: LON}]"),
	{"near each other votes are rarely split", []edit{{nycMembers, "[{dc: NYC, priority: 10}, {dc: LON, priority: 5}, {dc: SYD, priority: 1}]"},
		{"  NYC: {name: New York, at: [40.71, -74.01],", "  NYC: {name: New York,"}, {"London,   at: [51.51, -0.13],", "London,"}, {"Sydney,   at: [-33.87, 151.21],", "Sydney,"}, {"rtt: 265ms", "rtt: 14ms"}}},

	// Placement.
	change("fewer shards than active datacenters", sydShard, ""),
	change("no primary in an active datacenter", sydShard, "  syd: {members: "+nycMembers+"}\n"),
	change("no copy in an active datacenter", nycMembers, "[{dc: NYC, priority: 10}, {dc: NYC, priority: 9}, {dc: LON, priority: 5}]"),
	{"passive datacenters need no shard", []edit{{"name: Sydney,", "name: Sydney, role: passive,"}, {sydShard, ""}, {sydZone, ""}}},
	change("home in a passive datacenter", "name: Sydney,", "name: Sydney, role: passive,"),
	{"passive datacenter without members", []edit{{"name: Sydney,", "name: Sydney, role: passive,"}, {sydShard, ""}, {sydZone, ""},
		{nycMembers, "[{dc: NYC, priority: 9}, {dc: LON}]"}, {lonMembers, "[{dc: LON, priority: 9}, {dc: NYC}]"}, {goal, ""}}},
	{"voter", []edit{sydVotes, {nycMembers, nycVoted}, {lonMembers, lonVoted}, {sydShard, ""}, {sydZone, ""}, {goal, ""}}},
	{"voter with users", []edit{{"name: Sydney,", "name: Sydney, role: voter,"}, {nycMembers, nycVoted}, {lonMembers, lonVoted}, {sydShard, ""}, {sydZone, ""}, {goal, ""}}},
	{"arbiter with a priority", []edit{sydVotes, {nycMembers, nycVoted}, {lonMembers, "[{dc: LON, priority: 10}, {dc: NYC, priority: 5}, {dc: SYD, priority: 1}]"}, {sydShard, ""}, {sydZone, ""}, {goal, ""}}},
	{"two arbiters", []edit{sydVotes, {nycMembers, "[{dc: NYC}, {dc: SYD}, {dc: SYD}]"}, {lonMembers, lonVoted}, {sydShard, ""}, {sydZone, ""}, {goal, ""}}},
	{"no active datacenter", []edit{{"name: New York,", "name: New York, role: passive,"}, {"name: London,", "name: London, role: passive,"}, {"name: Sydney,", "name: Sydney, role: passive,"}}},

	// Survival.
	change("unknown goal", goal, "survive: region"),
	{"arbiters acknowledge nothing", []edit{sydVotes, {nycMembers, nycVoted}, {lonMembers, lonVoted}, {sydShard, ""}, {sydZone, ""}, {goal, "survive: node"}}},
	{"two places cannot outvote each other", []edit{{sydLine, ""}, {"  - {between: [NYC, SYD], rtt: 200ms}\n  - {between: [LON, SYD], rtt: 265ms}\n", ""}, {sydShard, ""}, {sydZone, ""},
		{nycMembers, "[{dc: NYC, priority: 10}, {dc: NYC, priority: 9}, {dc: LON}]"}, {lonMembers, "[{dc: LON, priority: 10}, {dc: LON, priority: 9}, {dc: NYC}]"}}},
	change("two members", nycMembers, "[{dc: NYC, priority: 10}, {dc: LON, priority: 5}]"),
	change("majority in one datacenter", nycMembers, "[{dc: NYC, priority: 10}, {dc: NYC, priority: 9}, {dc: NYC, priority: 8}, {dc: LON}, {dc: SYD}]"),
	change("nobody to elect", nycMembers, "[{dc: NYC, priority: 10}, {dc: LON, priority: 0}, {dc: SYD, priority: 0}]"),

	// Zones.
	change("zone of an unknown shard", "{shards: [lon]}", "{shards: [lnd]}"),
	change("zone without shards", "{shards: [lon]}", "{shards: []}"),
	change("shard twice in a zone", "{shards: [lon]}", "{shards: [lon, lon]}"),
	change("shard in no zone", "  SYD: {shards: [syd]}\n", ""),
	change("zone away from its datacenter", "LON: {shards: [lon]}", "LON: {shards: [syd]}"),
	change("zone name with a space at its end", "  LON: {shards", `  "LON ": {shards`),
	change("members outside the allowed datacenters", "{shards: [lon]}", "{shards: [lon], allowedDatacenters: [LON, NYC]}"),
	change("allowed datacenter unknown", "{shards: [lon]}", "{shards: [lon], allowedDatacenters: [LON, NCY]}"),
	change("allowed datacenter twice", "{shards: [lon]}", "{shards: [lon], allowedDatacenters: [LON, NYC, LON]}"),
	{"declared residency excuses a missing copy", []edit{
		{lonMembers, "[{dc: LON, priority: 10}, {dc: LON, priority: 9}, {dc: NYC, priority: 5}]"}, {"{shards: [lon]}", "{shards: [lon], allowedDatacenters: [LON, NYC]}"}, {goal, ""}}},

	// Namespaces.
	change("namespace without a collection", "shop.carts:", "carts:"),
	change("namespace in a database of MongoDB", "shop.carts:", "config.carts:"),
	change("database with a space", "shop.carts:", "my shop.carts:"),
	change("long database", "shop.carts:", strings.Repeat("s", 64)+".carts:"),
	change("long namespace", "shop.carts:", "shop."+strings.Repeat("c", 231)+":"),
	change("every collection of a database", "shop.carts:", `"shop.*":`),
	change("every collection below a name", "shop.carts:", `"shop.eu.*":`),
	change("a star in a name", "shop.carts:", `"shop.c*":`),
	change("a star for a database", "shop.carts:", `"*.carts":`),
	change("system collection", "shop.carts:", "shop.system.carts:"),
	change("key without fields", "{dataCenter: 1, cartId: 1}", "{}"),
	change("descending key", "{dataCenter: 1, cartId: 1}", "{dataCenter: 1, cartId: -1}"),
	change("misspelt hashed", "{dataCenter: 1, cartId: 1}", "{dataCenter: 1, cartId: hash}"),
	change("list as field", "{dataCenter: 1, cartId: 1}", "{dataCenter: 1, cartId: [1]}"),
	change("hashed second field", "{dataCenter: 1, cartId: 1}", "{dataCenter: 1, cartId: hashed}"),
	change("two hashed fields", "{dataCenter: 1, cartId: 1}", "{dataCenter: 1, cartId: hashed, at: hashed}"),
	change("hashed zone field", "{dataCenter: 1, cartId: 1}", "{dataCenter: hashed, cartId: 1}"),
	change("field with a dollar", "{dataCenter: 1, cartId: 1}", "{dataCenter: 1, $id: 1}"),
	change("too many fields", "cartId: 1}", "cartId: 1"+manyFields(31)+"}"),
	change("zone field not in the key", "zoneBy: dataCenter", "zoneBy: country"),
	change("zone field not first", "{dataCenter: 1, cartId: 1}", "{cartId: 1, dataCenter: 1}"),
	change("zone of unknown values not named", "unknown: reject", "unknown: zone"),
	change("zone of unknown values not used", "unknown: reject", "unknown: reject, unknownZone: NYC"),
	change("zone of unknown values unknown", "unknown: reject", "unknown: zone, unknownZone: NCY"),
	change("namespace without zones", "zones:\n  NYC: {shards: [nyc]}\n  LON: {shards: [lon]}\n  SYD: {shards: [syd]}\n", ""),

	// Related namespaces.
	{"related namespace", []edit{orders, related("{namespace: shop.orders, by: cartId}")}},
	{"related to an unknown namespace", []edit{orders, related("{namespace: shop.ordres, by: cartId}")}},
	{"related to itself", []edit{related("{namespace: shop.carts, by: cartId}")}},
	{"related twice", []edit{orders, related("{namespace: shop.orders, by: cartId}, {namespace: shop.orders, by: userId}")}},
	{"related to a pattern", []edit{{goal, "  \"shop.*\": {key: {dataCenter: 1, orderId: 1}, zoneBy: dataCenter}\n" + goal}, related(`{namespace: "shop.*", by: cartId}`)}},
	{"related to a collection of a pattern", []edit{{goal, "  \"shop.*\": {key: {dataCenter: 1, orderId: 1}, zoneBy: dataCenter}\n" + goal}, related(`{namespace: shop.orders, by: cartId}`)}},
	{"related by nothing", []edit{orders, related("{namespace: shop.orders}")}},
	{"related by a field with a dollar", []edit{orders, related("{namespace: shop.orders, by: $id}")}},

	// Ranges.
	{"values and ranges of all kinds", []edit{ranges(`{zone: NYC, values: [US, "2024-01-01", 7, 2.5]}, {zone: LON, from: 10, to: 20.5}, {zone: SYD, from: 2024-01-01, to: 2025-01-01T12:00:00Z}`)}},
	{"identifiers", []edit{ranges(`{zone: NYC, values: [!uuid "01234567-89ab-cdef-0123-456789abcdef", !oid "0123456789abcdef01234567"]}`)}},
	{"a UUID without quotes and one too short", []edit{ranges(`{zone: NYC, values: [!uuid 7, !uuid "0123"]}`)}},
	{"no ObjectID", []edit{ranges(`{zone: NYC, values: [!oid "0123456789abcdef0123456z"]}`)}},
	change("ranges alone", afterKey, afterKey+", onlyRanges: true, ranges: [{zone: NYC, values: [NYC, US]}]"),
	change("ranges alone without ranges", afterKey, afterKey+", onlyRanges: true"),
	change("ranges alone perhaps", afterKey, afterKey+", onlyRanges: maybe"),
	{"range to an unknown zone", []edit{ranges(`{zone: TKO, values: [JP]}`)}},
	{"range of nothing", []edit{ranges(`{zone: SYD}`)}},
	{"range and values", []edit{ranges(`{zone: SYD, values: [1], to: 5}`)}},
	{"empty range", []edit{ranges(`{zone: SYD, from: 5, to: 5}`)}},
	{"range of two types", []edit{ranges(`{zone: SYD, from: 5, to: z}`)}},
	{"no date", []edit{ranges(`{zone: SYD, from: 2024-13-01}`)}},
	{"boolean bound", []edit{ranges(`{zone: SYD, from: true}`)}},
	{"infinite bound", []edit{ranges(`{zone: SYD, from: .inf}`)}},
	{"huge bound", []edit{ranges(`{zone: SYD, values: [99999999999999999999]}`)}},
	{"value in two zones", []edit{ranges(`{zone: SYD, values: [JP, AU]}, {zone: LON, values: [JP]}`)}},
	{"integer and float are one value", []edit{ranges(`{zone: SYD, values: [1]}, {zone: LON, values: [1.0]}`)}},
	{"overlap", []edit{ranges(`{zone: SYD, from: 1, to: 10}, {zone: LON, from: 9, to: 12}, {zone: NYC, values: [3]}`)}},
	{"ranges that touch", []edit{ranges(`{zone: SYD, to: 10}, {zone: LON, from: 10, to: 12}, {zone: NYC, from: 12}`)}},
	{"an open range holds the later types too", []edit{ranges(`{zone: SYD, from: 10}, {zone: LON, values: [GB]}`)}},
	{"two open ranges", []edit{ranges(`{zone: SYD, to: 10}, {zone: LON, to: 5}`)}},
}

func manyFields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ", f%d: 1", i)
	}
	return b.String()
}
