package devmongos

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// unshardedRead runs count or distinct as it is on the primary shard, if the collection is not sharded and the primary is wanted;
// errManyShards otherwise. On a sharded collection a shard would count the orphans, too.
func (r *reads) unshardedRead(ctx context.Context, req *request) (reply, error) {
	if !req.primary {
		return reply{}, errManyShards
	}
	rep, err := r.readFrom(ctx, req, onlyUnsharded(errManyShards))
	if errors.Is(err, errNoDatabase) || err == nil && codeOf(rep.doc) == codeViewOnShard {
		return reply{}, errManyShards
	}
	return rep, err
}

// count is an aggregation on the core where the collection is sharded.
func (r *reads) count(ctx context.Context, req *request) (bsoncore.Document, error) {
	if rep, err := r.unshardedRead(ctx, req); !errors.Is(err, errManyShards) {
		return rep.doc, err
	}
	body, err := countPipeline(req.body)
	if err != nil {
		return nil, err
	}
	rep, lsid, err := r.onCore(ctx, req, "clusterAggregate", body)
	if err != nil {
		return nil, err
	}
	r.core.sessions.give(lsid) // one batch has it all
	if codeOf(rep.doc) != 0 {
		return rep.doc, nil
	}
	if batch := batchOf(rep.doc, "firstBatch"); len(batch) == 1 {
		return encode("n", field(batch[0].Data, "n"))
	}
	return encode("n", 0)
}

// countPipeline makes an aggregate command of a count command.
func countPipeline(body bsoncore.Document) (bsoncore.Document, error) {
	stages := matching(documentField(body, "query"))
	skip := intField(body, "skip")
	limit := intField(body, "limit")
	if skip < 0 {
		return nil, refuse(codeBadValue, "Skip value must be non-negative, but received: %d", skip)
	}
	if skip > 0 {
		stages = append(stages, stageOf("$skip", skip))
	}
	if limit != 0 { // a negative limit means the same as a positive one
		stages = append(stages, stageOf("$limit", max(limit, -limit)))
	}
	return aggregateOf(body, append(stages, stageOf("$count", "n")), "query", "skip", "limit", "fields"), nil
}

// matching begins the pipeline of a command that has a query or none.
func matching(query bsoncore.Document) []bsoncore.Value {
	if query == nil {
		return nil
	}
	return []bsoncore.Value{stageOf("$match", query)}
}

// aggregateOf makes an aggregate command of a read command: the collection stays, its own arguments go, the general ones stay.
func aggregateOf(body bsoncore.Document, pipeline []bsoncore.Value, own ...string) bsoncore.Document {
	name := nameOf(body)
	return document("aggregate", field(body, name), "pipeline", pipeline, "cursor", bson.D{}, fieldsOf(body, nil, append(own, name)...))
}
