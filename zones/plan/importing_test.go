package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/google/go-cmp/cmp"

	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// TestPresetsAreImportedFromTheirClusters: what a cluster of a preset is imported as differs from it only in what a cluster does not know.
func TestPresetsAreImportedFromTheirClusters(t *testing.T) {
	for _, name := range configs.Names() {
		src, err := configs.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		want, err := topology.Parse(name, src)
		if err != nil {
			t.Fatal(err)
		}
		state := sampleState(t, want)
		if p, err := New(want, state, nil, Options{}, time.Time{}); err != nil {
			t.Fatal(err)
		} else {
			for _, step := range p.Steps { // the validators of unknown: reject
				if v, ok := step.Change.(zones.SetValidator); ok {
					for i, c := range state.Collections {
						if c.Name == v.Collection {
							state.Collections[i].Validator = bson.Raw(v.Validator)
						}
					}
				}
			}
		}
		got, findings, err := Import(state)
		if err != nil {
			t.Fatal(err)
		}
		checkImported(t, state, got, findings)
		for _, f := range findings {
			if f.Rule != "import-links" {
				t.Errorf("%s: unexpected finding %v", name, f)
			}
		}
		for _, ns := range want.Namespaces {
			imported, ok := got.Namespace(ns.Name)
			if !ok || !cmp.Equal(imported.Key, ns.Key) || imported.ZoneBy != ns.ZoneBy {
				t.Errorf("%s: %s: got %+v, want %+v", name, ns.Name, imported, ns)
			}
			if ns.Unknown == topology.UnknownReject && imported.Unknown != ns.Unknown {
				t.Errorf("%s: %s: unknown values are not refused any more", name, ns.Name)
			}
		}
		for _, dc := range want.Datacenters {
			if imported, _ := got.Datacenter(dc.ID); imported.Role != dc.Role {
				t.Errorf("%s: datacenter %s: role %s, want %s", name, dc.ID, imported.Role, dc.Role)
			}
		}
		for _, s := range want.Shards {
			if imported, _ := got.Shard(s.ID); !cmp.Equal(imported, s) {
				t.Errorf("%s: shard %s: got %+v, want %+v", name, s.ID, imported, s)
			}
		}
	}
}

// checkImported: a plan of an imported world is empty, and the world is a file that is read back.
func checkImported(t interface {
	Errorf(string, ...any)
	Fatalf(string, ...any)
}, state *zones.State, world *topology.Topology, findings []zones.Finding) (valid bool) {
	plan, err := New(world, state, nil, Options{}, time.Time{})
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	for _, step := range plan.Steps {
		t.Errorf("the plan has a step: %v (%s)", step.Change, step.Reason)
	}
	src, err := world.Marshal()
	told := slices.ContainsFunc(findings, func(f zones.Finding) bool { return f.Severity == zones.SeverityError })
	if err != nil {
		if !told {
			t.Errorf("the world is not valid and no finding tells it: %v", err)
		}
		return false
	}
	if told {
		t.Errorf("the world is valid, and a finding says it is not: %v", findings)
	}
	back, err := topology.Parse("geoshard.yaml", src)
	if err != nil {
		t.Fatalf("read back: %v\n%s", err, src)
	}
	if diff := cmp.Diff(world, back, cmp.Comparer(func(a, b topology.Value) bool { return a == b })); diff != "" {
		t.Errorf("read back: want -, got +:\n%s\n%s", diff, src)
	}
	return true
}

// TestEveryClusterIsImportedToAnEmptyPlan: loose and tight ends, prefixes, bounds of all types and inside of values, members with and without tags.
func TestEveryClusterIsImportedToAnEmptyPlan(t *testing.T) {
	clusters, valid, ranges, left := 0, 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		state := drawCluster(t)
		world, findings, err := Import(state)
		if err != nil {
			t.Fatal(err)
		}
		clusters++
		if checkImported(t, state, world, findings) {
			valid++
		}
		for _, c := range state.Collections {
			ranges += len(c.Ranges)
		}
		for _, f := range findings {
			if f.Rule == "import-range" {
				left++
			}
		}
	})
	t.Logf("%d clusters, %d of them valid files; %d ranges, %d findings about ranges", clusters, valid, ranges, left)
	if valid == 0 || left == 0 || left >= ranges {
		t.Errorf("the clusters drawn are all of one sort")
	}
}

func drawCluster(t *rapid.T) *zones.State {
	s := &zones.State{Version: "8.0.4", Balancer: zones.Balancer{Running: true}}
	tags := []topology.DatacenterID{"NYC", "LON", "SYD"}
	ids := []topology.ZoneID{"NYC", "LON", "other zone"}
	for i := range rapid.IntRange(1, 4).Draw(t, "shards") {
		shard := zones.Shard{ID: topology.ShardID(fmt.Sprintf("s%d", i)), Zones: rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 0, 2, rapid.ID).Draw(t, "zones")}
		slices.Sort(shard.Zones)
		if rapid.IntRange(0, 9).Draw(t, "unseen") == 0 {
			shard.Unseen, shard.Hosts = "connection refused", []string{"a:1", "b:1"}
			s.Shards = append(s.Shards, shard)
			continue
		}
		everywhere := rapid.Bool().Draw(t, "everywhere")
		for n := range rapid.IntRange(3, 4).Draw(t, "members") {
			m := zones.Member{Host: fmt.Sprintf("%s-%d", shard.ID, n), DC: tags[n%3], Votes: 1, Priority: rapid.SampledFrom([]float64{0, 1, 1, 2, 1000}).Draw(t, "priority")}
			if n == 0 {
				m.Priority = 5
			}
			if !everywhere {
				m.DC = rapid.SampledFrom(append(tags, "")).Draw(t, "dc")
			}
			switch rapid.IntRange(0, 9).Draw(t, "kind") {
			case 0:
				m.Votes, m.Priority = 0, 0
			case 1:
				m.Arbiter, m.Priority = n > 0, 0
			}
			m.Primary = n == 0
			shard.Members = append(shard.Members, m)
		}
		s.Shards = append(s.Shards, shard)
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "collections") {
		s.Collections = append(s.Collections, drawZoned(t, fmt.Sprintf("db.c%d", i), ids))
	}
	return s
}

func drawZoned(t *rapid.T, name string, ids []topology.ZoneID) zones.Collection {
	c := zones.Collection{Name: name, Exists: true, Sharded: true, Key: topology.Key{{Name: "dc"}}}
	for i := range rapid.IntRange(0, 2).Draw(t, "fields") {
		c.Key = append(c.Key, topology.KeyField{Name: fmt.Sprintf("f%d", i), Hashed: i == 0 && rapid.Bool().Draw(t, "hashed")})
	}
	value := rapid.OneOf(
		rapid.Map(rapid.SampledFrom([]string{"", "LON", "NYC", "NYC\x00", "SYD", "é", "1e3"}), func(s string) any { return s }),
		rapid.Map(rapid.IntRange(-3, 3), func(n int) any { return int64(n) }),
		rapid.Map(rapid.Int32Range(0, 9), func(n int32) any { return n }),
		rapid.Map(rapid.Float64Range(-4, 4), func(f float64) any { return f }),
		rapid.Map(rapid.Int64Range(0, 2e12), func(ms int64) any { return bson.DateTime(ms) }),
		rapid.SampledFrom([]any{bson.MinKey{}, bson.MaxKey{}, nil, true, bson.ObjectID{1}, bson.Binary{Subtype: 4, Data: make([]byte, 16)}, bson.Binary{Data: []byte{1}}}),
	)
	var bounds []bson.Raw
	for range rapid.IntRange(0, 8).Draw(t, "bounds") {
		v := value.Draw(t, "value")
		doc := bson.D{{Key: "dc", Value: v}}
		rest := rapid.SampledFrom([]any{bson.MinKey{}, bson.MinKey{}, bson.MaxKey{}, int64(7)}).Draw(t, "rest")
		if _, end := v.(bson.MaxKey); end {
			rest = v
		}
		for _, f := range c.Key[1:] {
			doc = append(doc, bson.E{Key: f.Name, Value: rest})
		}
		bounds = append(bounds, docOf(doc))
		if rapid.Bool().Draw(t, "single") { // with the end of the value, tight or loose
			first, _ := shardkey.FirstTwo(bounds[len(bounds)-1])
			if next, ok := shardkey.Successor(first); ok {
				bounds = append(bounds, shardkey.StartOf(c.Key, first), shardkey.StartOf(c.Key, next))
			}
		}
	}
	slices.SortFunc(bounds, shardkey.CompareKeys)
	bounds = slices.CompactFunc(bounds, func(a, b bson.Raw) bool { return shardkey.CompareKeys(a, b) == 0 })
	for i := 0; i+1 < len(bounds); i++ {
		if rapid.IntRange(0, 3).Draw(t, "zoned") > 0 {
			c.Ranges = append(c.Ranges, zones.Range{Min: bounds[i], Max: bounds[i+1], Zone: rapid.SampledFrom(ids).Draw(t, "zone")})
		}
	}
	c.Chunks = []zones.Chunk{{Min: shardkey.StartOf(c.Key, shardkey.MinKey), Max: shardkey.StartOf(c.Key, shardkey.MaxKey), Shard: "s0"}}
	return c
}

// TestImportedFiles shows what becomes of clusters that geoshard.yaml cannot express in full.
func TestImportedFiles(t *testing.T) {
	var got strings.Builder
	world := sampleWorld(t)
	for _, s := range []flaw{
		{"a cluster as declared", func(*topology.Topology, *zones.State) {}},
		{"equal priorities, no tags", func(_ *topology.Topology, s *zones.State) {
			for i := range s.Shards {
				for k := range s.Shards[i].Members {
					s.Shards[i].Members[k].Priority = 1
				}
			}
			s.Shards[2].Members[2].DC = ""
		}},
		{"each shard in its datacenter alone", func(_ *topology.Topology, s *zones.State) {
			for i := range s.Shards {
				for k := range s.Shards[i].Members {
					s.Shards[i].Members[k].DC = s.Shards[i].Members[0].DC
				}
			}
		}},
		{"a shard in no zone, in its datacenter alone", func(_ *topology.Topology, s *zones.State) {
			for k := range s.Shards[0].Members {
				s.Shards[0].Members[k].DC = s.Shards[0].Members[0].DC
			}
			s.Shards[0].Zones = nil
		}},
		{"an arbiter beside documents, and a member without a vote", func(_ *topology.Topology, s *zones.State) {
			s.Shards[0].Members[2].Arbiter, s.Shards[0].Members[2].Priority = true, 0
			s.Shards[1].Members[2].Votes, s.Shards[1].Members[2].Priority = 0, 0
		}},
		{"a shard unseen", func(_ *topology.Topology, s *zones.State) {
			s.Shards[1].Members, s.Shards[1].Unseen = nil, "connection refused"
		}},
		{"ranges of all sorts", func(_ *topology.Topology, s *zones.State) {
			key := carts(s).Key
			date := bson.DateTime(1767225600000)
			carts(s).Ranges = []zones.Range{
				{Min: keyDoc(bson.MinKey{}, bson.MinKey{}), Max: keyDoc(int32(5), bson.MinKey{}), Zone: "NYC"},
				{Min: keyDoc(int32(5), bson.MinKey{}), Max: keyDoc(int32(5), bson.MaxKey{}), Zone: "LON"},
				{Min: keyDoc("DE", bson.MinKey{}), Max: keyDoc("DE", bson.MaxKey{}), Zone: "LON"},
				{Min: keyDoc("FR", bson.MinKey{}), Max: keyDoc("FR\x00", bson.MinKey{}), Zone: "LON"},
				{Min: keyDoc("US", "a"), Max: keyDoc("US", "m"), Zone: "NYC"},
				{Min: keyDoc(true, bson.MinKey{}), Max: keyDoc(true, bson.MaxKey{}), Zone: "NYC"},
				{Min: keyDoc(date, bson.MinKey{}), Max: shardkey.StartOf(key, shardkey.MaxKey), Zone: "SYD"},
			}
		}},
		{"a range of everything", func(_ *topology.Topology, s *zones.State) {
			key := carts(s).Key
			carts(s).Ranges = []zones.Range{{Min: shardkey.StartOf(key, shardkey.MinKey), Max: shardkey.StartOf(key, shardkey.MaxKey), Zone: "LON"}}
		}},
		{"ranges before sharding, as prefixes", func(_ *topology.Topology, s *zones.State) {
			lon := func(to string) bson.Raw { return docOf(bson.D{{Key: "dataCenter", Value: to}}) }
			*carts(s) = zones.Collection{Name: "shop.carts", Ranges: []zones.Range{{Min: lon("LON"), Max: lon("LON\x00"), Zone: "LON"}}}
		}},
		{"ranges of a hashed field, and of another key", func(_ *topology.Topology, s *zones.State) {
			c := *carts(s)
			c.Name, c.Key = "shop.hashed", topology.Key{{Name: "dataCenter", Hashed: true}}
			s.Collections = append(s.Collections, c)
			carts(s).Ranges = append(carts(s).Ranges, zones.Range{Min: docOf(bson.D{{Key: "old", Value: "a"}}), Max: docOf(bson.D{{Key: "old", Value: "b"}}), Zone: "LON"})
		}},
	} {
		state := sampleState(t, world)
		s.in(nil, state)
		imported, findings, err := Import(state)
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		fmt.Fprintf(&got, "== %s\n", s.name)
		if checkImported(t, state, imported, findings) {
			src, _ := imported.Marshal()
			got.Write(src)
		} else {
			got.WriteString("(no valid file)\n")
		}
		got.WriteString(listed(findings))
	}
	if _, _, err := Import(&zones.State{}); err != nil {
		fmt.Fprintf(&got, "== a cluster without shards\n%v\n", err)
	}
	testkit.Golden(t, "testdata/imports.txt", got.String())
}
