package layout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/topology"
)

// apart declares datacenters A, B, C ... with those round trips from A, in milliseconds; V is one that only votes.
func apart(dcs string, rtts ...int) *topology.Topology {
	t := world("a A:1")
	t.Datacenters = nil
	for i, id := range dcs {
		dc := topology.Datacenter{ID: topology.DatacenterID(id)}
		if id == 'V' {
			dc.Role = topology.RoleVoter
		}
		t.Datacenters = append(t.Datacenters, dc)
		if i > 0 {
			t.Links = append(t.Links, topology.Link{Between: [2]topology.DatacenterID{"A", dc.ID}, RTT: time.Duration(rtts[i-1]) * time.Millisecond})
		}
	}
	return t
}

// Of the config servers as few stand for election as are needed to have one in every majority, and these are near the home.
func TestFewConfigServersStandForElection(t *testing.T) {
	for _, c := range []struct {
		world *topology.Topology
		want  string
	}{
		{apart("A"), "A:10"},
		{apart("AB", 9), "A:10 B:1"}, // B may take over when a person wants it
		{apart("ABC", 9, 20), "A:10 B:1 C:0"},
		{apart("ABC", 20, 9), "A:10 B:0 C:1"},
		{apart("ABV", 20, 9), "A:10 B:1 V:0"},
		{apart("ABCD", 9, 20, 5), "A:10 B:0 C:0 D:1"},
		{apart("ABCDE", 9, 20, 5, 30), "A:10 B:1 C:0 D:1 E:0"},
	} {
		nodes, err := layout.Of(c.world, false)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, n := range nodes {
			if n.Kind == layout.Config {
				got = append(got, fmt.Sprintf("%s:%g", n.DC, n.Priority))
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("got %v, want %s", got, c.want)
		}
	}
}

// Where one rival is left, it need not wait; where several are, they stand apart from each other.
func TestRivalsStandApart(t *testing.T) {
	for _, c := range []struct {
		shard string
		want  float64
	}{
		{"a A:1", 0}, {"a A:2 B:1", 0}, {"a A:3 B:2 C:0", 0}, {"a A:3 B:2 C:1", 0.6}, {"a A:9 A:8 B:5 B:4 C:0", 0.6},
	} {
		nodes, err := layout.Of(world(c.shard), false)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range nodes {
			said := strings.Contains(strings.Join(n.ServerArguments(0.25, 64), " "), "replElectionTimeoutOffsetLimitFraction=0.6")
			if n.Shard == "a" && (n.ElectionSpread != c.want || said != (c.want > 0)) {
				t.Errorf("%s: %s got %v, said %v, want %v", c.shard, n.Name, n.ElectionSpread, said, c.want)
			}
		}
	}
	if _, _, err := layout.OfGrowing(world("a A:2 B:1"), world("a A:2 B:1 C:0.5"), false); err != nil {
		t.Errorf("growing to three rivals: %v", err)
	}
}

// A config server that runs keeps its priority when a nearer one comes.
func TestConfigServersThatRunKeepTheirPriority(t *testing.T) {
	nodes, first, err := layout.OfGrowing(apart("AB", 20), apart("ABC", 20, 9), false)
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range nodes {
		if n.Name == "config/B" && (i >= first || n.Priority != 1) {
			t.Errorf("got %+v, want it as it was", n)
		}
	}
}

// Several heartbeats fit into an election timeout, and MongoDB's own 2 s are never exceeded.
func TestHeartbeatsFitIntoTheElectionTimeout(t *testing.T) {
	for timeout, want := range map[time.Duration]int64{time.Second: 250, 2 * time.Second: 500, 8 * time.Second: 2000, 10 * time.Second: 2000} {
		if got := layout.NewSetConfig("nyc", nil, timeout).Settings.HeartbeatInterval; got != want {
			t.Errorf("with %s: got heartbeats every %d ms, want %d", timeout, got, want)
		}
	}
}
