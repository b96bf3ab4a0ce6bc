package configs_test

import (
	"fmt"

	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/topology"
)

func ExampleRead() {
	src, err := configs.Read("us-east-west")
	if err != nil {
		fmt.Println(err)
		return
	}
	world, err := topology.Parse("us-east-west.yaml", src)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, zone := range world.Zones {
		fmt.Println(zone.ID, zone.Shards)
	}
	// Output:
	// East [east]
	// West [west]
}
