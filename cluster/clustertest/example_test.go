package clustertest_test

import (
	"fmt"

	"github.com/geoshard/geoshard/cluster/clustertest"
)

func ExampleSmall() {
	world, err := clustertest.Small()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, shard := range world.Shards {
		fmt.Println(shard.ID, shard.MemberName(0))
	}
	// Output:
	// s0 s0/HERE
	// s1 s1/HERE
	// s2 s2/HERE
}
