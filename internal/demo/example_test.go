package demo_test

import (
	"fmt"

	"github.com/geoshard/geoshard/internal/demo"
)

func ExampleStory() {
	for _, step := range demo.Story("us-east-west") {
		fmt.Println(step.Name)
	}
	// Output:
	// zones
	// newcomers
	// own-writes
	// delay
	// shipping
	// analytics
	// travel
	// latency
	// failover
	// cut
	// proof
}
