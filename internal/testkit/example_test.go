package testkit_test

import (
	"context"
	"fmt"
	"time"

	"github.com/geoshard/geoshard/internal/testkit"
)

func ExampleAwait() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	looks := 0
	err := testkit.Await(ctx, "the second look", func(context.Context) error {
		if looks++; looks < 2 {
			return fmt.Errorf("look %d is too early", looks)
		}
		return nil
	})
	fmt.Println(looks, err)
	// Output: 2 <nil>
}
