package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/geoshard/geoshard/zones/catalog"
)

func ExampleOpen() {
	_, err := catalog.Open(context.Background(), catalog.Options{URI: "mongodb://amy:secret@127.0.0.1:1/", Within: 200 * time.Millisecond})
	var told *catalog.Error
	if errors.Is(err, catalog.ErrUnreachable) && errors.As(err, &told) {
		fmt.Println(told)
		fmt.Println("hint:", told.Hint())
	}
	// Output:
	// connect to mongodb://…@127.0.0.1:1: no server answers: dial tcp 127.0.0.1:1: connect: connection refused
	// hint: nothing listens there: check host and port, and whether the query router runs
}
