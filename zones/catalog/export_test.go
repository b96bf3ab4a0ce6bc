package catalog

import (
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Unchecked is a Catalog of a server that Open would refuse: a mongod, which enforces privileges where the development query router does not.
func Unchecked(client *mongo.Client) *Catalog {
	return &Catalog{client: client, options: options.Client().SetAppName("test")}
}
