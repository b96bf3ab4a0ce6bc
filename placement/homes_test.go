package placement_test

import (
	"slices"
	"testing"
	"time"

	"github.com/geoshard/geoshard/placement"
	"github.com/geoshard/geoshard/topology"
)

func TestHomesHaveAZoneOfTheirName(t *testing.T) {
	world := &topology.Topology{Datacenters: []topology.Datacenter{{ID: "SYD"}, {ID: "LON"}, {ID: "VOTER"}}, Zones: []topology.Zone{{ID: "EU"}, {ID: "LON"}, {ID: "SYD"}}}
	if got := placement.Homes(world); !slices.Equal(got, []topology.DatacenterID{"SYD", "LON"}) {
		t.Errorf("got %v", got)
	}
}

func TestTheCenterIsNearestToAll(t *testing.T) {
	link := func(a, b topology.DatacenterID, ms int) topology.Link {
		return topology.Link{Between: [2]topology.DatacenterID{a, b}, RTT: time.Duration(ms) * time.Millisecond}
	}
	world := &topology.Topology{Links: []topology.Link{link("NYC", "LON", 76), link("LON", "SYD", 270), link("NYC", "SYD", 200)}}
	for _, c := range []struct {
		want   int
		places []topology.DatacenterID
	}{
		{0, []topology.DatacenterID{"NYC", "LON", "SYD"}}, {1, []topology.DatacenterID{"SYD", "NYC", "LON"}},
		{1, []topology.DatacenterID{"LON", "SYD", "SYD", "SYD", "NYC"}}, // a place counts as often as it is named
		{0, []topology.DatacenterID{"SYD", "NYC"}}, {-1, nil},
	} {
		if got := placement.Center(world, c.places); got != c.want {
			t.Errorf("%v: got %d, want %d", c.places, got, c.want)
		}
	}
}
