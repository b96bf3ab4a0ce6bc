package container_test

import (
	"context"
	"fmt"

	"github.com/geoshard/geoshard/cluster/container"
)

// A wrong option is told before any container is started. TestTheDocumentedExampleRuns shows the rest.
func ExampleRun() {
	_, err := container.Run(context.Background(), container.WithPreset("nyc-lon-sid"))
	fmt.Println(err)
	// Output: run cluster in containers: unknown preset "nyc-lon-sid": the presets are nyc-lon-syd, us-east-west, ebay, yougov, ogilvy
}
