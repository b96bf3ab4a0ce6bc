package devmongos

import (
	"context"
	"errors"
	"slices"

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
	n := bsoncore.Value{Type: bsoncore.TypeInt32, Data: []byte{0, 0, 0, 0}}
	if batch := firstBatch(rep.doc); len(batch) == 1 {
		n = field(batch[0].Data, "n")
	}
	return encode(bson.D{{Key: "n", Value: rawValue(n)}})
}

// countPipeline makes an aggregate command of a count command.
func countPipeline(body bsoncore.Document) (bsoncore.Document, error) {
	var stages stageList
	if query := documentField(body, "query"); query != nil {
		stages.add("$match", bsoncore.Value{Type: bsoncore.TypeEmbeddedDocument, Data: query})
	}
	skip, _ := intField(body, "skip")
	limit, _ := intField(body, "limit")
	if skip < 0 {
		return nil, refuse(codeBadValue, "Skip value must be non-negative, but received: %d", skip)
	}
	if skip > 0 {
		stages.add("$skip", int64Value(skip))
	}
	if limit != 0 { // a negative limit means the same as a positive one
		stages.add("$limit", int64Value(max(limit, -limit)))
	}
	stages.add("$count", stringValue("n"))
	return aggregateOf(body, stages, "query", "skip", "limit", "fields"), nil
}

// aggregateOf makes an aggregate command of a read command: the collection stays, its own arguments go, the general ones stay.
func aggregateOf(body bsoncore.Document, pipeline stageList, own ...string) bsoncore.Document {
	return build(func(dst []byte) []byte {
		first := true
		for e := range elements(body) {
			if first {
				dst = appendRenamed(dst, "aggregate", e)
				dst = bsoncore.BuildArrayElement(dst, "pipeline", pipeline.stages...)
				dst = bsoncore.AppendDocumentElement(dst, "cursor", build(func(dst []byte) []byte { return dst }))
				first = false
				continue
			}
			if !slices.Contains(own, string(e.name)) {
				dst = append(dst, e.raw...)
			}
		}
		return dst
	})
}
