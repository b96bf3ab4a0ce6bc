// Package nstype tells collections from what else has a namespace: views and time series, which have no documents that a zone
// could place.
package nstype

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Other is "view" or "time series" for a namespace that is one, and empty for a collection, for what does not exist, and where
// the server does not tell.
func Other(ctx context.Context, namespace *mongo.Collection) string {
	o := options.ListCollections().SetNameOnly(true).SetAuthorizedCollections(true)
	found, err := namespace.Database().ListCollectionSpecifications(ctx, bson.D{{Key: "name", Value: namespace.Name()}}, o)
	switch {
	case err != nil || len(found) == 0:
		return ""
	case found[0].Type == "timeseries":
		return "time series"
	case found[0].Type == "view":
		return "view"
	default:
		return ""
	}
}
