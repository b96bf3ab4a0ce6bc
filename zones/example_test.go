package zones_test

import (
	"fmt"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// Layouts are compared as sets of facts, each of which is told by the change that makes it true.
func ExampleLayout_Facts() {
	have := zones.State{Shards: []zones.Shard{{ID: "lon", Zones: []topology.ZoneID{"LON"}}, {ID: "nyc"}}}
	want := zones.Layout{Zones: []zones.ZoneShards{{Zone: "LON", Shards: []topology.ShardID{"lon"}}, {Zone: "NYC", Shards: []topology.ShardID{"nyc"}}}}

	for _, change := range want.Facts().Without(have.Layout().Facts()) {
		fmt.Println(change)
	}
	// Output:
	// + zone NYC: shard nyc
}
