package topology_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/geoshard/geoshard/topology"
)

// TestSurvival states what MongoDB does, layout by layout. A layout lists the members of the only shard: datacenter and priority
// ("A10"); V is a voter, P and Q are passive.
func TestSurvival(t *testing.T) {
	const holds = ""
	for _, c := range []struct{ layout, node, datacenter string }{
		{"A10 P5 Q1", holds, holds},
		{"A10 P5", "shard s: no primary can be elected; config: no primary can be elected", "shard s: no primary can be elected; config: no primary can be elected"},
		{"A10", "shard s: no primary can be elected; config: no primary can be elected", "shard s: no primary can be elected; config: no primary can be elected"},
		// The arbiter keeps a primary in office, and acknowledges nothing.
		{"A10 P5 V0", "shard s: writes with w: majority wait", "shard s: writes with w: majority wait"},
		// Two on each side and an arbiter: min(3 of 5 votes, 4 with data) acknowledge; one node less leaves 3, one datacenter less 2.
		{"A10 A9 P5 P4 V0", holds, "shard s: writes with w: majority wait"},
		{"A10 A9 P5 P4 Q1", holds, holds},
		{"A10 A9 A8 P5 Q1", holds, "shard s: no primary can be elected"},
		// Votes are there, but nobody may be elected.
		{"A10 P0 Q0", "shard s: no member is left that may become primary", "shard s: no member is left that may become primary"},
		{"A10 A9 P0 Q0", holds, "shard s: no primary can be elected"},
		{"A10 A9 P0 P0 Q0", holds, "shard s: no member is left that may become primary"},
		{"A10 P5 P4 Q1 Q1", holds, holds},
		// An even number of votes is no better than one vote less.
		{"A10 A9 P5 Q1", holds, "shard s: no primary can be elected"},
	} {
		for goal, want := range map[topology.Survival]string{topology.SurviveNode: c.node, topology.SurviveDatacenter: c.datacenter} {
			if got := lost(t, c.layout, goal); got != want {
				t.Errorf("%s, survive: %s: got %q, want %q", c.layout, goal, got, want)
			}
		}
		if err := layout(t, c.layout).Validate(); err != nil {
			t.Errorf("%s, no goal: %v", c.layout, err)
		}
	}
}

// lost lists the replica sets that miss the goal, and why.
func lost(t *testing.T, members string, goal topology.Survival) string {
	t.Helper()
	w := layout(t, members)
	w.Survive = goal
	err := w.Validate()
	if err == nil {
		return ""
	}
	var found []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		set := "shard s"
		if strings.Contains(line, "config servers") {
			set = "config"
		}
		for _, reason := range []string{"no primary can be elected", "no member is left that may become primary", "writes with w: majority wait"} {
			if strings.Contains(line, reason) {
				found = append(found, set+": "+reason)
			}
		}
	}
	if len(found) != strings.Count(err.Error(), "\n")+1 {
		t.Errorf("%s: other problems: %v", members, err)
	}
	return strings.Join(found, "; ")
}

func layout(t *testing.T, members string) *topology.Topology {
	t.Helper()
	roles := map[byte]topology.Role{'A': topology.RoleActive, 'P': topology.RolePassive, 'Q': topology.RolePassive, 'V': topology.RoleVoter}
	w := &topology.Topology{Version: topology.CurrentVersion, Shards: []topology.Shard{{ID: "s"}}}
	for m := range strings.FieldsSeq(members) {
		id := topology.DatacenterID(m[:1])
		if _, known := w.Datacenter(id); !known {
			for _, other := range w.Datacenters {
				w.Links = append(w.Links, topology.Link{Between: [2]topology.DatacenterID{other.ID, id}, RTT: 1})
			}
			w.Datacenters = append(w.Datacenters, topology.Datacenter{ID: id, Role: roles[m[0]]})
		}
		priority, err := strconv.ParseFloat(m[1:], 64)
		if err != nil {
			t.Fatal(err)
		}
		w.Shards[0].Members = append(w.Shards[0].Members, topology.Member{DC: id, Priority: priority})
	}
	return w
}

func TestMemberNames(t *testing.T) {
	s := layout(t, "A10 A9 P5 A1 P1").Shards[0]
	var got []string
	for i := range s.Members {
		got = append(got, s.MemberName(i))
	}
	if want := "[s/A s/A.2 s/P s/A.3 s/P.2]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
