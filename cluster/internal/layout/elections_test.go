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
