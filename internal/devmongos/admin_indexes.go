package devmongos

import (
	"context"
	"errors"
	"slices"

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
	return encode(bson.D{rawAnswers(answers)})
}

// listIndexes asks one of the shards that hold part of the collection: all of them have the same.
func (r *definitions) listIndexes(ctx context.Context, req *request) (bsoncore.Document, error) {
	rep, err := r.runSingle(ctx, req, single{
		repeatable: true,
		choose:     func(rt *route) (topology.ShardID, error) { return rt.shards()[0], nil },
		body:       func(dst []byte) []byte { return appendListing(dst, req.body) },
	})
	if errors.Is(err, errNoDatabase) {
		return nil, refuse(codeNamespaceNotFound, "ns does not exist: %s", req.ns())
	}
	if err != nil {
		return nil, err
	}
	r.cursors.adopt(rep.doc, remoteCursor{host: rep.host})
	return rep.doc, nil
}

// listOfConfig lists what the config servers have.
func (r *definitions) listOfConfig(ctx context.Context, req *request) (bsoncore.Document, error) {
	return r.askConfig(ctx, req, build(func(dst []byte) []byte { return appendListing(dst, req.body) }))
}

// appendListing appends a client's listing for a member, with its session, in which the cursor then lives.
func appendListing(dst []byte, body bsoncore.Document) []byte {
	return appendWithout(dst, body, func(name string) bool { return isGeneric(name) && name != "$db" && name != "lsid" })
}

// listCollections asks the primary shard, which knows all collections of its database, sharded ones too.
func (r *definitions) listCollections(ctx context.Context, req *request) (bsoncore.Document, error) {
	if isConfigDatabase(req.db) {
		return r.listOfConfig(ctx, req)
	}
	listing := bson.D{{Key: "listCollections", Value: 1}}
	if lsid := field(req.body, "lsid"); lsid.Type != 0 {
		listing = append(listing, bson.E{Key: "lsid", Value: rawValue(lsid)})
	}
	rep, err := r.onDatabase(ctx, req, req.db, req.db, slices.Concat(listing, req.arguments()))
	if errors.Is(err, errNoDatabase) {
		return cursorAnswer(0, req.db+".$cmd.listCollections", "firstBatch", nil), nil
	}
	if err != nil {
		return nil, err
	}
	r.cursors.adopt(rep.doc, remoteCursor{host: rep.host})
	return rep.doc, nil
}
