package devmongos

import (
	"context"
	"errors"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/topology"
)

// distinct is an aggregation on the core where the collection is sharded: the shards' own distinct would answer with the values
// of orphans, too.
func (r *reads) distinct(ctx context.Context, req *request) (bsoncore.Document, error) {
	if rep, err := r.unshardedRead(ctx, req); !errors.Is(err, errManyShards) {
		return rep.doc, err
	}
	key := stringField(req.body, "key")
	if hasPosition(key) {
		return r.distinctPerShard(ctx, req)
	}
	body, err := r.snapshotRead(ctx, req, distinctPipeline(req.body, key))
	if err != nil {
		return nil, err
	}
	rep, lsid, err := r.onCore(ctx, req, "clusterAggregate", body)
	snapshot := field(documentField(rep.doc, "cursor"), "atClusterTime")
	var values []bsoncore.Value
	for batch := "firstBatch"; err == nil; batch = "nextBatch" {
		for _, v := range batchOf(rep.doc, batch) {
			values = append(values, field(v.Data, "_id"))
		}
		id, _ := cursorID(rep.doc)
		if id == 0 {
			r.core.sessions.give(lsid)
			if codeOf(rep.doc) != 0 {
				return rep.doc, nil
			}
			answer, err := distinctReply(values)
			if err == nil && snapshot.Type != 0 {
				answer = withField(answer, "atClusterTime", snapshot) // there is no cursor to carry it
			}
			return answer, err
		}
		rep, err = r.core.ask(ctx, coreGetMore(remoteCursor{id: id, lsid: lsid, ns: req.ns()}, nil))
		req.holdCore(rep)
	}
	return nil, err
}

// distinctPipeline takes arrays along the path apart as distinct does: one level each, null counts as a value, a missing field does
// not, and an array inside an array is a value only at the end of the path.
func distinctPipeline(body bsoncore.Document, key string) bsoncore.Document {
	stages := matching(documentField(body, "query"))
	parts := strings.Split(key, ".")
	for i := range parts {
		path := strings.Join(parts[:i+1], ".")
		stages = append(stages, stageOf("$unwind", fields("path", "$"+path, "preserveNullAndEmptyArrays", true)))
		if i < len(parts)-1 {
			stages = append(stages, stageOf("$match", fields(path, fields("$not", fields("$type", "array")))))
		}
	}
	stages = append(stages, stageOf("$match", fields(key, fields("$exists", true))), stageOf("$group", fields("_id", "$"+key)))
	return aggregateOf(body, stages, "key", "query")
}

// hasPosition tells that a path may mean a position in an array ("a.0"), for which aggregations have no path.
func hasPosition(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "."), func(part string) bool {
		return part != "" && strings.Trim(part, "0123456789") == ""
	})
}

// distinctPerShard merges the shards' own answers.
func (r *reads) distinctPerShard(ctx context.Context, req *request) (bsoncore.Document, error) {
	rt, err := r.route(ctx, req.db, req.collection)
	if errors.Is(err, errNoDatabase) {
		return distinctReply(nil)
	}
	if err != nil {
		return nil, err
	}
	var values []bsoncore.Value
	for _, shard := range rt.shards() {
		rep, err := r.readFrom(ctx, req, func(*route) (topology.ShardID, error) { return shard, nil })
		if err != nil || codeOf(rep.doc) != 0 {
			return rep.doc, err
		}
		values = append(values, arrayValues(field(rep.doc, "values"))...)
	}
	slices.SortStableFunc(values, compareValues)
	return distinctReply(slices.CompactFunc(values, func(a, b bsoncore.Value) bool { return compareValues(a, b) == 0 }))
}

func distinctReply(values []bsoncore.Value) (bsoncore.Document, error) {
	answer := document("values", values, "ok", 1.0)
	if len(answer) > maxDocumentSize {
		return nil, refuse(codeDistinctTooBig, "distinct too big, 16mb cap")
	}
	return answer, nil
}
