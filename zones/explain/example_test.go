package explain_test

import (
	"fmt"
	"time"

	"github.com/geoshard/geoshard/zones/explain"
)

// An explanation as Explain returns it: the query of a London client reaches two shards, because the ranges are not tight.
func ExampleExplanation() {
	e := explain.Explanation{
		Namespace: "shop.carts", Filter: `{"dataCenter": "LON"}`, From: "LON", Routing: explain.RoutingSome,
		Why: "the filter fixes dataCenter of the shard key and leaves cartId open",
		Shards: []explain.Shard{
			{ID: "lon", Home: "LON", Nearest: "LON"},
			{ID: "nyc", Home: "NYC", RTT: 76 * time.Millisecond, Nearest: "LON"},
		},
		Primary: 76 * time.Millisecond,
	}
	fmt.Printf("%s: %v; at least %v from primaries\n", e.Routing, e.Datacenters(), e.Primary)
	// Output:
	// some shards: [LON NYC]; at least 76ms from primaries
}
