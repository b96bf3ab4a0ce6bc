package devmongos

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

// moveOne sends a statement that may take its document to another shard, and takes the document there if the shard says so.
func (w *writer) moveOne(ctx context.Context, rt *route, item int) (stale int32, err error) {
	to, err := destinationOf(w.result.kind, w.statements[item], rt)
	if err != nil {
		return 0, err
	}
	b := subBatch{shard: to.shard, items: []int{item}}
	w.sendOne(ctx, rt, &b)
	if b.err != nil || codeOf(b.reply.doc) != codeWouldChangeOwner {
		return w.absorb(&b)
	}
	if w.req.txn == nil {
		return 0, w.moveInTransactionOfItsOwn(ctx, &b)
	}
	moved, err := w.relocate(ctx, w.req, b.reply.doc)
	if err != nil {
		return 0, err
	}
	w.result.move(item, moved)
	w.settle(b.items)
	return 0, nil
}

// moveInTransactionOfItsOwn runs the statement of a retryable write again, as a transaction.
func (w *writer) moveInTransactionOfItsOwn(ctx context.Context, b *subBatch) error {
	item := b.items[0]
	if len(w.statements) > 1 {
		// The shards remember either the statements of a number or its transaction, not both.
		w.result.refuse(item, refuse(codeInvalidOptions,
			"Document shard key value updates that cause the doc to move shards must be sent with write batch of size 1"))
		w.settle(b.items)
		if w.ordered {
			w.pending = nil
		}
		return nil
	}
	body := withField(w.req.body, "updates", bson.A{bson.Raw(w.statements[item])})
	doc, err := w.asTransaction(ctx, w.req, body, w.write)
	b.reply.doc, b.err = doc, err
	_, err = w.absorb(b)
	return err
}

// asTransaction runs a retryable write as a transaction of the same session and number. What the statement finds, removes and writes is
// then one step, and a client that sends it again is told by the shards that the number is used up (217), so it is never applied twice.
func (r *writes) asTransaction(ctx context.Context, req *request, body bsoncore.Document, run handler) (bsoncore.Document, error) {
	concern, err := r.defaults.ofCommit(ctx, req.writeConcern)
	if err != nil {
		return nil, err
	}
	var doc bsoncore.Document
	for range attempts(ctx, r.budget) {
		x := newTransaction(r.catalogue, req.lsid, req.number)
		doc, err = run(ctx, req.part(body, x))
		if err != nil {
			doc = errorReply(err, false)
		}
		if codeOf(doc) == 0 && field(doc, "writeErrors").Type == 0 {
			rep, err := x.commit(ctx, concern)
			if err != nil {
				return nil, err // perhaps committed: the client asks again
			}
			if rep.doc == nil || codeOf(rep.doc) == 0 {
				return withConcernError(doc, req.holdCore(rep).doc), nil
			}
			if doc = req.hold(rep).doc; codeOf(doc) != codeNoSuchTransaction {
				return unlabelled(doc), nil // perhaps committed
			}
			x.abandon(r.base)
		} else {
			x.abort(r.base)
		}
		if code := codeOf(doc); !isTransient(code, false) || isRetryable(code) {
			break
		}
	}
	return unlabelled(doc), ctx.Err()
}

// withConcernError adds the write concern error of the commit to the answer of what was committed.
func withConcernError(doc, commit bsoncore.Document) bsoncore.Document {
	if failed := field(commit, "writeConcernError"); failed.Type != 0 {
		return withField(doc, "writeConcernError", failed)
	}
	return doc
}

// unlabelled is the failure of a transaction that the client knows nothing of.
func unlabelled(doc bsoncore.Document) bsoncore.Document {
	var labels []string
	for _, v := range arrayValues(field(doc, "errorLabels")) {
		if l, _ := v.StringValueOK(); l != labelTransient {
			labels = append(labels, l)
		}
	}
	return document(fieldsOf(doc, nil, "errorLabels"), errorLabels(labels))
}

// A relocation is a document that has moved to another shard.
type relocation struct {
	before, after bsoncore.Document
	// upserted: there was none before.
	upserted bool
}

// relocate makes the change that a shard refused with WouldChangeOwningShard: it deletes the document where it was and inserts the new one
// where it belongs, as two more statements of the request's transaction.
func (r *writes) relocate(ctx context.Context, req *request, refusal bsoncore.Document) (relocation, error) {
	moved := relocation{
		before: documentField(refusal, "preImage"), after: documentField(refusal, "postImage"),
		upserted: boolField(refusal, "shouldUpsert"),
	}
	if !moved.upserted {
		n, err := r.writeWhere(ctx, req, moved.before, deletion)
		if err != nil {
			return moved, err
		}
		if n != 1 {
			return moved, refuse(codeWriteConflict, "the document whose shard key changes was changed by somebody else")
		}
	}
	_, err := r.writeWhere(ctx, req, moved.after, insertion)
	return moved, err
}

// writeWhere deletes or inserts a document on the shard that it belongs to, as a statement of the request's transaction.
func (r *writes) writeWhere(ctx context.Context, req *request, doc bsoncore.Document,
	statement func(req *request, rt *route, doc bsoncore.Document) bson.D,
) (n int64, err error) {
	var found *route
	answer, err := answerOf(r.runSingle(ctx, req, single{
		choose: func(rt *route) (topology.ShardID, error) {
			found = rt
			to, err := destinationOf("insert", doc, rt)
			return to.shard, err
		},
		body: func(dst []byte) []byte { return appendFields(dst, statement(req, found, doc), "$db", req.db) },
	}))
	if err != nil {
		return 0, err
	}
	if failed := arrayValues(field(answer, "writeErrors")); len(failed) > 0 {
		return 0, refuse(int32(intField(failed[0].Data, "code")), "the document could not be moved to the shard of its new key: %s", stringField(failed[0].Data, "errmsg"))
	}
	return intField(answer, "n"), nil
}

// deletion removes exactly this document: by its _id and its shard key.
func deletion(req *request, rt *route, doc bsoncore.Document) bson.D {
	query := fields(equal("_id", field(doc, "_id")))
	if rt.table != nil {
		for _, f := range rt.table.Pattern().Fields() {
			if f != "_id" {
				query = append(query, equal(f, shardkey.ValueAt(bson.Raw(doc), f)))
			}
		}
	}
	return fields("delete", req.collection, "deletes", bson.A{fields("q", query, "collation", fields("locale", "simple"), "limit", 1)})
}

func equal(name string, v bsoncore.Value) bson.E {
	return bson.E{Key: name, Value: fields("$eq", v)}
}

func insertion(req *request, _ *route, doc bsoncore.Document) bson.D {
	return fields("insert", req.collection, "documents", bson.A{bson.Raw(doc)}, given(req.body, "bypassDocumentValidation"))
}

// move adds a document that moved to the result.
func (w *writeResult) move(index int, moved relocation) {
	w.n++
	if !moved.upserted {
		w.modified++
		return
	}
	w.upserted = append(w.upserted, indexed{index, document("_id", field(moved.after, "_id"))})
}

// movedAnswer is the answer to a findAndModify whose document moved.
func (r *writes) movedAnswer(ctx context.Context, req *request, moved relocation) (bsoncore.Document, error) {
	value := moved.before
	switch {
	case boolField(req.body, "new"):
		value = moved.after
	case moved.upserted:
		value = nil
	}
	value, err := r.project(ctx, req, value)
	if err != nil {
		return nil, err
	}
	last := fields("n", 1, "updatedExisting", !moved.upserted, when(moved.upserted, "upserted", field(moved.after, "_id")))
	var shown any // null
	if value != nil {
		shown = value
	}
	return encode("lastErrorObject", last, "value", shown)
}

// project applies the command's projection, which the shards would have applied, with the core's help.
func (r *writes) project(ctx context.Context, req *request, doc bsoncore.Document) (bsoncore.Document, error) {
	projection := documentField(req.body, "fields")
	if doc == nil || len(projection) <= 5 {
		return doc, nil
	}
	rep, err := r.reads.aggregateDocuments(ctx, req, []bsoncore.Value{documentValue(doc)}, []bsoncore.Value{stageOf("$project", projection)}, nil)
	if err != nil {
		return nil, err
	}
	if batch := batchOf(rep.doc, "firstBatch"); codeOf(rep.doc) == 0 && len(batch) == 1 {
		return batch[0].Data, nil
	}
	return nil, &replyError{rep.doc}
}
