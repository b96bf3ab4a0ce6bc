package rehome_test

import (
	"context"
	"fmt"
	"log"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/rehome"
)

// A user has moved to London. What the topology gives to no zone is refused before anything is asked of the cluster.
func ExampleRehome() {
	world, err := topology.Parse("geoshard.yaml", []byte(`version: 1
datacenters: {NYC: {name: New York}, LON: {name: London}}
links: [{between: [NYC, LON], rtt: 76ms}]
shards:
  nyc: {members: [{dc: NYC, priority: 5}, {dc: LON}]}
  lon: {members: [{dc: LON, priority: 5}, {dc: NYC}]}
zones: {NYC: {shards: [nyc]}, LON: {shards: [lon]}}
namespaces:
  shop.carts:  {key: {dataCenter: 1, cartId: 1}, zoneBy: dataCenter, related: [{namespace: shop.orders, by: cartId}]}
  shop.orders: {key: {dataCenter: 1, orderId: 1}, zoneBy: dataCenter}
`))
	if err != nil {
		log.Fatal(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://127.0.0.1:27017/"))
	if err != nil {
		log.Fatal(err)
	}
	_, err = rehome.Rehome(context.Background(), client, world, rehome.Options{
		Namespace: "shop.carts", Filter: bson.D{{Key: "userId", Value: 7}}, To: topology.StringOf("LND"),
	})
	fmt.Println(err)
	// Output:
	// rehome: no zone takes "LND" of shop.carts: not in the topology
}
