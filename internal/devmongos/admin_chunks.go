package devmongos

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/shardkey"
)

// chunks answers what moves, splits and merges chunks. After each the routing table is read again.
type chunks struct{ *router }

func (r *chunks) commands() map[string]handler {
	return adminOnly(map[string]handler{
		"moveChunk":      r.onFreshRoute(r.moveChunk),
		"moveRange":      checked(checkMoveRange, r.onFreshRoute(r.moveRange)),
		"split":          r.onFreshRoute(r.split),
		"mergeChunks":    r.onFreshRoute(r.mergeChunks),
		"clearJumboFlag": r.onFreshRoute(r.clearJumboFlag),
	})
}

// onFreshRoute is for commands on a sharded collection, whose route is read anew: people who move chunks by hand have just looked at config.chunks.
func (r *chunks) onFreshRoute(run func(ctx context.Context, req *request, rt *route) (bsoncore.Document, error)) handler {
	return func(ctx context.Context, req *request) (bsoncore.Document, error) {
		r.forgetCollection(stringField(req.body, req.name))
		rt, err := r.shardedRoute(ctx, req)
		if err != nil {
			return nil, err
		}
		return run(ctx, req, rt)
	}
}

// moveChunk moves the whole chunk that holds a key (find) or has the bounds.
func (r *chunks) moveChunk(ctx context.Context, req *request, rt *route) (bsoncore.Document, error) {
	chunk, err := chosenChunk(rt.table, req.body)
	if err != nil {
		return nil, err
	}
	return r.move(ctx, req, fields("min", chunk.Min, "max", chunk.Max), field(req.body, "to"))
}

// checkMoveRange wants min: the config server of 6.0.5 crashes on a range that has a max only.
func checkMoveRange(body bsoncore.Document) error {
	if documentField(body, "min") == nil {
		return refuse(codeInvalidOptions, "moveRange needs the lower bound of the range: min")
	}
	return nil
}

func (r *chunks) moveRange(ctx context.Context, req *request, _ *route) (bsoncore.Document, error) {
	high := documentField(req.body, "max")
	return r.move(ctx, req, fields("min", documentField(req.body, "min"), when(high != nil, "max", high)), field(req.body, "toShard"))
}

// move has the config servers move a range. Arguments go by other names there, with other types.
func (r *chunks) move(ctx context.Context, req *request, bounds bson.D, to bsoncore.Value) (bsoncore.Document, error) {
	if _, ok := to.StringValueOK(); !ok {
		return nil, refuse(codeInvalidOptions, "you have to specify the shard to move to in %s", req.name)
	}
	throttle := req.writeConcern
	if throttle == nil {
		throttle = document("w", 2)
	}
	const forceManually = 1 // MoveChunkRequest::ForceJumbo::kForceManual
	_, err := r.administer(ctx, req, "admin", fields(
		"_configsvrMoveRange", req.target(), bounds, "toShard", to,
		"waitForDelete", boolField(req.body, "waitForDelete") || boolField(req.body, "_waitForDelete"), majority,
		when(boolField(req.body, "forceJumbo"), "forceJumbo", forceManually),
		when(boolField(req.body, "_secondaryThrottle") || boolField(req.body, "secondaryThrottle"), "secondaryThrottle", throttle),
	))
	return r.changedChunks(ctx, req, err)
}

// chosenChunk is the chunk that a command names by bounds or by a filter that fixes its shard key.
func chosenChunk(table *shardkey.Table, body bsoncore.Document) (none shardkey.Chunk, err error) {
	if bounds := arrayValues(field(body, "bounds")); bounds != nil {
		low, high, err := boundsOf(bounds)
		if err != nil {
			return none, err
		}
		for _, c := range table.Chunks() {
			if shardkey.CompareKeys(c.Min, low) == 0 && shardkey.CompareKeys(c.Max, high) == 0 {
				return c, nil
			}
		}
		return none, refuse(codeBadValue, "no chunk found with the shard key bounds %s, %s", low, high)
	}
	find := bson.Raw(documentField(body, "find"))
	if find == nil {
		return none, refuse(codeInvalidOptions, "need to specify find or bounds")
	}
	key, ok := table.Pattern().PointOf(find)
	if !ok {
		return none, refuse(codeShardKeyNotFound, "no shard key found in chunk query %s", find)
	}
	return chunkOf(table, key)
}

func chunkOf(table *shardkey.Table, key bson.Raw) (none shardkey.Chunk, err error) {
	for _, c := range table.Chunks() {
		if shardkey.CompareKeys(c.Min, key) <= 0 && shardkey.CompareKeys(key, c.Max) < 0 {
			return c, nil
		}
	}
	return none, refuse(codeShardKeyNotFound, "no chunk contains the shard key %s", key)
}

func boundsOf(bounds []bsoncore.Value) (low, high bson.Raw, err error) {
	if len(bounds) == 2 {
		low, lowOK := bounds[0].DocumentOK()
		high, highOK := bounds[1].DocumentOK()
		if lowOK && highOK {
			return bson.Raw(low), bson.Raw(high), nil
		}
	}
	return nil, nil, refuse(codeInvalidOptions, "bounds have to be two documents: [min, max]")
}

// split splits a chunk at a key (middle), or at its median (find, bounds).
func (r *chunks) split(ctx context.Context, req *request, rt *route) (bsoncore.Document, error) {
	chunk, at, err := r.splitPoint(ctx, req, rt)
	if err != nil {
		return nil, err
	}
	_, err = r.onShard(ctx, req, chunk.Shard, "admin", fields(
		"splitChunk", rt.ns, "from", chunk.Shard, "keyPattern", rt.table.Pattern().Raw(), "min", chunk.Min, "max", chunk.Max,
		"splitKeys", bson.A{at}, incarnation(rt.table),
	))
	return r.changedChunks(ctx, req, err)
}

// incarnation tells a sharded collection from a former one of its name.
func incarnation(table *shardkey.Table) bson.D {
	version := table.Version("")
	return fields("epoch", version.Epoch, "timestamp", version.Timestamp)
}

func (r *chunks) splitPoint(ctx context.Context, req *request, rt *route) (chunk shardkey.Chunk, at bson.Raw, err error) {
	pattern := rt.table.Pattern()
	if middle := bson.Raw(documentField(req.body, "middle")); middle != nil {
		if has, err := middle.Elements(); err != nil || len(has) != len(pattern.Fields()) {
			return chunk, nil, refuse(codeShardKeyNotFound, "middle %s needs all fields of the shard key %s", middle, pattern.Raw())
		}
		chunk, err = chunkOf(rt.table, middle)
		return chunk, middle, err
	}
	if chunk, err = chosenChunk(rt.table, req.body); err != nil {
		return chunk, nil, err
	}
	rep, err := r.onShard(ctx, req, chunk.Shard, "admin", fields(
		"splitVector", rt.ns, "keyPattern", pattern.Raw(), "min", chunk.Min, "max", chunk.Max, "force", true,
	))
	if err != nil {
		return chunk, nil, err
	}
	for _, key := range arrayValues(field(rep.doc, "splitKeys")) {
		return chunk, bson.Raw(key.Data), nil
	}
	return chunk, nil, refuse(codeBadValue, "chunk has too few documents to be split at its median: name the key with middle")
}

// mergeChunks makes one chunk of adjacent ones on one shard.
func (r *chunks) mergeChunks(ctx context.Context, req *request, rt *route) (bsoncore.Document, error) {
	bounds := field(req.body, "bounds")
	low, _, err := boundsOf(arrayValues(bounds))
	if err != nil {
		return nil, err
	}
	first, err := chunkOf(rt.table, low)
	if err != nil {
		return nil, err
	}
	_, err = r.onShard(ctx, req, first.Shard, "admin", fields("mergeChunks", rt.ns, "bounds", bounds, incarnation(rt.table)))
	return r.changedChunks(ctx, req, err)
}

func (r *chunks) clearJumboFlag(ctx context.Context, req *request, rt *route) (bsoncore.Document, error) {
	chunk, err := chosenChunk(rt.table, req.body)
	if err != nil {
		return nil, err
	}
	_, err = r.administer(ctx, req, "admin", fields(
		"_configsvrClearJumboFlag", rt.ns, "epoch", rt.table.Version(chunk.Shard).Epoch, "minKey", chunk.Min, "maxKey", chunk.Max, majority,
	))
	return r.changedChunks(ctx, req, err)
}

// changedChunks forgets where the collection's chunks were, after a change of them that may have failed: it may have been done in part.
func (r *chunks) changedChunks(ctx context.Context, req *request, failed error) (bsoncore.Document, error) {
	if err := r.changed(ctx, stringField(req.body, req.name)); failed == nil && err != nil {
		return nil, err
	}
	return okReply, failed
}
