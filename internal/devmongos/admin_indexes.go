package devmongos

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/topology"
)

// createIndexes builds on every shard that holds part of the collection; shards that get their first chunk later copy the indexes.
// The collection and its database are created if need be.
func (r *definitions) createIndexes(ctx context.Context, req *request) (bsoncore.Document, error) {
	if err := r.ensureDatabase(ctx, req.db); err != nil {
		return nil, err
	}
	answers, err := r.onOwners(ctx, req, req.db, req.collection, req.as("createIndexes", majority))
	if err != nil {
		return nil, err
	}
	return encode(rawAnswers(answers))
}

// listIndexes asks one of the shards that hold part of the collection: all of them have the same.
func (r *definitions) listIndexes(ctx context.Context, req *request) (bsoncore.Document, error) {
	rep, err := r.runSingle(ctx, req, single{
		repeatable: true,
		choose:     func(rt *route) (topology.ShardID, error) { return rt.shards()[0], nil },
		body:       func(dst []byte) []byte { return appendFields(dst, listing(req)) },
	})
	return r.cursors.opened(rep, withoutDatabase(err, refuse(codeNamespaceNotFound, "ns does not exist: %s", req.ns())))
}

// listOfConfig lists what the config servers have.
func (r *definitions) listOfConfig(ctx context.Context, req *request) (bsoncore.Document, error) {
	return r.askConfig(ctx, req, document(listing(req)))
}

// listing is a client's listing for a member, with its session, in which the cursor then lives.
func listing(req *request) bson.D { return req.as(req.name, given(req.body, "$db", "lsid")...) }

// listCollections asks the primary shard, which knows all collections of its database, sharded ones too.
func (r *definitions) listCollections(ctx context.Context, req *request) (bsoncore.Document, error) {
	if isConfigDatabase(req.db) {
		return r.listOfConfig(ctx, req)
	}
	rep, err := r.onDatabase(ctx, req, req.db, req.db, fields("listCollections", 1, given(req.body, "lsid"), req.arguments()))
	if errors.Is(err, errNoDatabase) {
		return emptyCursor(req.db + ".$cmd.listCollections"), nil
	}
	return r.cursors.opened(rep, err)
}
