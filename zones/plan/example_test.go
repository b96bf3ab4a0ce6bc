package plan_test

import (
	"fmt"
	"time"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/plan"
)

// A new cluster of two shards gets the zones that a topology declares.
func ExampleNew() {
	world, err := topology.Parse("geoshard.yaml", []byte(`
version: 1
datacenters:
  NYC: {name: New York}
  LON: {name: London}
links:
  - {between: [NYC, LON], rtt: 76ms}
shards:
  nyc: {members: [{dc: NYC, priority: 2}, {dc: LON}]}
  lon: {members: [{dc: LON, priority: 2}, {dc: NYC}]}
zones:
  NYC: {shards: [nyc]}
  LON: {shards: [lon]}
namespaces:
  shop.carts: {key: {dataCenter: 1, cartId: 1}, zoneBy: dataCenter}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	// Package zones/catalog reads it from a cluster.
	state := &zones.State{ClusterID: "650000000000000000000000", Version: "8.0.4", Shards: []zones.Shard{{ID: "lon"}, {ID: "nyc"}}}

	made, err := plan.New(world, state, nil, plan.Options{Shard: true}, time.Now())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, step := range made.Steps {
		fmt.Println(step.Change)
	}
	// Output:
	// + zone LON: shard lon
	// + zone NYC: shard nyc
	// + shop.carts: {dataCenter: "LON", cartId: MinKey} to {dataCenter: "LON\u0000", cartId: MinKey} in LON
	// + shop.carts: {dataCenter: "NYC", cartId: MinKey} to {dataCenter: "NYC\u0000", cartId: MinKey} in NYC
	// + shop.carts: sharded by {dataCenter: 1, cartId: 1}
}
