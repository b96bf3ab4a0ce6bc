package passing_test

import (
	"fmt"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/internal/passing"
)

func ExampleAnswer() {
	fmt.Println(passing.Answer(mongo.CommandError{Code: 11602, Name: "InterruptedDueToReplStateChange"}))
	fmt.Println(passing.Answer(mongo.CommandError{Code: 13, Name: "Unauthorized"}))
	// Output:
	// true
	// false
}
