package api_test

import (
	"encoding/json"
	"fmt"

	"github.com/geoshard/geoshard/cart/api"
)

func ExampleDocument() {
	text, err := api.Document()
	if err != nil {
		fmt.Println(err)
		return
	}
	var document struct{ OpenAPI string }
	if err := json.Unmarshal(text, &document); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("OpenAPI", document.OpenAPI)
	// Output: OpenAPI 3.1.0
}
