// Command probe is a client in a container: it writes through a query router and says how long a round trip takes.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, uri := range os.Args[1:] {
		took, err := probe(ctx, uri)
		if err != nil {
			fmt.Println("error", uri, err)
			os.Exit(1)
		}
		fmt.Println("answered", uri, took)
	}
}

// probe returns the quickest of a few round trips.
func probe(ctx context.Context, uri string) (quickest time.Duration, err error) {
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return 0, err
	}
	defer func() { _ = client.Disconnect(ctx) }()
	if _, err := client.Database("probe").Collection("notes").InsertOne(ctx, bson.D{{Key: "from", Value: uri}}); err != nil {
		return 0, err
	}
	for range 5 {
		began := time.Now()
		if err := client.Database("admin").RunCommand(ctx, bson.D{{Key: "ping", Value: 1}}).Err(); err != nil {
			return 0, err
		}
		if took := time.Since(began); quickest == 0 || took < quickest {
			quickest = took
		}
	}
	return quickest, nil
}
