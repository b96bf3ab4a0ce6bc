package catalog

import (
	"context"
	"maps"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// A Glance is what one look into the catalogue shows of the places of documents.
type Glance struct {
	Shards []zones.Shard
	// Collections are those that are sharded, by name, with their keys, ranges and chunks and nothing else.
	Collections []zones.Collection
	// Log is about migrations, the newest entry first.
	Log []LogEntry
}

// A LogEntry is an entry of config.changelog about a migration: its beginning, one of its steps, or its end.
type LogEntry struct {
	What      string
	Namespace string `bson:"ns"`
	Time      time.Time
	Details   struct {
		Min, Max bson.Raw
		From, To topology.ShardID
	}
}

// Glance reads the catalogue with one question for each of its collections, for somebody who looks every other second. It reads no more than so many chunks of
// all collections and so many entries of the log, and takes what it finds: chunks that are split or moved meanwhile may have gaps and overlaps.
func (c *Catalog) Glance(ctx context.Context, chunks, entries int) (g Glance, err error) {
	if g.Shards, err = c.shards(ctx); err != nil {
		return g, err
	}
	all := byName{}
	if err := c.sharded(ctx, scope{}, all); err != nil {
		return g, err
	}
	if err := c.glanceAtChunks(ctx, all, chunks); err != nil {
		return g, err
	}
	if err := c.ranges(ctx, scope{}, all); err != nil {
		return g, err
	}
	maps.DeleteFunc(all, func(_ string, f *found) bool { return !f.Sharded })
	g.Collections = all.sorted()
	g.Log, err = c.migrationLog(ctx, entries)
	return g, err
}

func (c *Catalog) glanceAtChunks(ctx context.Context, all byName, most int) error {
	var chunks []struct {
		UUID        bson.Binary
		zones.Chunk `bson:",inline"`
	}
	if err := c.all(ctx, "read the chunks", "chunks", bson.D{}, &chunks, options.Find().SetSort(bson.M{"min": 1}).SetLimit(int64(most))); err != nil {
		return err
	}
	byUUID := map[string]*found{}
	for _, f := range all {
		byUUID[string(f.uuid.Data)] = f
	}
	for _, chunk := range chunks {
		if f := byUUID[string(chunk.UUID.Data)]; f != nil { // or it is the servers' own
			f.Chunks = append(f.Chunks, chunk.Chunk)
		}
	}
	return nil
}

// migrationLog reads the newest entries of the changelog about migrations.
func (c *Catalog) migrationLog(ctx context.Context, most int) (log []LogEntry, err error) {
	filter := bson.M{"what": bson.Regex{Pattern: "^moveChunk"}}
	err = c.all(ctx, "read the changelog", "changelog", filter, &log, options.Find().SetSort(bson.M{"$natural": -1}).SetLimit(int64(most)))
	return log, err
}
