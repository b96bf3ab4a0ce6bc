package devmongos

import (
	"context"
	"errors"
	"maps"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// definitions create, change and list collections and their indexes.
type definitions struct{ *reads }

// commands create, change and remove collections and databases. The database's primary shard coordinates each of them and
// tells the others.
func (r *definitions) commands() map[string]handler {
	config := func(name string) handler { return r.configCommand(name, majority) }
	rows := adminOnly(map[string]handler{"renameCollection": r.renameCollection})
	maps.Copy(rows, map[string]handler{
		"create":          onCollection(r.create, config("create")),
		"drop":            onCollection(r.drop, r.dropOfConfig),
		"dropDatabase":    r.dropDatabase,
		"collMod":         onCollection(r.define("_shardsvrCollMod"), config("collMod")),
		"dropIndexes":     onCollection(r.define("_shardsvrDropIndexes"), config("dropIndexes")),
		"deleteIndexes":   onCollection(r.define("_shardsvrDropIndexes"), config("deleteIndexes")),
		"createIndexes":   onCollection(r.createIndexes, config("createIndexes")),
		"listIndexes":     onCollection(r.listIndexes, r.listOfConfig),
		"listCollections": r.listCollections,
	})
	return rows
}

// create also creates the database.
func (r *definitions) create(ctx context.Context, req *request) (bsoncore.Document, error) {
	if err := r.ensureDatabase(ctx, req.db); err != nil {
		return nil, err
	}
	_, err := r.change(ctx, req, req.db, req.db, req.as("create", majority), req.ns())
	return okReply, err
}

// drop of what does not exist is a success, as in the server since 6.0.
func (r *definitions) drop(ctx context.Context, req *request) (bsoncore.Document, error) {
	_, err := r.change(ctx, req, req.db, req.db, req.as("_shardsvrDropCollection", majority), req.ns())
	switch {
	case errors.Is(err, errNoDatabase):
		return encode("info", "database "+req.db+" not found")
	case err != nil:
		return nil, err
	}
	return encode("ns", req.ns())
}

func (r *definitions) dropOfConfig(ctx context.Context, req *request) (bsoncore.Document, error) {
	return r.administer(ctx, req, req.db, fields("drop", req.collection, majority))
}

func (r *definitions) dropDatabase(ctx context.Context, req *request) (bsoncore.Document, error) {
	if isConfigDatabase(req.db) {
		return nil, refuse(codeIllegalOperation, "Cannot drop '%s' database", req.db)
	}
	_, err := r.change(ctx, req, req.db, req.db, fields("_shardsvrDropDatabase", 1, majority), req.db)
	switch {
	case errors.Is(err, errNoDatabase):
		return encode("info", "database does not exist")
	case err != nil:
		return nil, err
	}
	return encode("dropped", req.db)
}

// define makes the handler of a command that changes an existing collection under the name that its coordinator knows.
func (r *definitions) define(name string) handler {
	return func(ctx context.Context, req *request) (bsoncore.Document, error) {
		doc, err := r.change(ctx, req, req.db, req.db, req.as(name, majority), req.ns())
		return doc, withoutDatabase(err, refuse(codeNamespaceNotFound, "ns does not exist: %s", req.ns()))
	}
}

func (r *definitions) renameCollection(ctx context.Context, req *request) (bsoncore.Document, error) {
	db, collection, err := req.targetNamespace()
	if err != nil {
		return nil, err
	}
	target := stringField(req.body, "to")
	targetDB, _, err := splitNamespace(target)
	if err != nil {
		return nil, err
	}
	if err := r.ensureDatabase(ctx, targetDB); err != nil {
		return nil, err
	}
	cmd := fields("_shardsvrRenameCollection", collection, req.arguments(), majority)
	_, err = r.change(ctx, req, db, db, cmd, db+"."+collection, target)
	return okReply, withoutDatabase(err, refuse(codeNamespaceNotFound, "Source collection %s.%s does not exist", db, collection))
}
