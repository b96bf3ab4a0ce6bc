package nstype_test

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/internal/nstype"
)

// Where no server tells, a namespace is taken for a collection.
func ExampleOther() {
	o := options.Client().ApplyURI("mongodb://127.0.0.1:1/").SetServerSelectionTimeout(time.Millisecond)
	client, err := mongo.Connect(o)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	fmt.Printf("%q\n", nstype.Other(context.Background(), client.Database("shop").Collection("today")))
	// Output:
	// ""
}
