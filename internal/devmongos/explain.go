package devmongos

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// explanations tell how commands would be executed.
type explanations struct{ *reads }

func (r *explanations) commands() map[string]handler { return map[string]handler{"explain": r.explain} }

// explain asks the core for reads, which answers in the shape of a mongos, and the owning shards for writes.
func (r *explanations) explain(ctx context.Context, req *request) (bsoncore.Document, error) {
	explained, ok := field(req.body, "explain").DocumentOK()
	if !ok {
		return nil, refuse(codeTypeMismatch, "explain needs a command")
	}
	name := nameOf(explained)
	req.collection = stringField(explained, name)
	if isConfigDatabase(req.db) {
		return r.readConfig(ctx, req)
	}
	if err := refuseUnsafe(explained); err != nil {
		return nil, err
	}
	switch name {
	case "find":
		return r.explainThroughCore(ctx, req, "clusterFind", explained)
	case "aggregate":
		return r.explainThroughCore(ctx, req, "clusterAggregate", explained)
	case "count":
		pipeline, err := countPipeline(explained)
		if err != nil {
			return nil, err
		}
		return r.explainThroughCore(ctx, req, "clusterAggregate", pipeline)
	case "distinct":
		return r.explainThroughCore(ctx, req, "clusterAggregate", distinctPipeline(explained, stringField(explained, "key")))
	case "insert", "update", "delete", "findAndModify", "findandmodify":
		return r.explainWrite(ctx, req, name, explained)
	}
	return nil, refuse(codeCommandNotFound, "Explain failed due to unknown command: %s", name)
}

func (r *explanations) explainThroughCore(ctx context.Context, req *request, name string, explained bsoncore.Document) (bsoncore.Document, error) {
	body := build(func(dst []byte) []byte {
		inner, dst := bsoncore.AppendDocumentElementStart(dst, "explain")
		dst = endDocument(appendAs(dst, name, explained, forRouter), inner)
		return appendWithout(dst, req.body, forRouter, "explain")
	})
	rep, err := r.askCoreFresh(ctx, req, body)
	return rep.doc, err
}
