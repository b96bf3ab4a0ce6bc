package local

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/topology"
)

// Preset is the world of a preset, for the tests of both packages of this folder.
func Preset(t testing.TB, name string) *topology.Topology {
	t.Helper()
	src, err := configs.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	world, err := topology.Parse(name, src)
	if err != nil {
		t.Fatal(err)
	}
	return world
}

// Every preset can be laid out: one home per set, one config server per datacenter, one router per datacenter with clients.
func TestPresetsLayOut(t *testing.T) {
	for _, name := range configs.Names() {
		world := Preset(t, name)
		for _, cores := range []bool{true, false} {
			nodes, err := layout.Of(world, cores)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			homes, counts := map[string]int{}, map[layout.Kind]int{}
			for _, n := range nodes {
				counts[n.Kind]++
				if n.Home {
					homes[n.Set]++
				}
			}
			voters := 0
			for _, dc := range world.Datacenters {
				if dc.Role == topology.RoleVoter {
					voters++
				}
			}
			clients := len(world.Datacenters) - voters
			if counts[layout.Config] != len(world.Datacenters) || counts[layout.Router] != clients || cores != (counts[layout.Core] == clients) {
				t.Errorf("%s: got %v, want %d config servers and %d routers", name, counts, len(world.Datacenters), clients)
			}
			for set, n := range homes {
				if n != 1 {
					t.Errorf("%s: %s has %d homes, want 1", name, set, n)
				}
			}
			if want := len(world.Shards) + 1 + counts[layout.Core]; len(homes) != want {
				t.Errorf("%s: got %d sets with a home, want %d", name, len(homes), want)
			}
			t.Logf("%s, cores %v: %d processes", name, cores, len(nodes))
		}
	}
}

func TestReservedShardNames(t *testing.T) {
	for _, name := range []topology.ShardID{"config", "router", "core", "admin", ""} {
		world := &topology.Topology{
			Datacenters: []topology.Datacenter{{ID: "A"}},
			Shards:      []topology.Shard{{ID: name, Members: []topology.Member{{DC: "A", Priority: 1}}}},
		}
		if nodes, err := layout.Of(world, true); err == nil {
			t.Errorf("%q: got %v, want an error", name, nodes)
		}
	}
}

// The layout with a third place for votes: arbiters there for shards, an ordinary member that is never primary for config.
func TestReplicaSetConfigOfVoters(t *testing.T) {
	nodes, err := layout.Of(Preset(t, "us-east-west"), true)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, set := range []string{nodes[0].Set, "config"} {
		var members []layout.SetMember
		for _, n := range nodes {
			if n.Set == set {
				members = append(members, n.SetMember(len(members), "host-of-"+n.Name))
			}
		}
		config := layout.NewSetConfig(set, members, DefaultElectionTimeout)
		for _, m := range config.Members {
			got = append(got, fmt.Sprintf("%v priority %v arbiter %v tags %v", m.Host, m.Priority, m.Arbiter, m.Tags != nil))
		}
		if set == "config" && !config.ConfigServer {
			t.Error("the config set is not marked as one")
		}
	}
	slices.Sort(got)
	arbiters := 0
	for _, line := range got {
		if strings.Contains(line, "arbiter true") {
			arbiters++
			if !strings.HasSuffix(line, "priority 0 arbiter true tags false") {
				t.Errorf("arbiter: got %s, want priority 0 and no tags", line)
			}
			if strings.Contains(line, "config/") {
				t.Errorf("got an arbiter among the config servers: %s", line)
			}
		}
	}
	if arbiters != 1 {
		t.Errorf("got %d arbiters, want 1 in\n%s", arbiters, strings.Join(got, "\n"))
	}
}

func TestBookFindsByName(t *testing.T) {
	b := book{{Name: "nyc/NYC", Host: "127.0.0.1:1", Log: "nyc.log"}, {Name: "router/NYC", Kind: layout.Router, Datacenter: "NYC", Host: "127.0.0.1:2"}}
	a := addresses(func() (book, *security) { return b, nil })
	uri, err := a.URI("NYC")
	if diff := cmp.Diff("mongodb://127.0.0.1:2/", uri); diff != "" || err != nil {
		t.Errorf("uri: %v\n%s", err, diff)
	}
	member, err := a.MemberURI("nyc/NYC")
	if diff := cmp.Diff("mongodb://127.0.0.1:1/?directConnection=true", member); diff != "" || err != nil {
		t.Errorf("memberURI: %v\n%s", err, diff)
	}
}
