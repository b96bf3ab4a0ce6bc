package cluster_test

import (
	"errors"
	"fmt"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/topology"
)

func ExampleParseMemberName() {
	n, _ := cluster.ParseMemberName("nyc/LON.2")
	fmt.Println(n.Set, n.DC, n.Ordinal)
	_, err := cluster.ParseMemberName("nyc-LON")
	fmt.Println(errors.Is(err, topology.ErrUnknownMember), err)
	// Output:
	// nyc LON 2
	// true unknown member "nyc-LON"
}
