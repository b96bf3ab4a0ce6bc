package devmongos

import (
	"context"
	"errors"
	"slices"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/topology"
)

// commands are the rows of the part.
func (r *reads) commands() map[string]handler {
	return map[string]handler{
		"find":      checked(checkFind, onCollection(r.find, r.readConfig)),
		"aggregate": checked(refuseUnsafe, r.aggregate),
		"count":     onCollection(r.count, r.readConfig),
		"distinct":  onCollection(checked(needs("key", bsoncore.TypeString), r.distinct), r.readConfig),
	}
}

// reads answer what looks at documents, outside of transactions.
type reads struct {
	*router
	cursors *cursors
}

// find asks one shard directly if only one can have matching documents and its primary is wanted: twice as fast as the way
// through the core, which all other finds go.
func (r *reads) find(ctx context.Context, req *request) (bsoncore.Document, error) {
	if req.primary && !wantsSnapshot(req.readConcern) {
		rep, err := r.readSingle(ctx, req, documentField(req.body, "filter"))
		switch many := errors.Is(err, errManyShards); {
		case err == nil && codeOf(rep.doc) != codeViewOnShard:
			return r.cursors.opened(rep, nil)
		case many && boolField(req.body, "tailable"):
			return nil, refuse(codeBadValue, "tailable cursor requested on non capped collection")
		case err != nil && !many && !errors.Is(err, errNoDatabase):
			return nil, err
		}
	}
	return r.throughCore(ctx, req, "clusterFind")
}

// readSingle runs a read as it is on the one shard that it concerns; errManyShards if there are several.
func (r *reads) readSingle(ctx context.Context, req *request, filter bsoncore.Document) (reply, error) {
	return r.readFrom(ctx, req, func(rt *route) (topology.ShardID, error) {
		shards := targetsOf(rt, filter, req.collation)
		if len(shards) != 1 {
			return "", errManyShards
		}
		return shards[0], nil
	})
}

// readFrom runs a read as it is on the shard that is chosen.
func (r *reads) readFrom(ctx context.Context, req *request, choose func(rt *route) (topology.ShardID, error)) (reply, error) {
	concern, _, err := r.defaults.get(ctx)
	if err != nil {
		return reply{}, err
	}
	return r.runSingle(ctx, req, single{repeatable: true, choose: choose, body: func(dst []byte) []byte { return appendRead(dst, req.body, concern) }})
}

// appendRead appends a client's read for a member: its session stays, a transaction number does not.
func appendRead(dst []byte, body, concern bsoncore.Document) []byte {
	dst = appendWithout(dst, body, forRouter, "readConcern")
	return appendReadConcern(dst, documentField(body, "readConcern"), concern)
}

// aggregate leaves pipelines to MongoDB's own router code in the core.
func (r *reads) aggregate(ctx context.Context, req *request) (bsoncore.Document, error) {
	if _, named := field(req.body, req.name).StringValueOK(); !named {
		req.collection = "$cmd.aggregate"
	} else if isConfigDatabase(req.db) && req.ns() != "config.system.sessions" {
		return r.readConfig(ctx, req)
	}
	return r.throughCore(ctx, req, "clusterAggregate")
}

// throughCore runs a read as a cluster* command on the core.
func (r *reads) throughCore(ctx context.Context, req *request, name string) (bsoncore.Document, error) {
	body, err := r.snapshotRead(ctx, req, req.body)
	if err != nil {
		return nil, err
	}
	rep, lsid, err := r.onCore(ctx, req, name, body)
	if err != nil {
		return nil, err
	}
	if !r.cursors.adopt(rep.doc, remoteCursor{lsid: lsid, owner: sessionOf(req.lsid)}) {
		r.core.sessions.give(lsid)
	}
	return rep.doc, nil
}

// onCore runs a read in a session of the router's own, which is to be given back when no cursor is open in it. After an error it is not:
// something may still run in it.
func (r *reads) onCore(ctx context.Context, req *request, name string, body bsoncore.Document) (rep reply, lsid bsoncore.Document, err error) {
	concern, _, err := r.defaults.get(ctx)
	if err != nil {
		return reply{}, nil, err
	}
	lsid = r.core.sessions.take()
	rep, err = r.askCoreFresh(ctx, req, coreRead(body, name, concern, lsid))
	return rep, lsid, err
}

// coreRead makes the cluster* form of a client's read, in a session of the router's.
func coreRead(body bsoncore.Document, name string, concern, lsid bsoncore.Document) bsoncore.Document {
	own := nameOf(body)
	return build(func(dst []byte) []byte {
		dst = bsoncore.AppendValueElement(dst, name, field(body, own))
		dst = appendWithout(dst, body, forRouter, own, "readConcern", "lsid")
		dst = bsoncore.AppendDocumentElement(dst, "lsid", lsid)
		return appendReadConcern(dst, documentField(body, "readConcern"), concern)
	})
}

// askCoreFresh asks the core and, when its routing table is stale, makes it read that again: it never does so by itself for an
// aggregate.
func (r *reads) askCoreFresh(ctx context.Context, req *request, body bsoncore.Document) (reply, error) {
	budget, cancel := context.WithTimeout(ctx, r.budget)
	defer cancel()
	var pace pacer
	for {
		rep, err := r.core.ask(ctx, body)
		if err != nil {
			return reply{}, err
		}
		if !isStale(codeOf(rep.doc)) {
			return req.holdCore(rep), nil
		}
		if !pace.wait(budget) {
			return req.holdCore(rep), ctx.Err()
		}
		// The answer names the collection, which in a $lookup need not be the one aggregated.
		if named := stringField(rep.doc, "ns"); named != "" {
			err = r.core.flush(ctx, named)
		}
		if err == nil {
			err = r.core.flush(ctx, req.ns())
		}
		rep.buf.release()
		if err != nil {
			return reply{}, err
		}
	}
}

// readConfig runs a read on the config servers' primary, as it is.
func (r *reads) readConfig(ctx context.Context, req *request) (bsoncore.Document, error) {
	return r.askConfig(ctx, req, build(func(dst []byte) []byte { return appendRead(dst, req.body, document("level", "majority")) }))
}

// askConfig sends a command that may be repeated to the config servers' primary.
func (r *reads) askConfig(ctx context.Context, req *request, body bsoncore.Document) (bsoncore.Document, error) {
	rep, err := r.configs.onPrimary(ctx, command{body: body}, true)
	return r.cursors.opened(req.hold(rep), err)
}

// aggregateDocuments has the core run stages over documents. body is the client's command with its options; nil for none.
func (r *reads) aggregateDocuments(ctx context.Context, req *request, docs, stages []bsoncore.Value, body bsoncore.Document) (reply, error) {
	pipeline := slices.Concat([]bsoncore.Value{stageOf("$documents", fields("$literal", docs))}, stages)
	cursor := documentField(body, "cursor")
	if cursor == nil {
		cursor = document()
	}
	lsid := r.core.sessions.take()
	rep, err := r.core.ask(ctx, document("clusterAggregate", 1, "pipeline", pipeline, "cursor", cursor,
		given(body, "collation", "let", "allowDiskUse", "maxTimeMS"), "lsid", lsid, "$db", req.db))
	if err != nil {
		return reply{}, err
	}
	req.hold(rep)
	if !r.cursors.adopt(rep.doc, remoteCursor{lsid: lsid, txn: req.txn}) {
		r.core.sessions.give(lsid)
	}
	return rep, nil
}
