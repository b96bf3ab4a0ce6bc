package catalog

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

const (
	// bigBatch is more documents than fit into one answer of 16 MB, so that each answer is as large as it can be.
	bigBatch = 100_000
	// chunkAttempts bounds how often chunks are read again that a migration or a split changed meanwhile.
	chunkAttempts = 10
	// arenaSize is how much room for bounds is made at once: one allocation for about a thousand chunks.
	arenaSize = 128 << 10
)

// chunks reads a collection's chunks, sorted by their minimum. They are read over several batches, so a split, a merge or a migration can
// leave a gap or an overlap; then they are read again.
func (c *Catalog) chunks(ctx context.Context, name string, uuid bson.Binary) ([]zones.Chunk, error) {
	what := "read the chunks of " + name
	for range chunkAttempts {
		chunks, err := c.chunksOnce(ctx, bson.M{"uuid": uuid}, c.config().Collection("chunks"))
		if err != nil {
			return nil, c.fail(what, "find", "config.chunks", err)
		}
		if contiguous(chunks) {
			return chunks, nil
		}
	}
	return nil, &Error{What: what, Kind: ErrUnsettled, hint: "wait until the collection is not being split, merged, resharded or dropped, then try again"}
}

// chunksOnce reads the bounds and owners of chunks and nothing else: a catalogue may have 100,000 of them.
func (c *Catalog) chunksOnce(ctx context.Context, filter any, from *mongo.Collection) ([]zones.Chunk, error) {
	projection := bson.M{"_id": 0, "min": 1, "max": 1, "shard": 1, "jumbo": 1}
	cursor, err := from.Find(ctx, filter, options.Find().SetProjection(projection).SetSort(bson.M{"min": 1}).SetBatchSize(bigBatch))
	if err != nil {
		return nil, err
	}
	defer func() { _ = cursor.Close(context.WithoutCancel(ctx)) }()
	read := chunkReader{shards: map[string]topology.ShardID{}}
	for cursor.Next(ctx) {
		if err := read.add(cursor.Current); err != nil {
			return nil, err
		}
	}
	return read.chunks, cursor.Err()
}

// A chunkReader decodes documents of config.chunks. Neighbours share the bound between them, and all bounds lie in few pieces of memory.
type chunkReader struct {
	chunks []zones.Chunk
	arena  []byte
	shards map[string]topology.ShardID
}

func (r *chunkReader) add(doc bson.Raw) error {
	var chunk zones.Chunk
	elements, err := doc.Elements()
	if err != nil {
		return fmt.Errorf("decode a chunk: %w", err)
	}
	for _, e := range elements {
		value := e.Value()
		switch e.Key() {
		case "min":
			chunk.Min = value.Value
		case "max":
			chunk.Max = value.Value
		case "shard":
			name, _ := value.StringValueOK()
			chunk.Shard = r.shard(name)
		case "jumbo":
			chunk.Jumbo, _ = value.BooleanOK()
		}
	}
	if chunk.Min == nil || chunk.Max == nil || chunk.Shard == "" {
		return fmt.Errorf("decode a chunk: min, max or shard is missing in %s", doc)
	}
	if n := len(r.chunks); n > 0 && string(r.chunks[n-1].Max) == string(chunk.Min) {
		chunk.Min = r.chunks[n-1].Max
	} else {
		chunk.Min = r.keep(chunk.Min)
	}
	chunk.Max = r.keep(chunk.Max)
	r.chunks = append(r.chunks, chunk)
	return nil
}

func (r *chunkReader) shard(name string) topology.ShardID {
	id, known := r.shards[name]
	if !known {
		id = topology.ShardID(name)
		r.shards[name] = id
	}
	return id
}

// keep copies a bound: the cursor uses its memory again.
func (r *chunkReader) keep(bound bson.Raw) bson.Raw {
	if len(bound) > cap(r.arena)-len(r.arena) {
		r.arena = make([]byte, 0, max(arenaSize, len(bound)))
	}
	start := len(r.arena)
	r.arena = append(r.arena, bound...)
	return bson.Raw(r.arena[start:len(r.arena):len(r.arena)])
}

// contiguous reports whether chunks lead from MinKey to MaxKey without gap or overlap.
func contiguous(chunks []zones.Chunk) bool {
	if len(chunks) == 0 || !allOf(chunks[0].Min, bson.TypeMinKey) || !allOf(chunks[len(chunks)-1].Max, bson.TypeMaxKey) {
		return false
	}
	for i, chunk := range chunks[1:] {
		if shardkey.CompareKeys(chunks[i].Max, chunk.Min) != 0 {
			return false
		}
	}
	return true
}

// allOf reports whether every field of a bound is of one type.
func allOf(bound bson.Raw, kind bson.Type) bool {
	values, err := bound.Values()
	return err == nil && len(values) > 0 && !slices.ContainsFunc(values, func(v bson.RawValue) bool { return v.Type != kind })
}
