package box_test

import (
	"context"
	"fmt"

	"github.com/geoshard/geoshard/cluster/container/internal/box"
)

func ExampleRun() {
	fmt.Println(box.Run(context.Background(), nil))
	// Output: usage: box CONFIG
}
