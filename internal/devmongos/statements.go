package devmongos

import (
	"context"
	"errors"
	"maps"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// statements answer what reads or defines collections inside transactions.
type statements struct{ *reads }

// commands are all that may run inside a transaction, as with a mongos: count and most definition commands may not.
func (r *statements) commands(w *writes) map[string]handler {
	rows := map[string]handler{
		"find":              onCollection(r.find, nil),
		"aggregate":         r.aggregate,
		"distinct":          onCollection(r.distinct, nil),
		"getMore":           r.getMore,
		"killCursors":       checked(checkKillCursors, r.cursors.killCursors),
		"create":            onCollection(r.create, nil),
		"createIndexes":     onCollection(r.createIndexes, nil),
		"commitTransaction": nil, // see transact
		"abortTransaction":  nil,
	}
	maps.Copy(rows, w.commands())
	return rows
}

// find reads from one shard as it is, from several through a merge.
func (r *statements) find(ctx context.Context, req *request) (bsoncore.Document, error) {
	filter := documentField(req.body, "filter")
	if doc, err := r.fromOneShard(ctx, req, filter); !errors.Is(err, errManyShards) {
		return doc, err
	}
	merged, err := r.scatter(ctx, req, filter, func(dst []byte) []byte { return appendShardFind(dst, req.body) })
	if err != nil {
		return nil, err
	}
	merged.directions = directionsOf(documentField(req.body, "sort"))
	merged.skip = intField(req.body, "skip")
	one := boolField(req.body, "singleBatch")
	if limit := intField(req.body, "limit"); limit != 0 {
		merged.limit, one = max(limit, -limit), one || limit < 0
	}
	return r.openMerged(ctx, req, merged, field(req.body, "batchSize"), one)
}

// fromOneShard answers a read of what lies on one shard as that shard does; errManyShards: it lies on several.
func (r *statements) fromOneShard(ctx context.Context, req *request, filter bsoncore.Document) (bsoncore.Document, error) {
	rep, err := r.readSingle(ctx, req, filter)
	switch {
	case errors.Is(err, errNoDatabase):
		return emptyCursor(req.ns()), nil
	case err != nil:
		return nil, err
	case codeOf(rep.doc) == codeViewOnShard:
		return nil, refuseView(req)
	}
	r.cursors.adopt(rep.doc, remoteCursor{host: rep.host, txn: req.txn})
	return rep.doc, nil
}

// appendShardFind makes a shard's part of a find: everything that may be among the first skip+limit, with what it is sorted by.
func appendShardFind(dst []byte, body bsoncore.Document) []byte {
	sorted := len(documentField(body, "sort")) > 5
	skip := intField(body, "skip")
	for e := range elements(body) {
		switch name := string(e.name); {
		case name == "skip" || name == "singleBatch" || name == "projection" && sorted || routerFields[name]:
		case name == "limit":
			if limit := number(e.value); limit != 0 {
				dst = bsoncore.AppendInt64Element(dst, "limit", skip+max(limit, -limit))
			}
		default:
			dst = append(dst, e.raw...)
		}
	}
	if !sorted {
		return dst
	}
	return appendFields(dst, "projection", fields(fieldsOf(documentField(body, "projection"), nil), sortKeyField, fields("$meta", "sortKey")))
}

// openMerged answers the first batch, of that size or the server's own, and keeps the cursor if there is more.
func (r *statements) openMerged(ctx context.Context, req *request, merged *mergedCursor, size bsoncore.Value, one bool) (bsoncore.Document, error) {
	want, given := size.AsInt64OK()
	if !given {
		want = defaultFirstBatch
	}
	docs, more, err := merged.batch(ctx, req, want)
	if err != nil {
		return nil, err
	}
	id := int64(0)
	ns := merged.db + "." + merged.coll
	if more && !one {
		id = r.cursors.add(remoteCursor{id: 1, ns: ns, merged: merged, txn: req.txn})
	} else {
		merged.kill(ctx)
	}
	return cursorAnswer(id, ns, "firstBatch", docs), nil
}

func refuseView(req *request) error {
	return refuse(codeNotInTransaction, "%s is a view, which the development query router does not read in transactions", req.ns())
}

// getMore goes on with a cursor that this transaction has opened.
func (r *statements) getMore(ctx context.Context, req *request) (bsoncore.Document, error) {
	id := intField(req.body, "getMore")
	cursor, open := r.cursors.get(id)
	if !open || cursor.txn != req.txn || cursor.ns != req.db+"."+stringField(req.body, "collection") {
		return nil, refuse(codeCursorNotFound, "cursor id %d not found", id)
	}
	if cursor.merged == nil {
		return r.cursors.getMore(ctx, req)
	}
	want := int64(-1)
	if size := intField(req.body, "batchSize"); size > 0 {
		want = size
	}
	docs, more, err := cursor.merged.batch(ctx, req, want)
	if err != nil || !more {
		r.cursors.remove(id)
		id = 0
	}
	if err != nil {
		return nil, err
	}
	if !more {
		cursor.merged.kill(ctx)
	}
	return cursorAnswer(id, cursor.ns, "nextBatch", docs), nil
}

// distinct is refused on sharded collections, as by a mongos.
func (r *statements) distinct(ctx context.Context, req *request) (bsoncore.Document, error) {
	rep, err := r.runSingle(ctx, req, single{
		choose: onlyUnsharded(refuse(codeNotInTransaction, "Cannot run 'distinct' on a sharded collection in a multi-document transaction. "+
			"Please see http://dochub.mongodb.org/core/transaction-distinct for a recommended alternative.")),
		body: func(dst []byte) []byte { return appendRead(dst, req.body, nil) },
	})
	switch {
	case errors.Is(err, errNoDatabase):
		return distinctReply(nil)
	case err == nil && codeOf(rep.doc) == codeViewOnShard:
		return nil, refuseView(req)
	}
	return rep.doc, err
}

// create makes an unsharded collection on the database's primary shard.
func (r *statements) create(ctx context.Context, req *request) (bsoncore.Document, error) {
	return r.define(ctx, req, refuse(codeNamespaceExists, "Collection already exists. NS: %s.%s", req.db, stringField(req.body, req.name)))
}

// createIndexes makes indexes on an unsharded collection, which has to be empty, as the server demands.
func (r *statements) createIndexes(ctx context.Context, req *request) (bsoncore.Document, error) {
	return r.define(ctx, req, refuse(codeNotInTransaction, "Cannot create indexes on a sharded collection in a transaction"))
}

// define runs a command on the primary shard; sharded is its error for a collection that lives elsewhere, too.
func (r *statements) define(ctx context.Context, req *request, sharded error) (bsoncore.Document, error) {
	rep, err := r.runSingle(ctx, req, single{
		create: true,
		choose: onlyUnsharded(sharded),
		body:   func(dst []byte) []byte { return appendWithout(dst, req.body, routerFields) },
	})
	return rep.doc, err
}
