package verify

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/internal/serverversion"
)

// OnlySharded is the filter of config.collections.
var OnlySharded = onlySharded

// Applied asks a member what it has applied, as members of 8.0 and later are asked.
func Applied(ctx context.Context, client *mongo.Client) (bson.Timestamp, error) {
	return (&member{client: client}).askStatus(ctx)
}

// VersionOf is what preflight asks a member.
func VersionOf(ctx context.Context, client *mongo.Client) serverversion.Server {
	return versionOf(ctx, client, "a member", true)
}
