package homeguard_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/router/homeguard"
	"github.com/geoshard/geoshard/topology"
)

// A program in New York asks for a cart without saying whose: the guard refuses, and nothing is sent (no server runs here).
func Example() {
	world, err := topology.Parse("geoshard.yaml", []byte(`version: 1
datacenters: {NYC: {name: New York}, LON: {name: London}}
links: [{between: [NYC, LON], rtt: 76ms}]
shards:
  nyc: {members: [{dc: NYC, priority: 5}, {dc: LON}]}
  lon: {members: [{dc: LON, priority: 5}, {dc: NYC}]}
zones: {NYC: {shards: [nyc]}, LON: {shards: [lon]}}
namespaces:
  shop.carts: {key: {dataCenter: 1, cartId: 1}, zoneBy: dataCenter}
`))
	if err != nil {
		log.Fatal(err)
	}
	opts := options.Client().ApplyURI("mongodb://127.0.0.1:1/")
	guard, err := homeguard.New(homeguard.Options{World: world, Here: "NYC", Mode: homeguard.ModeRefuse, Client: opts})
	if err != nil {
		log.Fatal(err)
	}
	client, err := mongo.Connect(opts.SetMonitor(guard.Monitor(opts.Monitor)))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }()

	carts := guard.Collection(client.Database("shop").Collection("carts"))
	err = carts.FindOne(context.Background(), bson.D{{Key: "cartId", Value: 7}}).Err()
	fmt.Println(errors.Is(err, homeguard.ErrLeavesHome), err)
	var refused *homeguard.Error
	if errors.As(err, &refused) {
		fmt.Println("hint:", refused.Hint())
	}
	fmt.Print(guard.Report().Text())
	// Output:
	// true home guard in NYC refused find shop.carts {cartId}: it does not fix dataCenter, so it asks LON, NYC
	// hint: add dataCenter to the filter; if it is meant, run it under homeguard.Allow
	// home guard in NYC: 0 of 0 statements left the datacenter (0.0 %); 1 refused, 0 allowed
	//          0 of        0 left, 1 refused  find shop.carts {cartId}
}
