package devmongos

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

// appendVersions appends the fields by which a shard checks that the router knows where the namespace lives.
func appendVersions(dst []byte, rt *route, shard topology.ShardID) []byte {
	if rt.table == nil {
		dst = bsoncore.AppendDocumentElement(dst, "databaseVersion", rt.db.version)
		return appendShardVersion(dst, shardkey.Unsharded)
	}
	return appendShardVersion(dst, rt.table.Version(shard))
}

func appendShardVersion(dst []byte, v shardkey.Version) []byte {
	dst = bsoncore.AppendHeader(dst, bsoncore.TypeEmbeddedDocument, "shardVersion")
	return v.Append(dst)
}

// isRouterField names the fields of a client's command that are not for the members: those that the router fills in itself, and
// the API version, whose strict mode knows no shard versions.
func isRouterField(name string) bool {
	switch name {
	case "$clusterTime", "$configTime", "$topologyTime", "shardVersion", "databaseVersion",
		"apiVersion", "apiStrict", "apiDeprecationErrors":
		return true
	}
	return false
}

// A single is a command that one shard's primary executes as a whole.
type single struct {
	db, collection string
	// choose picks the shard by the current route; an error ends the command.
	choose func(rt *route) (topology.ShardID, error)
	// body makes the command for the members, still without versions.
	body func(dst []byte) []byte
	// repeatable commands may be sent again when the answer was lost.
	repeatable bool
	// create makes the database if it does not exist.
	create bool
}

// runSingle sends the command to the shard that owns its target, again after every refresh that a shard asks for: the shard is
// chosen anew each time, because the new version alone would be accepted by the old owner, which no longer has the documents.
func (r *router) runSingle(ctx context.Context, req *request, s single) (reply, error) {
	budget, cancel := context.WithTimeout(ctx, r.settling(req))
	defer cancel()
	var pace pacer
	for {
		rt, err := r.routeFor(ctx, s.db, s.collection, s.create)
		if err != nil {
			return reply{}, err
		}
		shard, err := s.choose(rt)
		if err != nil {
			return reply{}, err
		}
		body := build(func(dst []byte) []byte { return appendVersions(s.body(dst), rt, shard) })
		rep, err := r.execute(ctx, req, rt, shard, command{body: body}, s.repeatable)
		if err != nil {
			return reply{}, err
		}
		code := codeOf(rep.doc)
		if !isStale(code) {
			return req.hold(rep), nil
		}
		r.catalog.forget(rt, code)
		if req.txn != nil && req.txn.lost() {
			return req.hold(rep), nil
		}
		if !pace.wait(budget) {
			if req.txn != nil && ctx.Err() == nil {
				rep.buf.release()
				return reply{}, refuse(code, "routing of %s did not settle within %v", rt.ns, txnSettling)
			}
			return req.hold(rep), ctx.Err()
		}
		rep.buf.release()
	}
}

// txnSettling is how long a statement of a transaction is repeated because its routing is out of date: long enough for refreshes, and for two
// attempts that a shard holds up for half a second each because a chunk is just moving. The move may be waiting for locks that
// this very transaction has on other shards: then only its end helps, and the client begins anew.
const txnSettling = time.Second

// settling is how long the routing of a statement may take to settle.
func (r *router) settling(req *request) time.Duration {
	if req.txn != nil {
		return min(txnSettling, r.cfg.FailoverBudget)
	}
	return r.cfg.FailoverBudget
}

// execute sends a command to a shard's primary, as a part of the request's transaction if it has one.
func (r *router) execute(ctx context.Context, req *request, rt *route, shard topology.ShardID, cmd command, repeatable bool) (reply, error) {
	if req.txn != nil {
		return r.executeInTransaction(ctx, req.txn, rt, shard, cmd)
	}
	set, err := r.catalog.shard(ctx, shard)
	if err != nil {
		return reply{}, err
	}
	rep, err := set.onPrimary(ctx, cmd, repeatable)
	rt.noteAnswer(shard, rep, err)
	return rep, err
}

// noteAnswer remembers that the shard knows the namespace as the route says.
func (rt *route) noteAnswer(shard topology.ShardID, rep reply, err error) {
	if err == nil && staleOf(rep.doc) == 0 {
		rt.accepted.LoadOrStore(shard, true)
	}
}

// routeFor is the catalogue's route, of a database made if need be.
func (r *router) routeFor(ctx context.Context, db, collection string, create bool) (*route, error) {
	rt, err := r.catalog.route(ctx, db, collection)
	if !create || !errors.Is(err, errNoDatabase) {
		return rt, err
	}
	if err := r.catalog.createDatabase(ctx, db); err != nil {
		return nil, err
	}
	return r.catalog.route(ctx, db, collection)
}
