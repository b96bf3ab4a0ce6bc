package devmongos

import (
	"context"
	"errors"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/topology"
)

// onDatabase sends a command to the primary shard of a database, again if the shard says that another one is the primary now.
// runOn is the database on which the command runs there, which is admin for some. The answer is held by the request; ok: 0 is a *replyError.
// The error is errNoDatabase if the database does not exist.
func (r *router) onDatabase(ctx context.Context, req *request, db, runOn string, cmd bson.D) (rep reply, err error) {
	for range attempts(ctx, r.budget) {
		found, missing := r.database(ctx, db)
		if missing != nil {
			return reply{}, missing
		}
		rep, err = r.onShard(ctx, req, found.primary, runOn, fields(cmd, "databaseVersion", found.version))
		if staleError(err) == 0 {
			break
		}
		r.forgetDatabase(db)
	}
	return rep, err
}

// change runs a command on the primary shard of a database after which all that is known of some namespaces may be wrong: see onDatabase and changed.
func (r *router) change(ctx context.Context, req *request, db, runOn string, cmd bson.D, namespaces ...string) (bsoncore.Document, error) {
	rep, err := r.onDatabase(ctx, req, db, runOn, cmd)
	if err != nil {
		return nil, err
	}
	for _, ns := range namespaces {
		err = errors.Join(err, r.changed(ctx, ns))
	}
	return rep.doc, err
}

// withoutDatabase is the error of a command, or what it says where there is no database.
func withoutDatabase(err, missing error) error {
	if errors.Is(err, errNoDatabase) {
		return missing
	}
	return err
}

// onShard sends a command to a shard's primary. The answer is held by the request; ok: 0 is a *replyError.
func (r *router) onShard(ctx context.Context, req *request, shard topology.ShardID, db string, cmd bson.D) (reply, error) {
	set, err := r.shard(ctx, shard)
	if err != nil {
		return reply{}, err
	}
	encoded, err := commandOn(db, cmd)
	if err != nil {
		return reply{}, err
	}
	rep, err := set.onPrimary(ctx, encoded, true)
	if err == nil && codeOf(req.hold(rep).doc) != 0 {
		err = &replyError{rep.doc}
	}
	return rep, err
}

// administer runs a command on the config servers; the client's answer tells its time, so that a causal session sees what it did.
func (r *router) administer(ctx context.Context, req *request, db string, cmd bson.D) (bsoncore.Document, error) {
	answer, err := r.configs.tell(ctx, db, cmd)
	if err != nil {
		return nil, err
	}
	return req.hold(reply{doc: answer}).doc, nil
}

// changed makes the router and its core forget where a namespace (or with a bare database name, all of a database) lives, after a
// command that changed it. The core would go on with what it knows.
func (r *router) changed(ctx context.Context, ns string) error {
	if strings.Contains(ns, ".") {
		r.forgetCollection(ns)
	} else {
		r.forgetDatabase(ns)
	}
	return r.core.flush(ctx, ns)
}

// ensureDatabase creates the database if it does not exist.
func (r *router) ensureDatabase(ctx context.Context, db string) error {
	_, err := r.database(ctx, db)
	if errors.Is(err, errNoDatabase) {
		return r.createDatabase(ctx, db)
	}
	return err
}

// configCommand makes the handler of a command that the config servers execute under the given name; more is appended.
func (r *router) configCommand(name string, more ...bson.E) handler {
	return func(ctx context.Context, req *request) (bsoncore.Document, error) {
		return r.administer(ctx, req, req.db, req.as(name, more...))
	}
}

// shardedRoute is the route of the collection that the command's first field names in full.
func (r *router) shardedRoute(ctx context.Context, req *request) (*route, error) {
	db, collection, err := req.targetNamespace()
	if err != nil {
		return nil, err
	}
	rt, err := r.route(ctx, db, collection)
	switch {
	case errors.Is(err, errNoDatabase) || err == nil && rt.table == nil:
		return nil, refuse(codeNamespaceNotSharded, "Collection %s.%s is not sharded.", db, collection)
	case err != nil:
		return nil, err
	}
	return rt, nil
}
