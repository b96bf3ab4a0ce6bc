package devmongos

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/topology"
)

// commands are the rows of the part.
func (r *reads) commands() map[string]handler {
	return map[string]handler{
		"find":      checked(checkFind, onCollection(r.find, r.readConfig)),
		"aggregate": checked(refuseUnsafe, r.aggregate),
		"count":     onCollection(r.count, r.readConfig),
		"distinct":  onCollection(checked(checkDistinct, r.distinct), r.readConfig),
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
		if err == nil {
			if codeOf(rep.doc) != codeViewOnShard {
				r.cursors.adopt(rep.doc, remoteCursor{host: rep.host})
				return rep.doc, nil
			}
		} else if !errors.Is(err, errManyShards) && !errors.Is(err, errNoDatabase) {
			return nil, err
		} else if errors.Is(err, errManyShards) && truth(field(req.body, "tailable")) {
			return nil, refuse(codeBadValue, "tailable cursor requested on non capped collection")
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
	for e := range elements(body) {
		name := string(e.name)
		if !isForRouter(name) && name != "readConcern" {
			dst = append(dst, e.raw...)
		}
	}
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
	given := documentField(body, "readConcern")
	return build(func(dst []byte) []byte {
		first := true
		for e := range elements(body) {
			field := string(e.name)
			switch {
			case first:
				dst = appendRenamed(dst, name, e)
			case !isForRouter(field) && field != "readConcern" && field != "lsid":
				dst = append(dst, e.raw...)
			}
			first = false
		}
		dst = bsoncore.AppendDocumentElement(dst, "lsid", lsid)
		return appendReadConcern(dst, given, concern)
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
	level := build(func(dst []byte) []byte { return bsoncore.AppendStringElement(dst, "level", "majority") })
	body := build(func(dst []byte) []byte { return appendRead(dst, req.body, level) })
	return r.askConfig(ctx, req, body)
}

// askConfig sends a command that may be repeated to the config servers' primary.
func (r *reads) askConfig(ctx context.Context, req *request, body bsoncore.Document) (bsoncore.Document, error) {
	rep, err := r.configs.onPrimary(ctx, command{body: body}, true)
	if err != nil {
		return nil, err
	}
	r.cursors.adopt(req.hold(rep).doc, remoteCursor{host: rep.host})
	return rep.doc, nil
}

// aggregateDocuments has the core run stages over documents. body is the client's command with its options; nil for none.
func (r *reads) aggregateDocuments(ctx context.Context, req *request, docs []bsoncore.Document, stages []bsoncore.Value, body bsoncore.Document) (reply, error) {
	literals := make([]bsoncore.Value, len(docs))
	for i, doc := range docs {
		literals[i] = documentValue(doc)
	}
	source := stageList{}
	source.add("$documents", documentValue(build(func(dst []byte) []byte { return bsoncore.BuildArrayElement(dst, "$literal", literals...) })))
	lsid := r.core.sessions.take()
	rep, err := r.core.ask(ctx, build(func(dst []byte) []byte {
		dst = bsoncore.AppendInt32Element(dst, "clusterAggregate", 1)
		dst = bsoncore.BuildArrayElement(dst, "pipeline", append(source.stages, stages...)...)
		if cursor := documentField(body, "cursor"); cursor != nil {
			dst = bsoncore.AppendDocumentElement(dst, "cursor", cursor)
		} else {
			dst = bsoncore.AppendDocumentElement(dst, "cursor", build(func(dst []byte) []byte { return dst }))
		}
		for _, name := range []string{"collation", "let", "allowDiskUse", "maxTimeMS"} {
			if v := field(body, name); v.Type != 0 {
				dst = bsoncore.AppendValueElement(dst, name, v)
			}
		}
		dst = bsoncore.AppendDocumentElement(dst, "lsid", lsid)
		return bsoncore.AppendStringElement(dst, "$db", req.db)
	}))
	if err != nil {
		return reply{}, err
	}
	req.hold(rep)
	if !r.cursors.adopt(rep.doc, remoteCursor{lsid: lsid, txn: req.txn}) {
		r.core.sessions.give(lsid)
	}
	return rep, nil
}
