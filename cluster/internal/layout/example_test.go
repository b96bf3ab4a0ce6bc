package layout_test

import (
	"fmt"

	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/topology"
)

func ExampleOf() {
	world, err := topology.Parse("geoshard.yaml", []byte(`version: 1
datacenters:
  NYC: {name: New York}
shards:
  nyc: {members: [{dc: NYC, priority: 1}]}
zones:
  NYC: {shards: [nyc]}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	nodes, err := layout.Of(world, false)
	for _, n := range nodes {
		fmt.Println(n.Name, n.Home)
	}
	fmt.Println(err)
	// Output:
	// nyc/NYC true
	// config/NYC true
	// router/NYC false
	// <nil>
}
