package spelling_test

import (
	"fmt"

	"github.com/geoshard/geoshard/internal/spelling"
)

func ExampleNearest() {
	fmt.Printf("%q\n", spelling.Nearest("LNO", []string{"NYC", "LON", "SYD"}))
	fmt.Printf("%q\n", spelling.Nearest("Tokyo", []string{"NYC", "LON", "SYD"}))
	// Output:
	// "LON"
	// ""
}
