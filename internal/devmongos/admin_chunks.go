package devmongos

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/shardkey"
)

// chunks answers what moves, splits and merges chunks. After each the routing table is read again.
type chunks struct{ *router }

func (r *chunks) commands() map[string]handler {
	return adminOnly(map[string]handler{
		"moveChunk": r.moveChunk, "moveRange": r.moveRange, "split": r.split, "mergeChunks": r.mergeChunks, "clearJumboFlag": r.clearJumboFlag,
	})
}

// moveChunk moves the whole chunk that holds a key (find) or has the bounds.
func (r *chunks) moveChunk(ctx context.Context, req *request) (bsoncore.Document, error) {
	rt, err := r.freshRoute(ctx, req)
	if err != nil {
		return nil, err
	}
	chunk, err := chosenChunk(rt.table, req.body)
	if err != nil {
		return nil, err
	}
	return r.move(ctx, req, bson.D{{Key: "min", Value: chunk.Min}, {Key: "max", Value: chunk.Max}}, field(req.body, "to"))
}

// moveRange needs min: the config server of 6.0.5 crashes on a range that has a max only.
func (r *chunks) moveRange(ctx context.Context, req *request) (bsoncore.Document, error) {
	bounds := bson.D{}
	for _, name := range []string{"min", "max"} {
		if bound := documentField(req.body, name); bound != nil {
			bounds = append(bounds, bson.E{Key: name, Value: bson.Raw(bound)})
		}
	}
	if len(bounds) == 0 || bounds[0].Key != "min" {
		return nil, refuse(codeInvalidOptions, "moveRange needs the lower bound of the range: min")
	}
	if _, err := r.freshRoute(ctx, req); err != nil {
		return nil, err
	}
	return r.move(ctx, req, bounds, field(req.body, "toShard"))
}

// move has the config servers move a range. Arguments go by other names there, with other types.
func (r *chunks) move(ctx context.Context, req *request, bounds bson.D, to bsoncore.Value) (bsoncore.Document, error) {
	if _, ok := to.StringValueOK(); !ok {
		return nil, refuse(codeInvalidOptions, "you have to specify the shard to move to in %s", req.name)
	}
	wait := truth(field(req.body, "waitForDelete")) || truth(field(req.body, "_waitForDelete"))
	cmd := slices.Concat(bson.D{{Key: "_configsvrMoveRange", Value: req.target()}}, bounds, bson.D{
		{Key: "toShard", Value: rawValue(to)}, {Key: "waitForDelete", Value: wait}, majority,
	})
	if truth(field(req.body, "forceJumbo")) {
		const forceManually = 1 // MoveChunkRequest::ForceJumbo::kForceManual
		cmd = append(cmd, bson.E{Key: "forceJumbo", Value: forceManually})
	}
	if concern := req.writeConcern; truth(field(req.body, "_secondaryThrottle")) || truth(field(req.body, "secondaryThrottle")) {
		throttle := bson.Raw(concern)
		if concern == nil {
			throttle = bson.Raw(build(func(dst []byte) []byte { return bsoncore.AppendInt32Element(dst, "w", 2) }))
		}
		cmd = append(cmd, bson.E{Key: "secondaryThrottle", Value: throttle})
	}
	return r.changeChunks(ctx, req, func() error {
		_, err := r.administer(ctx, req, "admin", cmd)
		return err
	})
}

// chosenChunk is the chunk that a command names by bounds or by a filter that fixes its shard key.
func chosenChunk(table *shardkey.Table, body bsoncore.Document) (shardkey.Chunk, error) {
	if bounds := arrayValues(field(body, "bounds")); bounds != nil {
		low, high, err := boundsOf(bounds)
		if err != nil {
			return shardkey.Chunk{}, err
		}
		for _, c := range table.Chunks() {
			if shardkey.CompareKeys(c.Min, low) == 0 && shardkey.CompareKeys(c.Max, high) == 0 {
				return c, nil
			}
		}
		return shardkey.Chunk{}, refuse(codeBadValue, "no chunk found with the shard key bounds %s, %s", low, high)
	}
	find := bson.Raw(documentField(body, "find"))
	if find == nil {
		return shardkey.Chunk{}, refuse(codeInvalidOptions, "need to specify find or bounds")
	}
	key, ok := table.Pattern().PointOf(find)
	if !ok {
		return shardkey.Chunk{}, refuse(codeShardKeyNotFound, "no shard key found in chunk query %s", find)
	}
	return chunkOf(table, key)
}

func chunkOf(table *shardkey.Table, key bson.Raw) (shardkey.Chunk, error) {
	for _, c := range table.Chunks() {
		if shardkey.CompareKeys(c.Min, key) <= 0 && shardkey.CompareKeys(key, c.Max) < 0 {
			return c, nil
		}
	}
	return shardkey.Chunk{}, refuse(codeShardKeyNotFound, "no chunk contains the shard key %s", key)
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
func (r *chunks) split(ctx context.Context, req *request) (bsoncore.Document, error) {
	rt, err := r.freshRoute(ctx, req)
	if err != nil {
		return nil, err
	}
	chunk, at, err := r.splitPoint(ctx, req, rt)
	if err != nil {
		return nil, err
	}
	version := rt.table.Version(chunk.Shard)
	return r.changeChunks(ctx, req, func() error {
		_, err := r.onShard(ctx, req, chunk.Shard, "admin", bson.D{
			{Key: "splitChunk", Value: rt.ns}, {Key: "from", Value: string(chunk.Shard)}, {Key: "keyPattern", Value: rt.table.Pattern().Raw()},
			{Key: "min", Value: chunk.Min}, {Key: "max", Value: chunk.Max}, {Key: "splitKeys", Value: bson.A{at}},
			{Key: "epoch", Value: version.Epoch}, {Key: "timestamp", Value: version.Timestamp},
		})
		return err
	})
}

func (r *chunks) splitPoint(ctx context.Context, req *request, rt *route) (shardkey.Chunk, bson.Raw, error) {
	if middle := bson.Raw(documentField(req.body, "middle")); middle != nil {
		if given, err := middle.Elements(); err != nil || len(given) != len(rt.table.Pattern().Fields()) {
			return shardkey.Chunk{}, nil, refuse(codeShardKeyNotFound, "middle %s needs all fields of the shard key %s", middle, rt.table.Pattern().Raw())
		}
		chunk, err := chunkOf(rt.table, middle)
		return chunk, middle, err
	}
	chunk, err := chosenChunk(rt.table, req.body)
	if err != nil {
		return shardkey.Chunk{}, nil, err
	}
	rep, err := r.onShard(ctx, req, chunk.Shard, "admin", bson.D{
		{Key: "splitVector", Value: rt.ns}, {Key: "keyPattern", Value: rt.table.Pattern().Raw()},
		{Key: "min", Value: chunk.Min}, {Key: "max", Value: chunk.Max}, {Key: "force", Value: true},
	})
	if err != nil {
		return shardkey.Chunk{}, nil, err
	}
	for _, key := range arrayValues(field(rep.doc, "splitKeys")) {
		return chunk, bson.Raw(key.Data), nil
	}
	return shardkey.Chunk{}, nil, refuse(codeBadValue, "chunk has too few documents to be split at its median: name the key with middle")
}

// mergeChunks makes one chunk of adjacent ones on one shard.
func (r *chunks) mergeChunks(ctx context.Context, req *request) (bsoncore.Document, error) {
	rt, err := r.freshRoute(ctx, req)
	if err != nil {
		return nil, err
	}
	low, _, err := boundsOf(arrayValues(field(req.body, "bounds")))
	if err != nil {
		return nil, err
	}
	first, err := chunkOf(rt.table, low)
	if err != nil {
		return nil, err
	}
	return r.changeChunks(ctx, req, func() error {
		_, err := r.onShard(ctx, req, first.Shard, "admin", bson.D{
			{Key: "mergeChunks", Value: rt.ns}, {Key: "bounds", Value: rawValue(field(req.body, "bounds"))},
			{Key: "epoch", Value: rt.table.Version(first.Shard).Epoch}, {Key: "timestamp", Value: rt.table.Version(first.Shard).Timestamp},
		})
		return err
	})
}

func (r *chunks) clearJumboFlag(ctx context.Context, req *request) (bsoncore.Document, error) {
	rt, err := r.freshRoute(ctx, req)
	if err != nil {
		return nil, err
	}
	chunk, err := chosenChunk(rt.table, req.body)
	if err != nil {
		return nil, err
	}
	return r.changeChunks(ctx, req, func() error {
		_, err := r.administer(ctx, req, "admin", bson.D{
			{Key: "_configsvrClearJumboFlag", Value: rt.ns}, {Key: "epoch", Value: rt.table.Version(chunk.Shard).Epoch},
			{Key: "minKey", Value: chunk.Min}, {Key: "maxKey", Value: chunk.Max}, majority,
		})
		return err
	})
}

// changeChunks runs a change and forgets where the collection's chunks were, also if it failed: it may have been done in part.
func (r *chunks) changeChunks(ctx context.Context, req *request, change func() error) (bsoncore.Document, error) {
	failed := change()
	if err := r.changed(ctx, stringField(req.body, req.name)); failed == nil && err != nil {
		return nil, err
	}
	return okReply, failed
}

// freshRoute is shardedRoute read anew: people who move chunks by hand have just looked at config.chunks.
func (r *chunks) freshRoute(ctx context.Context, req *request) (*route, error) {
	r.forgetCollection(stringField(req.body, req.name))
	return r.shardedRoute(ctx, req)
}
