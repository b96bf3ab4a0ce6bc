package devmongos

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// maxMergeBytes is how much the shards' parts of an aggregation in a transaction may amount to: the core is given them as one command,
// which may not be larger than a document.
const maxMergeBytes = maxDocumentSize - 256<<10

// aggregate runs a pipeline on the one shard that it concerns. Over several shards these run its beginning, and the
// core, which cannot take part in the transaction, runs the rest over what they found.
func (r *statements) aggregate(ctx context.Context, req *request) (bsoncore.Document, error) {
	if _, named := field(req.body, req.name).StringValueOK(); !named {
		return nil, refuse(codeNotInTransaction, "the development query router runs aggregations without a collection only outside of transactions")
	}
	pipeline := arrayValues(field(req.body, "pipeline"))
	if err := r.checkPipeline(ctx, req.db, pipeline); err != nil {
		return nil, err
	}
	filter := filterOf(req.body)
	if doc, err := r.fromOneShard(ctx, req, filter); !errors.Is(err, errManyShards) {
		return doc, err
	}
	plan := splitPipeline(pipeline)
	merged, err := r.scatter(ctx, req, filter, func(dst []byte) []byte { return appendShardAggregate(dst, req.body, plan.shards) })
	if err != nil {
		return nil, err
	}
	if len(plan.merge) == 0 {
		return r.openMerged(ctx, req, merged, field(documentField(req.body, "cursor"), "batchSize"), false)
	}
	docs, err := merged.all(ctx, req)
	if err != nil {
		return nil, err
	}
	rep, err := r.aggregateDocuments(ctx, req, docs, plan.merge, req.body)
	return rep.doc, err
}

// all reads the cursor to its end.
func (m *mergedCursor) all(ctx context.Context, req *request) (docs []bsoncore.Value, err error) {
	size := 0
	for more := true; more; {
		var batch []bsoncore.Value
		if batch, more, err = m.batch(ctx, req, -1); err != nil {
			return nil, err
		}
		for _, v := range batch {
			docs = append(docs, v)
			size += len(v.Data) + 32 // its share of the command around it
		}
		if size > maxMergeBytes {
			m.kill(ctx)
			return nil, refuse(codeExceededMemoryLimit, "the development query router merges at most %d MB of the shards' documents for an aggregation in a "+
				"transaction; aggregate outside of the transaction, or less ($match, $project and $group by sums come first on the shards)", maxMergeBytes>>20)
		}
	}
	return docs, nil
}

// checkPipeline refuses what cannot be done in a transaction: the server's own restrictions are left to the shards, but other collections
// can be read by a shard only if they are unsharded and live there.
func (r *statements) checkPipeline(ctx context.Context, db string, pipeline []bsoncore.Value) error {
	for _, stage := range pipeline {
		for e := range elements(stage.Data) {
			from := ""
			switch string(e.name) {
			case "$lookup", "$graphLookup":
				from = stringField(e.value.Data, "from")
			case "$unionWith":
				if from, _ = e.value.StringValueOK(); from == "" {
					from = stringField(e.value.Data, "coll")
				}
			default:
				continue
			}
			rt, err := r.route(ctx, db, from)
			if err != nil && !errors.Is(err, errNoDatabase) {
				return err
			}
			if err == nil && rt.table != nil {
				return refuse(28769, "%s.%s cannot be sharded: %s reads it in a transaction", db, from, e.name)
			}
		}
	}
	return nil
}

// appendShardAggregate makes a shard's part of an aggregation.
func appendShardAggregate(dst []byte, body bsoncore.Document, stages []bsoncore.Value) []byte {
	for e := range elements(body) {
		switch name := string(e.name); {
		case name == "pipeline":
			dst = appendFields(dst, name, stages)
		case name == "cursor":
			dst = appendFields(dst, name, bson.D{})
		case !routerFields[name]:
			dst = append(dst, e.raw...)
		}
	}
	return dst
}
