package topology_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/geoshard/geoshard/topology"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestEveryValidWorldIsReadBack: Parse(Marshal(world)) is world.
func TestEveryValidWorldIsReadBack(t *testing.T) {
	worlds := 0
	rapid.Check(t, func(t *rapid.T) {
		want := drawWorld(t)
		if err := want.Validate(); err != nil {
			t.Fatalf("the generator draws valid worlds only: %v", err)
		}
		src, err := want.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		got, err := topology.Parse("world.yaml", src)
		if err != nil {
			t.Fatalf("%v\n%s", err, src)
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b topology.Value) bool { return a == b })); diff != "" {
			t.Fatalf("want -, got +:\n%s\n%s", diff, src)
		}
		worlds++
	})
	t.Logf("%d worlds", worlds)
}

// drawWorld draws a valid world: each active datacenter is the home of its own shard and holds a copy of all shards.
func drawWorld(t *rapid.T) *topology.Topology {
	w := &topology.Topology{Version: topology.CurrentVersion}
	// IDs that a YAML reader could take for something else are the interesting ones.
	id := rapid.OneOf(rapid.StringMatching(`[A-Za-z0-9]([A-Za-z0-9_-]{0,6}[A-Za-z0-9])?`), rapid.SampledFrom([]string{"1e3", "0x10", "null", "true", "NO", "7", "1_0", "0o7", "y"}))
	names := rapid.SliceOfNDistinct(id, 1, 7, strings.ToLower).Draw(t, "datacenters")
	countries := rapid.Permutation([]string{"US", "GB", "NO", "AU", "NZ", "DE", "FR"}).Draw(t, "countries")
	for i, name := range names {
		dc := topology.Datacenter{ID: topology.DatacenterID(name), Role: topology.RoleActive, Name: text(t, "name")}
		if rapid.Bool().Draw(t, "placed") {
			dc.At = &topology.Coordinates{Lat: rapid.Float64Range(-90, 90).Draw(t, "lat"), Long: rapid.Float64Range(-180, 180).Draw(t, "long")}
		}
		if i > 0 {
			dc.Role = rapid.SampledFrom([]topology.Role{topology.RoleActive, topology.RolePassive, topology.RoleVoter}).Draw(t, "role")
		}
		if dc.Role != topology.RoleVoter && rapid.Bool().Draw(t, "served") {
			dc.Countries = []string{countries[i]}
			dc.Endpoint = fmt.Sprintf("https://gateway.example:%d/base", 8000+i)
		}
		w.Datacenters = append(w.Datacenters, dc)
		for _, other := range names[:i] {
			link := topology.Link{Between: [2]topology.DatacenterID{topology.DatacenterID(name), topology.DatacenterID(other)}}
			link.RTT = time.Duration(rapid.Int64Range(1, int64(time.Minute)).Draw(t, "rtt"))
			link.Jitter = time.Duration(rapid.Int64Range(0, int64(link.RTT/2)).Draw(t, "jitter"))
			link.Bandwidth = topology.ByteRate(rapid.Int64Min(0).Draw(t, "bandwidth"))
			w.Links = append(w.Links, link)
		}
	}
	drawShards(t, w)
	if len(w.Zones) > 0 {
		drawNamespaces(t, w)
	}
	w.Router = drawRouter(t, w)
	return w
}

// text draws printable text, with spaces, quotes and letters of all scripts.
func text(t *rapid.T, label string) string {
	return rapid.OneOf(rapid.StringMatching(`[ -~]{0,12}`), rapid.StringMatching(`[\p{L}\p{N}: #'"-]{0,8}`), rapid.SampledFrom([]string{"1e3", "2024-01-01", "~", "- a", "a: b", "é"})).Draw(t, label)
}

func drawShards(t *rapid.T, w *topology.Topology) {
	for i, home := range w.Datacenters {
		if home.Role != topology.RoleActive {
			continue
		}
		shard := topology.Shard{ID: topology.ShardID(fmt.Sprintf("%d-%s", i, home.ID))}
		voted := false
		for _, dc := range w.Datacenters {
			m := topology.Member{DC: dc.ID}
			switch {
			case dc.ID == home.ID:
				m.Priority = rapid.Float64Range(500, 1000).Draw(t, "home priority")
			case dc.Role == topology.RoleVoter && voted:
				continue
			case dc.Role == topology.RoleVoter:
				voted = true
			default:
				m.Priority = rapid.Float64Range(0, 499).Draw(t, "priority")
			}
			shard.Members = append(shard.Members, m)
		}
		w.Shards = append(w.Shards, shard)
		if rapid.Bool().Draw(t, "zoned") {
			zone := topology.Zone{ID: topology.ZoneID(fmt.Sprintf("zone %d %s", i, home.ID)), Shards: []topology.ShardID{shard.ID}}
			if rapid.Bool().Draw(t, "restricted") {
				for _, dc := range w.Datacenters {
					zone.AllowedDatacenters = append(zone.AllowedDatacenters, dc.ID)
				}
			}
			w.Zones = append(w.Zones, zone)
		}
	}
}

func drawNamespaces(t *rapid.T, w *topology.Topology) {
	zone := rapid.SampledFrom(w.Zones)
	n := rapid.IntRange(0, 3).Draw(t, "namespaces")
	for i := range n {
		field := rapid.SampledFrom([]string{"dc", "a.b", "1e3", "null", "_id", "ключ", "a b", "- x"}).Draw(t, "field")
		ns := topology.Namespace{Name: fmt.Sprintf("%d.%s", i, rapid.SampledFrom([]string{"5", "carts", "a.b", "x: y", "*", "a.*"}).Draw(t, "collection")), ZoneBy: field, Unknown: topology.UnknownReport}
		ns.Key = topology.Key{{Name: field}, {Name: "second", Hashed: rapid.Bool().Draw(t, "hashed")}}
		switch rapid.IntRange(0, 2).Draw(t, "unknown") {
		case 1:
			ns.Unknown = topology.UnknownReject
		case 2:
			ns.Unknown, ns.UnknownZone = topology.UnknownToZone, zone.Draw(t, "unknownZone").ID
		}
		ns.Ranges = drawRanges(t, zone)
		ns.OnlyRanges = len(ns.Ranges) > 0 && rapid.Bool().Draw(t, "onlyRanges")
		if i > 0 && !w.Namespaces[i-1].IsPattern() && rapid.Bool().Draw(t, "related") {
			ns.Related = []topology.Related{{Namespace: w.Namespaces[i-1].Name, By: rapid.SampledFrom([]string{"cartId", "a.b", "1e3", "ключ"}).Draw(t, "by")}}
		}
		w.Namespaces = append(w.Namespaces, ns)
	}
}

// drawRanges cuts the line of values at random points; single values come first, below all cuts.
func drawRanges(t *rapid.T, zone *rapid.Generator[topology.Zone]) []topology.Range {
	value := rapid.OneOf(
		rapid.Map(rapid.Int64(), topology.IntegerOf),
		rapid.Map(rapid.Float64(), topology.FloatOf),
		rapid.Map(rapid.String(), topology.StringOf),
		rapid.Map(rapid.SampledFrom([]string{"1e3", "2024-01-01", "", "NO", "\x00", "\a\u2028", "7", " ", "\U0001F30D"}), topology.StringOf),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 16, 16), func(id []byte) topology.Value { return topology.UUIDOf([16]byte(id)) }),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 12, 12), func(id []byte) topology.Value { return topology.ObjectIDOf([12]byte(id)) }),
		rapid.Map(rapid.Int64Range(-62135596800000, 253402300799000), func(ms int64) topology.Value { return topology.DateOf(time.UnixMilli(ms)) }),
	)
	cuts := rapid.SliceOfN(value, 0, 6).Draw(t, "cuts")
	slices.SortFunc(cuts, topology.Value.Compare)
	var ranges []topology.Range
	for i := 0; i+1 < len(cuts); i++ {
		from, to := cuts[i], cuts[i+1]
		switch {
		case from.Compare(to) == 0: // the next stretch begins here too
		case from.Kind() != to.Kind() || rapid.Bool().Draw(t, "single"):
			ranges = append(ranges, topology.Range{Zone: zone.Draw(t, "zone").ID, Values: []topology.Value{from}})
		default:
			ranges = append(ranges, topology.Range{Zone: zone.Draw(t, "zone").ID, From: &from, To: &to})
		}
	}
	return ranges
}
