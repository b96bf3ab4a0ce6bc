package cart_test

import (
	"fmt"
	"time"

	"github.com/geoshard/geoshard/cart"
)

func ExampleCart_With() {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c := cart.Cart{Status: cart.Open, Version: 1}
	add := cart.Request{Key: "01KDYZYZQ8000000000000000A", At: now, Change: cart.AddItem{SKU: "book", Quantity: 2, Price: 1299, Currency: "GBP"}}

	c, outcome, err := c.With(add)
	fmt.Println(c.Count(), c.Total(), outcome == cart.Applied, err)
	c, outcome, err = c.With(add) // the answer was lost: it is sent again
	fmt.Println(c.Count(), c.Total(), outcome == cart.Replayed, err)
	// Output:
	// 2 2598 true <nil>
	// 2 2598 true <nil>
}
