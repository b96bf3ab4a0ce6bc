package devmongos

import (
	"context"
	"errors"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// definitionCommands create, change and remove collections and databases. The database's primary shard coordinates each of them and
// tells the others.
var definitionCommands = map[string]handler{
	"create":           (*router).create,
	"drop":             (*router).drop,
	"dropDatabase":     (*router).dropDatabase,
	"collMod":          (*router).collMod,
	"dropIndexes":      (*router).dropIndexes,
	"deleteIndexes":    (*router).dropIndexes,
	"renameCollection": adminOnly((*router).renameCollection),
}

// splitNamespace splits "db.collection". The error is a commandError.
func splitNamespace(ns string) (db, collection string, err error) {
	db, collection, ok := strings.Cut(ns, ".")
	if !ok || db == "" || collection == "" {
		return "", "", refuse(codeInvalidNamespace, "invalid namespace specified '%s'", ns)
	}
	return db, collection, nil
}

// create also creates the database.
func (r *router) create(ctx context.Context, req *request) (bsoncore.Document, error) {
	db, collection, err := req.namespace()
	if err != nil {
		return nil, err
	}
	cmd := slices.Concat(bson.D{{Key: "create", Value: collection}}, req.arguments(), bson.D{majority})
	if isConfigDatabase(db) {
		return r.administer(ctx, req, db, cmd)
	}
	if err := r.ensureDatabase(ctx, db); err != nil {
		return nil, err
	}
	if _, err := r.onDatabase(ctx, req, db, db, cmd); err != nil {
		return nil, err
	}
	return okReply, r.changed(ctx, db+"."+collection)
}

// ensureDatabase creates the database if it does not exist.
func (r *router) ensureDatabase(ctx context.Context, db string) error {
	_, err := r.catalog.database(ctx, db)
	if errors.Is(err, errNoDatabase) {
		return r.catalog.createDatabase(ctx, db)
	}
	return err
}

// drop of what does not exist is a success, as in the server since 6.0.
func (r *router) drop(ctx context.Context, req *request) (bsoncore.Document, error) {
	db, collection, err := req.namespace()
	if err != nil {
		return nil, err
	}
	if isConfigDatabase(db) {
		return r.administer(ctx, req, db, bson.D{{Key: "drop", Value: collection}, majority})
	}
	cmd := slices.Concat(bson.D{{Key: "_shardsvrDropCollection", Value: collection}}, req.arguments(), bson.D{majority})
	_, err = r.onDatabase(ctx, req, db, db, cmd)
	if errors.Is(err, errNoDatabase) {
		return encode(bson.D{{Key: "info", Value: "database " + db + " not found"}})
	}
	if err != nil {
		return nil, err
	}
	if err := r.changed(ctx, db+"."+collection); err != nil {
		return nil, err
	}
	return encode(bson.D{{Key: "ns", Value: db + "." + collection}})
}

func (r *router) dropDatabase(ctx context.Context, req *request) (bsoncore.Document, error) {
	if isConfigDatabase(req.db) {
		return nil, refuse(codeIllegalOperation, "Cannot drop '%s' database", req.db)
	}
	_, err := r.onDatabase(ctx, req, req.db, req.db, bson.D{{Key: "_shardsvrDropDatabase", Value: 1}, majority})
	if errors.Is(err, errNoDatabase) {
		return encode(bson.D{{Key: "info", Value: "database does not exist"}})
	}
	if err != nil {
		return nil, err
	}
	if err := r.changed(ctx, req.db); err != nil {
		return nil, err
	}
	return encode(bson.D{{Key: "dropped", Value: req.db}})
}

func (r *router) collMod(ctx context.Context, req *request) (bsoncore.Document, error) {
	return r.define(ctx, req, "_shardsvrCollMod")
}

func (r *router) dropIndexes(ctx context.Context, req *request) (bsoncore.Document, error) {
	return r.define(ctx, req, "_shardsvrDropIndexes")
}

// define runs a command that changes an existing collection under the name that its coordinator knows.
func (r *router) define(ctx context.Context, req *request, name string) (bsoncore.Document, error) {
	db, collection, err := req.namespace()
	if err != nil {
		return nil, err
	}
	if isConfigDatabase(db) {
		return r.administer(ctx, req, db, slices.Concat(bson.D{{Key: req.name, Value: collection}}, req.arguments(), bson.D{majority}))
	}
	rep, err := r.onDatabase(ctx, req, db, db, slices.Concat(bson.D{{Key: name, Value: collection}}, req.arguments(), bson.D{majority}))
	if errors.Is(err, errNoDatabase) {
		return nil, refuse(codeNamespaceNotFound, "ns does not exist: %s.%s", db, collection)
	}
	if err != nil {
		return nil, err
	}
	return rep.doc, r.changed(ctx, db+"."+collection)
}

func (r *router) renameCollection(ctx context.Context, req *request) (bsoncore.Document, error) {
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
	cmd := slices.Concat(bson.D{{Key: "_shardsvrRenameCollection", Value: collection}}, req.arguments(), bson.D{majority})
	_, err = r.onDatabase(ctx, req, db, db, cmd)
	if errors.Is(err, errNoDatabase) {
		return nil, refuse(codeNamespaceNotFound, "Source collection %s.%s does not exist", db, collection)
	}
	if err != nil {
		return nil, err
	}
	return okReply, errors.Join(r.changed(ctx, db+"."+collection), r.changed(ctx, target))
}
