package devmongos

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/topology"
)

// writes answer what changes documents, in transactions and outside.
type writes struct {
	*router
	reads *reads
}

func (r *writes) commands() map[string]handler {
	return map[string]handler{
		"insert":        onCollection(r.write, nil),
		"update":        onCollection(r.write, nil),
		"delete":        onCollection(r.write, nil),
		"findAndModify": onCollection(r.findAndModify, r.writeConfig),
		"findandmodify": onCollection(r.findAndModify, r.writeConfig),
	}
}

// write executes an insert, update or delete command.
func (r *writes) write(ctx context.Context, req *request) (bsoncore.Document, error) {
	statements, err := statementsOf(req)
	if err != nil {
		return nil, err
	}
	if isConfigDatabase(req.db) {
		return r.writeConfig(ctx, req)
	}
	if req.name == "insert" {
		for i, doc := range statements {
			statements[i] = withID(doc)
		}
	}
	_, concern, err := r.defaults.get(ctx)
	if err != nil {
		return nil, err
	}
	return newWriter(r, req, statements, concern).run(ctx)
}

// statementsOf lists the statements of a batch command, which drivers send outside the body and others inside.
func statementsOf(req *request) ([]bsoncore.Document, error) {
	name := statementsField[req.name]
	var statements []bsoncore.Document
	inside := field(req.body, name)
	given := inside.Type != 0
	for _, s := range req.msg.Sequences {
		if s.Name == name {
			statements, given = append(statements, s.Docs...), true
		}
	}
	if !given {
		return nil, missingField(req.name, name)
	}
	for _, v := range arrayValues(inside) {
		doc, ok := v.DocumentOK()
		if !ok {
			return nil, refuse(codeTypeMismatch, "%s.%s has an element that is not a document", req.name, name)
		}
		statements = append(statements, doc)
	}
	if len(statements) == 0 || len(statements) > maxWriteBatch {
		return nil, refuse(codeInvalidLength, "write batch sizes must be between 1 and %d. Got %d operations.", maxWriteBatch, len(statements))
	}
	if req.name == "delete" {
		return statements, checkLimits(statements)
	}
	return statements, nil
}

// withID gives a document the _id that it lacks, before it is known where it goes: sent twice, it has to be the same.
func withID(doc bsoncore.Document) bsoncore.Document {
	if field(doc, "_id").Type != 0 {
		return doc
	}
	start, dst := bsoncore.AppendDocumentStart(make([]byte, 0, len(doc)+20))
	dst = bsoncore.AppendObjectIDElement(dst, "_id", bson.NewObjectID())
	return endDocument(append(dst, doc[4:len(doc)-1]...), start)
}

// writeConfig passes a write on metadata to the config servers as it is.
func (r *writes) writeConfig(ctx context.Context, req *request) (bsoncore.Document, error) {
	cmd := command{body: build(func(dst []byte) []byte { return appendWrite(dst, req.body, "", document("w", "majority")) })}
	for _, s := range req.msg.Sequences {
		cmd.name, cmd.docs = s.Name, s.Docs
	}
	return req.answer(r.configs.onPrimary(ctx, cmd, req.txnNumber))
}

// appendWrite appends a client's write for a member: without the statements, which go separately, with a write concern.
func appendWrite(dst []byte, body bsoncore.Document, statements string, concern bsoncore.Document) []byte {
	dst = appendWithout(dst, body, routerFields, statements, "writeConcern", "stmtId", "stmtIds")
	return appendWriteConcern(dst, documentField(body, "writeConcern"), concern)
}

// findAndModify runs on the one shard that its query fixes.
func (r *writes) findAndModify(ctx context.Context, req *request) (bsoncore.Document, error) {
	_, concern, err := r.defaults.get(ctx)
	if err != nil {
		return nil, err
	}
	query := documentField(req.body, "query")
	rep, err := r.runSingle(ctx, req, single{
		repeatable: req.retryable(), create: true,
		choose: func(rt *route) (topology.ShardID, error) { return destinationOfFindAndModify(rt, query, req.collation) },
		body:   func(dst []byte) []byte { return appendWrite(dst, req.body, "", concern) },
	})
	switch {
	case err != nil:
		return nil, err
	case codeOf(rep.doc) != codeWouldChangeOwner:
		return rep.doc, nil
	case req.txn == nil:
		return r.asTransaction(ctx, req, req.body, r.findAndModify)
	}
	moved, err := r.relocate(ctx, req, rep.doc)
	if err != nil {
		return nil, err
	}
	return r.movedAnswer(ctx, req, moved)
}
