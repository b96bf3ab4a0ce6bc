package zonestest_test

import (
	"context"
	"fmt"

	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/zonestest"
)

// A range needs a zone with a shard, as on a server.
func ExampleModel() {
	m := zonestest.New(zones.State{Shards: []zones.Shard{{ID: "nyc"}}})
	add := zones.AddRange{Collection: "shop.carts", Range: zones.Range{Zone: "NYC"}}
	fmt.Println(m.Perform(context.Background(), add))
	fmt.Println(m.Perform(context.Background(), zones.AddShardToZone{Shard: "nyc", Zone: "NYC"}))
	fmt.Println(m.Perform(context.Background(), add))
	// Output:
	// ZoneNotFound: NYC
	// <nil>
	// <nil>
}
