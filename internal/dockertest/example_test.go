package dockertest_test

import (
	"fmt"
	"os"

	"github.com/geoshard/geoshard/internal/dockertest"
)

func Example() {
	dockertest.Prepare() // in TestMain
	fmt.Println(os.Getenv("TESTCONTAINERS_RYUK_DISABLED"), dockertest.LocalImage)
	// Output: true geoshard-mongodb
}
