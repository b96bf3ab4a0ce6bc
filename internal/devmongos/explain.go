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
	cluster := "clusterAggregate"
	switch name {
	case "find":
		cluster = "clusterFind"
	case "aggregate":
	case "count":
		var err error
		if explained, err = countPipeline(explained); err != nil {
			return nil, err
		}
	case "distinct":
		explained = distinctPipeline(explained, stringField(explained, "key"))
	case "insert", "update", "delete", "findAndModify", "findandmodify":
		return r.explainWrite(ctx, req, name, explained)
	default:
		return nil, refuse(codeCommandNotFound, "Explain failed due to unknown command: %s", name)
	}
	own := nameOf(explained)
	inner := fields(cluster, field(explained, own), fieldsOf(explained, forRouter, own))
	rep, err := r.askCoreFresh(ctx, req, document("explain", inner, fieldsOf(req.body, forRouter, "explain")))
	return rep.doc, err
}
