package cluster_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

func sample() cluster.Status {
	lag := cluster.Duration(1500 * time.Millisecond)
	return cluster.Status{
		Name: "demo", Taken: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), ServerVersion: "6.0.5",
		QueryRouter: cluster.QueryRouter{Kind: "devmongos", Version: "6.0.5"},
		Members: []cluster.Member{
			{Name: "nyc/NYC", Shard: "nyc", Datacenter: "NYC", Host: "127.0.0.1:1", Role: cluster.RolePrimary, State: cluster.StateUp, Home: true},
			{Name: "nyc/LON", Shard: "nyc", Datacenter: "LON", Host: "127.0.0.1:2", Role: cluster.RoleSecondary, State: cluster.StateUp, Lag: &lag},
			{Name: "config/NYC", Datacenter: "NYC", Host: "127.0.0.1:3", Role: cluster.RoleConfig, State: cluster.StateDown, Detail: "killed"},
		},
		Links:  []cluster.Link{{Between: [2]topology.DatacenterID{"NYC", "LON"}, RTT: cluster.Duration(76 * time.Millisecond), Cut: true}},
		Faults: []string{"cut NYC LON"},
	}
}

func TestStatusSurvivesJSON(t *testing.T) {
	encoded, err := json.Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	var got cluster.Status
	if err := json.Unmarshal(encoded, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), got); diff != "" {
		t.Errorf("status changed on its way through JSON (-want +got):\n%s", diff)
	}
	for _, want := range []string{`"role":"secondary"`, `"state":"down"`, `"lag":"1.5s"`, `"rtt":"76ms"`} {
		if !strings.Contains(string(encoded), want) {
			t.Errorf("got %s, want it to contain %s", encoded, want)
		}
	}
}

func TestWholeMeansThatAllWorkAndAllPrimariesAreAtHome(t *testing.T) {
	whole := func(change func(*cluster.Status)) bool {
		s := sample()
		for i := range s.Members {
			s.Members[i].State = cluster.StateUp
		}
		change(&s)
		return s.Whole()
	}
	if !whole(func(*cluster.Status) {}) {
		t.Error("got false with all at work")
	}
	if whole(func(s *cluster.Status) { s.Members[1].State = cluster.StateDown }) {
		t.Error("got true with a member down")
	}
	if whole(func(s *cluster.Status) {
		s.Members[0].Role, s.Members[1].Role = cluster.RoleSecondary, cluster.RolePrimary
	}) {
		t.Error("got true with a primary away from home")
	}
}

func TestPrimariesAtHome(t *testing.T) {
	s := sample()
	if !s.PrimariesAtHome() {
		t.Error("got false with the home member as primary")
	}
	s.Members[0].Role, s.Members[1].Role = cluster.RoleSecondary, cluster.RolePrimary
	if s.PrimariesAtHome() {
		t.Error("got true with another member as primary")
	}
	if p, ok := s.Primary("nyc"); !ok || p.Name != "nyc/LON" {
		t.Errorf("got primary %v %v, want nyc/LON", p.Name, ok)
	}
	s.Members[0].Role = cluster.RolePrimary
	if s.PrimariesAtHome() {
		t.Error("got true with two primaries")
	}
	s.Members[0].Role = cluster.RoleSecondary
	s.Members[1].State = cluster.StateUnreachable
	if _, ok := s.Primary("nyc"); ok {
		t.Error("got a primary that does not answer")
	}
	if (cluster.Status{}).PrimariesAtHome() {
		t.Error("got true for a cluster without members")
	}
}

func TestUnknownNamesCarryTheNearest(t *testing.T) {
	known := []string{"nyc/NYC", "nyc/LON", "config/NYC"}
	for name, want := range map[string]string{
		"nyc/lon":          `did you mean "nyc/LON"?`,
		"nyv/LON":          `did you mean "nyc/LON"?`,
		"somewhere/else/x": "known are nyc/NYC, nyc/LON, config/NYC",
	} {
		err := cluster.Unknown(topology.ErrUnknownMember, name, known)
		if !errors.Is(err, topology.ErrUnknownMember) {
			t.Errorf("%s: got %v, want ErrUnknownMember", name, err)
		}
		if !strings.HasPrefix(hint.Of(err), want) {
			t.Errorf("%s: got hint of %v, want it to start with %s", name, err, want)
		}
	}
	if err := cluster.Unknown(topology.ErrUnknownDatacenter, "NYX", []topology.DatacenterID{"NYC"}); !errors.Is(err, topology.ErrUnknownDatacenter) {
		t.Errorf("got %v, want ErrUnknownDatacenter", err)
	}
}

func TestMemberNamesRoundTrip(t *testing.T) {
	part := rapid.StringMatching(`[a-zA-Z][a-zA-Z0-9-]{0,8}`)
	rapid.Check(t, func(t *rapid.T) {
		n := cluster.MemberName{
			Set: part.Draw(t, "set"), DC: topology.DatacenterID(part.Draw(t, "dc")), Ordinal: rapid.IntRange(1, 12).Draw(t, "ordinal"),
		}
		got, err := cluster.ParseMemberName(n.String())
		if err != nil || got != n {
			t.Fatalf("got %v, %v, want %v", got, err, n)
		}
	})
	for _, bad := range []string{"", "nyc", "/LON", "nyc/", "nyc/LON.", "nyc/LON.x", "nyc/LON.1", "nyc/LON.0", "nyc/LON.02", "nyc/LON.2x"} {
		if got, err := cluster.ParseMemberName(bad); !errors.Is(err, topology.ErrUnknownMember) {
			t.Errorf("%q: got %v, %v, want ErrUnknownMember", bad, got, err)
		}
	}
}
