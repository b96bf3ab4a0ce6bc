package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// A flaw is one way in which a cluster differs from the reference world.
type flaw struct {
	name string
	in   func(w *topology.Topology, s *zones.State)
}

func carts(s *zones.State) *zones.Collection { return &s.Collections[0] }

func shardNamed(s *zones.State, id topology.ShardID) *zones.Shard {
	for i := range s.Shards {
		if s.Shards[i].ID == id {
			return &s.Shards[i]
		}
	}
	panic(id)
}

// configServers are a set with a member in each of the datacenters.
func configServers(dcs ...topology.DatacenterID) *zones.Shard {
	set := &zones.Shard{ID: "config"}
	for i, dc := range dcs {
		host := fmt.Sprintf("config-%d:27019", i)
		set.Hosts = append(set.Hosts, host)
		set.Members = append(set.Members, zones.Member{Host: host, DC: dc, Priority: 1, Votes: 1, Primary: i == 0})
	}
	return set
}

var flaws = []flaw{
	{"none", func(*topology.Topology, *zones.State) {}},
	{"the balancer is stopped and has a window", func(_ *topology.Topology, s *zones.State) {
		s.Balancer.Running, s.Balancer.Window = false, "23:00-06:00"
	}},
	{"an old version", func(_ *topology.Topology, s *zones.State) { s.Version = "5.0.22" }},
	{"a version that is none", func(_ *topology.Topology, s *zones.State) { s.Version = "unknown" }},
	{"four shards with 6.0.11", func(_ *topology.Topology, s *zones.State) {
		s.Version = "6.0.11"
		s.Shards = append(s.Shards, zones.Shard{ID: "spare", Members: []zones.Member{}})
	}},
	{"four shards with 6.0.12", func(_ *topology.Topology, s *zones.State) {
		s.Version = "6.0.12"
		s.Shards = append(s.Shards, zones.Shard{ID: "spare", Members: []zones.Member{}})
	}},
	{"four shards with 7.0.4", func(_ *topology.Topology, s *zones.State) {
		s.Version = "7.0.4-ent"
		s.Shards = append(s.Shards, zones.Shard{ID: "spare", Members: []zones.Member{}})
	}},
	{"four shards with 7.0.4 and no balancer", func(_ *topology.Topology, s *zones.State) {
		s.Version, s.Balancer.Running = "7.0.4", false
		s.Shards = append(s.Shards, zones.Shard{ID: "spare", Members: []zones.Member{}})
	}},
	{"nothing was run on 8.0", func(_ *topology.Topology, s *zones.State) { s.Version, s.RouterVersion = "8.0.4", "8.0.4" }},
	{"an upgrade that is not finished", func(_ *topology.Topology, s *zones.State) {
		s.RouterVersion = "6.0.5"
		shardNamed(s, "lon").Version, shardNamed(s, "lon").FCV = "7.0.9", "6.0"
		shardNamed(s, "nyc").Version, shardNamed(s, "nyc").FCV = "6.0.27", "6.0"
	}},
	{"config servers of an older featureCompatibilityVersion", func(_ *topology.Topology, s *zones.State) {
		s.RouterVersion = "6.0.5"
		s.ConfigServers = configServers("NYC", "LON", "SYD")
		s.ConfigServers.Version, s.ConfigServers.FCV = "6.0.5", "5.0"
	}},
	{"the config servers are a shard", func(_ *topology.Topology, s *zones.State) {
		s.Version, s.RouterVersion = "8.0.4", "8.0.4"
		s.Shards = append(s.Shards, zones.Shard{ID: "config", Members: []zones.Member{}, Version: "8.0.4", FCV: "8.0"})
	}},
	{"a shard is drained", func(_ *topology.Topology, s *zones.State) { shardNamed(s, "lon").Draining = true }},
	{"a shard is unseen", func(_ *topology.Topology, s *zones.State) {
		shard := shardNamed(s, "lon")
		shard.Members, shard.Modes, shard.Unseen = nil, nil, "connection refused"
	}},
	{"a primary is away from home", func(_ *topology.Topology, s *zones.State) {
		m := shardNamed(s, "lon").Members
		m[0].Primary, m[1].Primary = false, true
	}},
	{"a shard has no primary", func(_ *topology.Topology, s *zones.State) { shardNamed(s, "lon").Members[0].Primary = false }},
	{"a member has no tag", func(_ *topology.Topology, s *zones.State) { shardNamed(s, "syd").Members[2].DC = "" }},
	{"arbiters, which have no tags, where a voter is declared", func(w *topology.Topology, s *zones.State) {
		w.Datacenters[2].Role = topology.RoleVoter
		for i := range s.Shards {
			for n := range w.Shards[i].Members {
				if w.Shards[i].Members[n].DC == "SYD" {
					w.Shards[i].Members[n].Priority = 0
				}
			}
			for n := range s.Shards[i].Members {
				if m := &s.Shards[i].Members[n]; m.DC == "SYD" {
					m.DC, m.Arbiter, m.Priority = "", true, 0
				}
			}
		}
	}},
	{"an arbiter that is not declared", func(_ *topology.Topology, s *zones.State) {
		shard := shardNamed(s, "lon")
		shard.Members = append(shard.Members, zones.Member{Host: "lon-3:27017", Votes: 1, Arbiter: true})
	}},
	{"members that nobody reads from", func(_ *topology.Topology, s *zones.State) {
		m := shardNamed(s, "lon").Members
		m[1].Hidden = true
		m[2].Hidden, m[2].Delay = true, 60
	}},
	{"a shard did not tell what its collections are like", func(_ *topology.Topology, s *zones.State) {
		carts(s).Unread, carts(s).Sizes = "FailedToSatisfyReadPreference: could not find host", nil
		s.Unlisted = map[string]string{"crm": "it did not answer in time"}
	}},
	{"a member has another tag", func(_ *topology.Topology, s *zones.State) { shardNamed(s, "syd").Members[2].DC = "BOS" }},
	{"two members of a datacenter more", func(_ *topology.Topology, s *zones.State) {
		shard := shardNamed(s, "nyc")
		shard.Members = append(shard.Members, zones.Member{Host: "nyc-3:27017", DC: "NYC", Votes: 1, Priority: 1}, zones.Member{Host: "nyc-4:27017", DC: "NYC", Votes: 1, Priority: 1})
	}},
	{"members without votes", func(_ *topology.Topology, s *zones.State) {
		m := shardNamed(s, "syd").Members
		m[1].Votes, m[1].Priority = 0, 0
	}},
	{"nobody else may become primary", func(_ *topology.Topology, s *zones.State) {
		m := shardNamed(s, "syd").Members
		m[1].Priority, m[2].Priority = 0, 0
	}},
	{"two of three hold data", func(w *topology.Topology, s *zones.State) {
		w.Survive = topology.SurviveNode
		shardNamed(s, "syd").Members[2].Arbiter = true
	}},
	{"a write concern is missing", func(_ *topology.Topology, s *zones.State) { shardNamed(s, "syd").Modes = nil }},
	{"documents outside their residency", func(w *topology.Topology, _ *zones.State) {
		w.Zones[1].AllowedDatacenters = []topology.DatacenterID{"LON", "SYD"}
	}},
	{"the config servers are in two datacenters", func(w *topology.Topology, s *zones.State) {
		w.Survive = topology.SurviveDatacenter
		s.ConfigServers = configServers("NYC", "NYC", "LON")
	}},
	{"the config servers are in three datacenters", func(w *topology.Topology, s *zones.State) {
		w.Survive = topology.SurviveDatacenter
		s.ConfigServers = configServers("NYC", "LON", "SYD")
	}},
	{"there is one config server", func(w *topology.Topology, s *zones.State) {
		w.Survive = topology.SurviveNode
		s.ConfigServers = configServers("NYC")
	}},
	{"the config servers have no tags", func(w *topology.Topology, s *zones.State) {
		w.Survive = topology.SurviveDatacenter
		s.ConfigServers = configServers("", "", "")
	}},
	{"the config servers are unseen", func(w *topology.Topology, s *zones.State) {
		w.Survive = topology.SurviveDatacenter
		s.ConfigServers = &zones.Shard{ID: "config", Unseen: "the user lacks the action serverStatus"}
	}},
	{"a declared shard is missing", func(w *topology.Topology, _ *zones.State) {
		w.Shards = append(w.Shards, topology.Shard{ID: "bos", Members: w.Shards[0].Members})
	}},
	{"a shard is in no zone, and a zone is without shards", func(w *topology.Topology, s *zones.State) {
		w.Zones[2].Shards = nil
		shardNamed(s, "syd").Zones = nil
	}},
	{"a range end is loose", func(_ *topology.Topology, s *zones.State) {
		c := carts(s)
		c.Ranges[0].Max = keyDoc("LON", bson.MaxKey{})
		c.Chunks[1].Max, c.Chunks[2].Min = c.Ranges[0].Max, c.Ranges[0].Max
		c.Chunks[2].Shard = "syd"
	}},
	{"a range end is loose, and its neighbour on the same shard", func(_ *topology.Topology, s *zones.State) {
		c := carts(s)
		c.Ranges[0].Max = keyDoc("LON", bson.MaxKey{})
		c.Chunks[1].Max, c.Chunks[2].Min = c.Ranges[0].Max, c.Ranges[0].Max
		c.Chunks[2].Shard = "lon"
	}},
	{"the collection is unsharded, with documents and a unique index", func(_ *topology.Topology, s *zones.State) {
		c := carts(s)
		c.Sharded, c.Key, c.Chunks = false, nil, nil
		c.Indexes = append(c.Indexes, zones.Index{Name: "number", Key: bson.D{{Key: "number", Value: 1}}, Unique: true})
	}},
	{"the collection is unsharded and empty", func(_ *topology.Topology, s *zones.State) {
		c := carts(s)
		c.Sharded, c.Key, c.Chunks, c.Sizes = false, nil, nil, map[topology.ShardID]zones.Size{}
	}},
	{"indexes that are unique on each shard alone, and one that is everywhere", func(_ *topology.Topology, s *zones.State) {
		unique := func(name string, fields ...string) zones.Index {
			index := zones.Index{Name: name, Unique: true}
			for _, f := range fields {
				index.Key = append(index.Key, bson.E{Key: f, Value: int32(1)})
			}
			return index
		}
		c := carts(s)
		c.Indexes = append(c.Indexes, unique("number", "number"), unique("cart", "cartId", "dataCenter"), unique("all", "dataCenter", "cartId", "number"))
	}},
	{"jumbo chunks", func(_ *topology.Topology, s *zones.State) {
		carts(s).Chunks[1].Jumbo, carts(s).Chunks[3].Jumbo = true, true
	}},
	{"balancing was left held", func(_ *topology.Topology, s *zones.State) { carts(s).NoBalance = true }},
	{"the zone field is hashed", func(_ *topology.Topology, s *zones.State) {
		carts(s).Key, carts(s).Ranges, carts(s).Chunks = topology.Key{{Name: "dataCenter", Hashed: true}}, nil, nil
	}},
	{"the database is written otherwise", func(w *topology.Topology, s *zones.State) {
		w.Namespaces[0].Name = "Shop.carts"
		carts(s).Name, carts(s).Exists, carts(s).Sharded, s.Databases = "Shop.carts", false, false, []string{"admin", "shop"}
	}},
	{"an empty collection cannot be sharded", func(_ *topology.Topology, s *zones.State) {
		c := carts(s)
		c.Sharded, c.Key, c.Chunks, c.Sizes, c.Capped = false, nil, nil, map[topology.ShardID]zones.Size{}, true
		c.Indexes = append(c.Indexes, zones.Index{Name: "dataCenter_1_cartId_1", Key: bson.D{{Key: "dataCenter", Value: 1}, {Key: "cartId", Value: 1}}, Collation: "en"})
	}},
	{"only a hidden index serves", func(_ *topology.Topology, s *zones.State) {
		c := carts(s)
		c.Sharded, c.Key, c.Chunks = false, nil, nil
		c.Indexes = append(c.Indexes, zones.Index{Name: "byCart", Key: bson.D{{Key: "dataCenter", Value: 1}, {Key: "cartId", Value: 1}}, Hidden: true})
	}},
	{"the key is _id", func(w *topology.Topology, s *zones.State) {
		w.Namespaces[0].Key, w.Namespaces[0].ZoneBy = topology.Key{{Name: "_id"}}, "_id"
		carts(s).Key, carts(s).Ranges, carts(s).Chunks = w.Namespaces[0].Key, nil, nil
	}},
}

// TestFindings gives the reference cluster one flaw after the other; testdata/lint.txt is what the user reads.
func TestFindings(t *testing.T) {
	var got strings.Builder
	var base []zones.Finding // what the reference cluster has; the others show what is new
	for _, f := range flaws {
		world := sampleWorld(t)
		state := sampleState(t, world)
		f.in(world, state)
		layout, err := Want(world, state, Options{})
		if err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		findings := lint(world, state, diffLayouts(state, layout, nil, Options{}).result)
		if base == nil {
			base = findings
		} else {
			findings = slices.DeleteFunc(findings, func(f zones.Finding) bool { return slices.Contains(base, f) })
		}
		fmt.Fprintf(&got, "== %s\n%s", f.name, listed(findings))
	}
	fmt.Fprintf(&got, "== views and time series\n")
	world := sampleWorld(t)
	state := sampleState(t, world)
	*carts(state) = zones.Collection{Name: "shop.carts", Exists: true, View: true}
	got.WriteString(listed(lint(world, state, zones.Layout{})))
	*carts(state) = zones.Collection{Name: "shop.carts", Exists: true, TimeSeries: true}
	got.WriteString(listed(lint(world, state, zones.Layout{})))
	ns := world.Namespaces[0]
	ns.Unknown = topology.UnknownReport
	var unknown report
	unknown.unknownValues(ns, "shop.carts", 3, []string{`"TOK"`, "null"})
	unknown.unknownValues(world.Namespaces[0], "shop.carts", 1, []string{`"TOK"`})
	fmt.Fprintf(&got, "== unknown values\n%s", listed(unknown))
	testkit.Golden(t, "testdata/lint.txt", got.String())
	t.Logf("%d flaws", len(flaws))
}

// A pattern that leaves a collection of its database out says so, and why, whatever the options are.
func TestAPatternNamesWhatItLeavesOut(t *testing.T) {
	none := map[topology.ShardID]zones.Size{"nyc": {}}
	some := map[topology.ShardID]zones.Size{"nyc": {Documents: 1, Bytes: 100}}
	for _, c := range []struct {
		name             string
		in               zones.Collection
		message, hint    string // what a plan says without options
		sharded, refused bool   // what it does with --shard-collections: a step, or a finding of its own
	}{
		{"empty", zones.Collection{Exists: true, Sizes: none}, "it is not sharded", "plan with --shard-collections", true, false},
		{"capped", zones.Collection{Exists: true, Sizes: none, Capped: true}, "it is not sharded, and cannot be, because it is a capped collection", "copy its documents", false, true},
		{"documents", zones.Collection{Exists: true, Sizes: some}, "it is not sharded", "declare it by its own name", false, false},
		{"unread", zones.Collection{Exists: true, Unread: "it did not answer in time"}, "it is not sharded", "", false, false},
		{"view", zones.Collection{Exists: true, View: true}, "it is a view", "", false, false},
		{"time series", zones.Collection{Exists: true, TimeSeries: true}, "it is a time series", "", false, false},
		{"new\nline", zones.Collection{Exists: true, Sizes: none}, "geoshard.yaml cannot name it: it cannot be printed", "rename it", false, false},
		{strings.Repeat("long", 60), zones.Collection{Exists: true, Sizes: none}, "geoshard.yaml cannot name it: a sharded collection's full name has at most 235 bytes", "rename it", false, false},
		{"others.*", zones.Collection{Exists: true, Sharded: true, Key: topology.Key{{Name: "dataCenter"}, {Name: "cartId"}}}, "geoshard.yaml cannot name it: it would stand for all collections below shop.others.", "rename it", false, false},
		{"ranges alone", zones.Collection{Ranges: []zones.Range{{Min: keyDoc("NYC", MinKey), Max: keyDoc("NYC\x00", MinKey), Zone: "NYC"}}}, "it does not exist, and has 1 range", "plan with --shard-collections", true, false},
	} {
		world := sampleWorld(t)
		world.Namespaces[0].Name = "shop.*"
		state := sampleState(t, world)
		c.in.Name = "shop." + c.name
		state.Collections = []zones.Collection{c.in}
		for _, shard := range []bool{false, true} {
			p, err := New(world, state, nil, Options{Shard: shard}, now)
			if err != nil {
				t.Fatal(err)
			}
			named := slices.ContainsFunc(p.Findings, func(f zones.Finding) bool {
				return f.Subject == c.in.Name && f.Rule == "pattern-left-out" && strings.HasPrefix(f.Message, c.message) && strings.HasPrefix(f.Hint, c.hint) && strings.Contains(f.Message, "shop.*")
			})
			planned := slices.ContainsFunc(p.Steps, func(s zones.Step) bool { return zones.SubjectOf(s.Change).Collection == c.in.Name })
			if planned != (shard && c.sharded) && !(shard && c.refused) {
				t.Errorf("%s: shard = %t: steps are planned: %t", c.name, shard, planned)
			}
			if named != !(shard && (c.sharded || c.refused)) {
				t.Errorf("%s: shard = %t: named is %t, got\n%s", c.name, shard, named, listed(p.Findings))
			}
		}
	}
}
