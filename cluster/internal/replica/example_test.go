package replica_test

import (
	"fmt"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/cluster/internal/replica"
)

func ExamplePassing() {
	fmt.Println(replica.Passing(mongo.CommandError{Code: 10107, Message: "not primary"}))
	fmt.Println(replica.Passing(mongo.CommandError{Code: 13, Message: "unauthorized"}))
	// Output:
	// true
	// false
}
