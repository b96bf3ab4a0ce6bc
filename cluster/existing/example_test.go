package existing_test

import (
	"fmt"

	"github.com/geoshard/geoshard/cluster/existing"
)

func ExampleRedact() {
	fmt.Println(existing.Redact("mongodb://amy:secret@db1.example.net:27017,db2.example.net:27017/shop?tls=true"))
	// Output: mongodb://…@db1.example.net:27017,db2.example.net:27017
}
