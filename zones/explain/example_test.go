package explain_test

import (
	"fmt"
	"time"

	"github.com/geoshard/geoshard/zones/explain"
)

// An explanation as Explain returns it: the query of a London client reaches two shards, because the ranges are not tight.
func ExampleExplanation_Text() {
	e := explain.Explanation{
		Namespace: "shop.carts", Filter: `{"dataCenter": "LON"}`, From: "LON", Routing: explain.RoutingSome,
		Why: "the filter fixes dataCenter of the shard key and leaves cartId open",
		Shards: []explain.Shard{
			{ID: "lon", Home: "LON", Nearest: "LON"},
			{ID: "nyc", Home: "NYC", RTT: 76 * time.Millisecond, Nearest: "LON"},
		},
		Primary: 76 * time.Millisecond,
	}
	fmt.Print(e.Text())
	// Output:
	// shop.carts.find({"dataCenter": "LON"}) from LON: some shards
	//   because the filter fixes dataCenter of the shard key and leaves cartId open
	//   lon        primary at home in LON, 0s away; nearest member in LON, 0s away
	//   nyc        primary at home in NYC, 76ms away; nearest member in LON, 0s away
	//   at least 76ms from primaries, 0s from the nearest members
}
