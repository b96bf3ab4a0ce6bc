package router_test

import (
	"fmt"

	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/topology"
)

// A user in San Francisco makes a cart, which belongs to the West from then on, wherever the user travels.
func Example() {
	src, _ := configs.Read("us-east-west")
	world, _ := topology.Parse("us-east-west", src)
	table, err := router.NewTable(world)
	if err != nil {
		panic(err)
	}
	healthy := &router.Health{}

	made := table.Decide(&router.Query{Here: table.DC("East"), Class: router.New, Lat: 37.77, Long: -122.42, HasPlace: true}, healthy)
	home := table.NewHome(made.Owner)
	fmt.Println(made.Mode, "to", table.Datacenter(made.To), "because of the", made.Reason, "and its home is", home)

	later := table.Decide(&router.Query{Here: table.DC("East"), Class: router.Write, Home: home}, healthy)
	fmt.Println(later.Mode, "to", table.Datacenter(later.To), "because it is the", later.Reason)

	lost := &router.Health{Down: router.DCSet(0).With(table.DC("West")), Primaries: []router.DC{table.DC("East"), table.DC("East")}}
	moved := table.Decide(&router.Query{Here: table.DC("East"), Class: router.Write, Home: home}, lost)
	fmt.Println(moved.Mode, "because of the", moved.Reason, "- its owner is still", table.Datacenter(moved.Owner))
	// Output:
	// forward to West because of the distance and its home is West
	// forward to West because it is the owner
	// local because of the primary - its owner is still West
}
