package devmongos

import (
	"context"
	"errors"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/topology"
)

// majority is demanded by every command that changes the cluster's metadata, whatever the client asked for.
var majority = bson.E{Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}}}

// isGeneric names the arguments that any command may carry. They speak of the client's own message: a command that the router makes of
// it says what it needs itself.
func isGeneric(name string) bool {
	switch name {
	case "$db", "lsid", "$readPreference", "readConcern", "writeConcern", "$audit", "$client", "$queryOptions":
		return true
	}
	return isRouterField(name) || isTransactionField(name)
}

// arguments are a client's arguments to a command: all but its name and what isGeneric.
func (req *request) arguments() bson.D {
	var args bson.D
	for e := range elements(req.body) {
		if name := string(e.name); name != req.name && !isGeneric(name) {
			args = append(args, bson.E{Key: name, Value: rawValue(e.value)})
		}
	}
	return args
}

func rawValue(v bsoncore.Value) bson.RawValue {
	return bson.RawValue{Type: bson.Type(v.Type), Value: v.Data}
}

// target is the value of the command's first field.
func (req *request) target() bson.RawValue { return rawValue(field(req.body, req.name)) }

// targetNamespace splits the full name that the command's first field holds, as in {moveChunk: "shop.carts"}.
func (req *request) targetNamespace() (db, collection string, err error) {
	return splitNamespace(stringField(req.body, req.name))
}

// onDatabase sends a command to the primary shard of a database, again if the shard says that another one is the primary now.
// runOn is the database on which the command runs there, which is admin for some. The answer is held by the request; ok: 0 is a *replyError.
// The error is errNoDatabase if the database does not exist.
func (r *router) onDatabase(ctx context.Context, req *request, db, runOn string, cmd bson.D) (reply, error) {
	budget, cancel := context.WithTimeout(ctx, r.cfg.FailoverBudget)
	defer cancel()
	var pace pacer
	for {
		found, err := r.catalog.database(ctx, db)
		if err != nil {
			return reply{}, err
		}
		rep, err := r.onShard(ctx, req, found.primary, runOn, slices.Concat(cmd, bson.D{{Key: "databaseVersion", Value: bson.Raw(found.version)}}))
		var answered *replyError
		if !errors.As(err, &answered) || !isStale(codeOf(answered.doc)) {
			return rep, err
		}
		r.catalog.forgetDatabase(db)
		if !pace.wait(budget) {
			return reply{}, err
		}
	}
}

// onShard sends a command to a shard's primary. The answer is held by the request; ok: 0 is a *replyError.
func (r *router) onShard(ctx context.Context, req *request, shard topology.ShardID, db string, cmd bson.D) (reply, error) {
	set, err := r.catalog.shard(ctx, shard)
	if err != nil {
		return reply{}, err
	}
	body, err := bson.Marshal(slices.Concat(cmd, bson.D{{Key: "$db", Value: db}}))
	if err != nil {
		return reply{}, err
	}
	rep, err := set.onPrimary(ctx, command{body: body}, true)
	if err != nil {
		return reply{}, err
	}
	if req.hold(rep); codeOf(rep.doc) != 0 {
		return reply{}, &replyError{rep.doc}
	}
	return rep, nil
}

// administer runs a command on the config servers; the client's answer tells its time, so that a causal session sees what it did.
func (r *router) administer(ctx context.Context, req *request, db string, cmd bson.D) (bsoncore.Document, error) {
	answer, err := r.onConfig(ctx, db, cmd)
	if err != nil {
		return nil, err
	}
	return req.hold(reply{doc: answer}).doc, nil
}

// changed makes the router and its core forget where a namespace (or with a bare database name, all of a database) lives, after a
// command that changed it. The core would go on with what it knows.
func (r *router) changed(ctx context.Context, ns string) error {
	if strings.Contains(ns, ".") {
		r.catalog.forgetCollection(ns)
	} else {
		r.catalog.forgetDatabase(ns)
	}
	return r.core.flush(ctx, ns)
}

// adminOnly refuses a command on any other database, in the server's words.
func adminOnly(h handler) handler {
	return func(r *router, ctx context.Context, req *request) (bsoncore.Document, error) {
		if req.db != "admin" {
			return nil, refuse(codeUnauthorized, "%s may only be run against the admin database.", req.name)
		}
		return h(r, ctx, req)
	}
}

// encode makes the answer of a handler.
func encode(answer bson.D) (bsoncore.Document, error) {
	doc, err := bson.Marshal(append(answer, bson.E{Key: "ok", Value: 1.0}))
	return doc, err
}
