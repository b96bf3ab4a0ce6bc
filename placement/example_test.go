package placement_test

import (
	"fmt"

	"github.com/geoshard/geoshard/placement"
	"github.com/geoshard/geoshard/topology"
)

func Example() {
	from := topology.StringOf("A")
	to := topology.StringOf("B")
	world := &topology.Topology{Zones: []topology.Zone{{ID: "LON", Shards: []topology.ShardID{"s0"}}, {ID: "SYD", Shards: []topology.ShardID{"s1"}}}}
	ns := topology.Namespace{Name: "shop.carts", ZoneBy: "dc", Ranges: []topology.Range{
		{Zone: "SYD", From: &from, To: &to},
		{Zone: "LON", Values: []topology.Value{topology.StringOf("PAR"), topology.StringOf("DUB")}},
	}}
	for _, r := range placement.RangesOf(world, ns) {
		fmt.Println(r.Zone, r.Values)
	}
	for _, value := range []string{"AKL", "PAR", "SYD", "NYC"} {
		zone, ok := placement.ZoneOf(world, ns, topology.StringOf(value))
		fmt.Println(value, ok, zone.ID, zone.Shards)
	}
	// Output:
	// SYD []
	// LON ["DUB"]
	// LON ["LON"]
	// LON ["PAR"]
	// SYD ["SYD"]
	// AKL true SYD [s1]
	// PAR true LON [s0]
	// SYD true SYD [s1]
	// NYC false  []
}
