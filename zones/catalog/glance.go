package catalog

import (
	"context"
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
	What      string    `bson:"what"`
	Namespace string    `bson:"ns"`
	Time      time.Time `bson:"time"`
	Details   struct {
		Min  bson.Raw         `bson:"min"`
		Max  bson.Raw         `bson:"max"`
		From topology.ShardID `bson:"from"`
		To   topology.ShardID `bson:"to"`
	} `bson:"details"`
}

// Glance reads the catalogue with one question for each of its collections, for somebody who looks every other second. It reads no more than so many chunks of
// all collections and so many entries of the log, and takes what it finds: chunks that are split or moved meanwhile may have gaps and overlaps.
func (c *Catalog) Glance(ctx context.Context, chunks, entries int) (g Glance, err error) {
	if g.Shards, err = c.shards(ctx); err != nil {
		return g, err
	}
	byName := map[string]*found{}
	err = c.sharded(ctx, scope{}, func(name string) *found {
		byName[name] = &found{Collection: zones.Collection{Name: name}}
		return byName[name]
	})
	if err != nil {
		return g, err
	}
	if err := c.glanceAtChunks(ctx, byName, chunks); err != nil {
		return g, err
	}
	err = c.ranges(ctx, scope{}, func(name string) *found {
		if f := byName[name]; f != nil {
			return f
		}
		return &found{} // it is not sharded
	})
	if err != nil {
		return g, err
	}
	g.Collections = sorted(byName)
	g.Log, err = c.migrationLog(ctx, entries)
	return g, err
}

func (c *Catalog) glanceAtChunks(ctx context.Context, byName map[string]*found, most int) error {
	var all []struct {
		UUID  bson.Binary      `bson:"uuid"`
		Min   bson.Raw         `bson:"min"`
		Max   bson.Raw         `bson:"max"`
		Shard topology.ShardID `bson:"shard"`
	}
	if err := c.some(ctx, "read the chunks", "chunks", bson.D{}, bson.D{{Key: "min", Value: 1}}, most, &all); err != nil {
		return err
	}
	byUUID := map[string]*found{}
	for _, f := range byName {
		byUUID[string(f.uuid.Data)] = f
	}
	for _, chunk := range all {
		if f := byUUID[string(chunk.UUID.Data)]; f != nil { // or it is the servers' own
			f.Chunks = append(f.Chunks, zones.Chunk{Min: chunk.Min, Max: chunk.Max, Shard: chunk.Shard})
		}
	}
	return nil
}

// migrationLog reads the newest entries of the changelog about migrations.
func (c *Catalog) migrationLog(ctx context.Context, most int) (log []LogEntry, err error) {
	filter := bson.D{{Key: "what", Value: bson.Regex{Pattern: "^moveChunk"}}}
	err = c.some(ctx, "read the changelog", "changelog", filter, bson.D{{Key: "$natural", Value: -1}}, most, &log)
	return log, err
}

// some reads documents of a collection of the catalogue, up to a number; 0 = all.
func (c *Catalog) some(ctx context.Context, what, collection string, filter, sort bson.D, most int, into any) error {
	o := options.Find().SetLimit(int64(most))
	if sort != nil {
		o.SetSort(sort)
	}
	cursor, err := c.config().Collection(collection).Find(ctx, filter, o)
	if err == nil {
		err = cursor.All(ctx, into)
	}
	return c.fail(what, "find", "config."+collection, err)
}
