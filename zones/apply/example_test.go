package apply_test

import (
	"context"
	"fmt"

	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/zonestest"
)

// A plan is applied to a model of a cluster. Package zones/catalog has what an apply to a real one acts through.
func ExampleApply() {
	s := zonestest.NewScene(zones.State{ClusterID: "650000000000000000000000", Shards: []zones.Shard{{ID: "nyc"}}})
	state := s.State()
	plan := &zones.Plan{ClusterID: state.ClusterID, StateHash: state.Hash(), Steps: []zones.Step{{Change: zones.AddShardToZone{Shard: "nyc", Zone: "NYC"}}}}

	listen := func(event apply.Event) {
		if done, ok := event.(apply.StepDone); ok {
			fmt.Printf("%d/%d %s\n", done.Index+1, done.Total, done.Step.Change)
		}
	}
	result, err := apply.Apply(context.Background(), plan, s.Deps(nil), apply.Options{AutoApprove: true, Listen: listen})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Done, "step done;", s.State().Shards[0].Zones)
	// Output:
	// 1/1 + zone NYC: shard nyc
	// 1 step done; [NYC]
}
