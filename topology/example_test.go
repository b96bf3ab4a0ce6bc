package topology_test

import (
	"fmt"

	"github.com/geoshard/geoshard/topology"
)

func ExampleParse() {
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
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, shard := range world.Shards {
		fmt.Println(shard.ID, "is at home in", world.HomeOf(shard.ID))
	}
	fmt.Println(world.RTT("LON", "NYC"))
	// Output:
	// nyc is at home in NYC
	// lon is at home in LON
	// 76ms
}

func ExampleParse_everythingAtOnce() {
	_, err := topology.Parse("geoshard.yaml", []byte(`
version: 1
datacenters:
  NYC: {name: New York, role: activ}
links:
  - {between: [NYC, LON], rtt: 76}
shard:
  nyc: {members: [{dc: NCY}]}
`))
	fmt.Println(err)
	// Output:
	// geoshard.yaml:4:25: datacenters.NYC.role: unknown role "activ": want active, passive, voter (did you mean "active"?)
	// geoshard.yaml:6:27: links[0].rtt: want a duration such as 76ms, got integer 76
	// geoshard.yaml:7:1: shard: unknown key "shard" (did you mean "shards"?)
}
