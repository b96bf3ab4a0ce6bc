package directory_test

import (
	"fmt"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/router/directory"
	"github.com/geoshard/geoshard/topology"
)

// A directory is made from the topology; what cannot be looked up is told at once.
func ExampleNew() {
	world, err := topology.Parse("geoshard.yaml", []byte(`version: 1
datacenters: {HERE: {name: Here}}
shards: {s0: {members: [{dc: HERE, priority: 1}]}}
zones: {Z0: {shards: [s0]}}
namespaces:
  shop.carts: {key: {dataCenter: 1, cartId: 1}, zoneBy: dataCenter}
  shop.logs: {key: {dataCenter: 1}, zoneBy: dataCenter}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://127.0.0.1:1")) // connects when it is used
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, namespace := range []string{"shop.carts", "shop.logs", "shop.*"} {
		_, err := directory.New(directory.Options{Client: client, World: world, Namespace: namespace, Here: "HERE"})
		fmt.Println(namespace, err)
	}
	// Output:
	// shop.carts <nil>
	// shop.logs records of this namespace cannot be looked up: the shard key of shop.logs has no second field, so name the field with the identifier
	// shop.* records of this namespace cannot be looked up: "shop.*" is no collection of the topology
}
