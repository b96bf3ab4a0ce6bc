package devmongos

import (
	"context"
	"errors"
	"strings"
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

// A router sends commands to the shards that have what they are about, and finds out when these have changed.
type router struct {
	*catalogue
	defaults *concernDefaults
}

// A single is a command that one shard's primary executes as a whole.
type single struct {
	// choose picks the shard by the current route; an error ends the command.
	choose func(rt *route) (topology.ShardID, error)
	// body makes the command for the members, still without versions.
	body func(dst []byte) []byte
	// repeatable commands may be sent again when the answer was lost.
	repeatable bool
	// create makes the database if it does not exist.
	create bool
}

// onlyUnsharded chooses the primary shard of a database for a collection that is not sharded; otherwise is the error for those that are.
func onlyUnsharded(otherwise error) func(rt *route) (topology.ShardID, error) {
	return func(rt *route) (topology.ShardID, error) {
		if rt.table != nil {
			return "", otherwise
		}
		return rt.db.primary, nil
	}
}

// runSingle sends the command to the shard that owns its target, again after every refresh that a shard asks for: the shard is
// chosen anew each time, because the new version alone would be accepted by the old owner, which no longer has the documents.
func (r *router) runSingle(ctx context.Context, req *request, s single) (reply, error) {
	budget, cancel := context.WithTimeout(ctx, r.settling(req))
	defer cancel()
	var pace pacer
	for {
		rt, err := r.routeFor(ctx, req.db, req.collection, s.create)
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
		r.forget(rt, code)
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
		return min(txnSettling, r.budget)
	}
	return r.budget
}

// execute sends a command to a shard's primary, as a part of the request's transaction if it has one.
func (r *router) execute(ctx context.Context, req *request, rt *route, shard topology.ShardID, cmd command, repeatable bool) (reply, error) {
	if req.txn != nil {
		return r.executeInTransaction(ctx, req.txn, rt, shard, cmd)
	}
	set, err := r.shard(ctx, shard)
	if err != nil {
		return reply{}, err
	}
	rep, err := set.onPrimary(ctx, cmd, repeatable)
	rt.noteAnswer(shard, rep, err)
	return rep, err
}

// routeFor is the catalogue's route, of a database made if need be.
func (r *router) routeFor(ctx context.Context, db, collection string, create bool) (*route, error) {
	rt, err := r.route(ctx, db, collection)
	if !create || !errors.Is(err, errNoDatabase) {
		return rt, err
	}
	if err := r.createDatabase(ctx, db); err != nil {
		return nil, err
	}
	return r.route(ctx, db, collection)
}

// executeInTransaction sends a part of a statement. A shard that has a part of the transaction already would lose it with the first
// statement that it turns away, and the first word about a namespace that it does not know at the moment always is: so such a word is
// said to it outside of the transaction.
func (r *router) executeInTransaction(ctx context.Context, x *transaction, rt *route, shard topology.ShardID, cmd command) (reply, error) {
	if err := x.admit(rt); err != nil {
		return reply{}, err
	}
	if _, accepted := rt.accepted.Load(shard); !accepted && x.has(shard) {
		rep, err := r.onPrimaryOf(ctx, shard, introduction(rt, shard))
		if err != nil || staleOf(rep.doc) != 0 {
			return rep, err
		}
		rep.buf.release()
	}
	rep, err := x.send(ctx, shard, cmd)
	rt.noteAnswer(shard, rep, err)
	return rep, err
}

// introduction is a read of next to nothing. Its time is limited: what it reads may be locked by the transaction itself.
func introduction(rt *route, shard topology.ShardID) bsoncore.Document {
	const limit = 500 // milliseconds
	_, collection, _ := strings.Cut(rt.ns, ".")
	return build(func(dst []byte) []byte {
		dst = bsoncore.AppendStringElement(dst, "find", collection)
		dst = bsoncore.AppendInt32Element(dst, "limit", 1)
		dst = bsoncore.AppendBooleanElement(dst, "singleBatch", true)
		dst = bsoncore.AppendInt32Element(dst, "maxTimeMS", limit)
		dst = appendReadConcern(dst, nil, nil)
		dst = appendVersions(dst, rt, shard)
		return bsoncore.AppendStringElement(dst, "$db", rt.db.name)
	})
}

// errManyShards ends a direct read whose documents live on several shards.
var errManyShards = errors.New("several shards")
