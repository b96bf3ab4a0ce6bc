package local_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/local"
)

func ExampleEvent() {
	fmt.Println(local.Event{Elapsed: 4250e6, Text: "primary of nyc is at home in NYC"})
	// Output: 4.25s primary of nyc is at home in NYC
}

func ExampleDown() {
	dir, err := os.MkdirTemp("", "geoshard-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	err = local.Down(context.Background(), "demo", dir)
	fmt.Println(errors.Is(err, cluster.ErrNotRunning), err)
	// Output: true cluster demo: not running
}
