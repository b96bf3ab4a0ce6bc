package dashboard_test

import (
	"fmt"

	"github.com/geoshard/geoshard/internal/demo/dashboard"
)

// Without a token everybody who reaches the page could press its buttons, so there is no dashboard without one.
func ExampleNew() {
	_, err := dashboard.New(dashboard.Options{})
	fmt.Println(err)
	one, another := dashboard.NewToken(), dashboard.NewToken()
	fmt.Println(len(one) >= 32, one == another)
	// Output:
	// dashboard: World and Token are required
	// true false
}
