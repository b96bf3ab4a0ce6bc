package catalog

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/plan"
)

// Drained finds what keeps drained shards from becoming empty by the zones of a layout; see
// plan.Drained.
func (c *Catalog) Drained(
	ctx context.Context, world *topology.Topology, state *zones.State, layout zones.Layout,
) ([]zones.Finding, error) {
	return plan.Drained(ctx, c.source(), world, state, layout)
}

// Kept tells what shards hold that zones do not take away: databases whose primary shard they are,
// and chunks. The collections of the config servers, which the balancer moves wherever it wants,
// are left out.
//
// Which databases and chunks there are is in the catalogue. What the shards do not tell within a
// few seconds, or the user may not see, is unread: a shard that is silent, or dead, costs that time
// once.
func (c *Catalog) Kept(ctx context.Context, shards []topology.ShardID) (*zones.Kept, error) {
	var databases []databaseEntry
	byID := options.Find().SetSort(bson.M{"_id": 1})
	on := bson.M{"primary": bson.M{"$in": shards}}
	if err := c.all(ctx, "read the databases", "databases", on, &databases, byID); err != nil {
		return nil, err
	}
	var entries []collectionEntry
	others := bson.M{"_id": bson.M{"$not": beginning("config.")}, "dropped": bson.M{"$ne": true}}
	if err := c.all(ctx, "read the sharded collections", "collections", others, &entries, byID); err != nil {
		return nil, err
	}
	listed := map[string]bool{}
	for _, e := range entries {
		listed[e.Name] = true
	}
	kept := &zones.Kept{Databases: make([]zones.Database, len(databases))}
	var err error
	if kept.Collections, err = c.keptChunks(ctx, entries, shards); err != nil {
		return nil, err
	}
	until := time.Now().Add(shardAnswersWithin)
	group, inner := errgroup.WithContext(ctx)
	for i := range kept.Collections {
		group.Go(func() error { return c.sized(inner, until, &kept.Collections[i]) })
	}
	for _, shard := range shards { // each at its own pace, or a silent one would keep others waiting
		group.Go(func() error {
			group, inner := errgroup.WithContext(inner)
			group.SetLimit(atOnce)
			for i, db := range databases {
				if db.Primary == shard {
					group.Go(func() (err error) {
						kept.Databases[i], err = c.keptDatabase(inner, until, db, listed)
						return err
					})
				}
			}
			return group.Wait()
		})
	}
	return kept, group.Wait()
}

// keptChunks reads those chunks of collections that are on some shards, with the collections'
// ranges.
func (c *Catalog) keptChunks(
	ctx context.Context, entries []collectionEntry, shards []topology.ShardID,
) (kept []zones.Collection, err error) {
	on := bson.M{"$in": shards}
	chunks := c.config().Collection("chunks")
	var uuids []bson.Binary
	if err := chunks.Distinct(ctx, "uuid", bson.M{"shard": on}).Decode(&uuids); err != nil {
		return nil, c.fail("read the chunks of "+string(shards[0]), "distinct", "config.chunks", err)
	}
	for _, e := range entries {
		if !slices.ContainsFunc(uuids, func(id bson.Binary) bool { return string(id.Data) == string(e.UUID.Data) }) {
			continue
		}
		found := zones.Collection{Name: e.Name, Exists: true, Sharded: !e.Unsplittable, NoBalance: e.NoBalance}
		if found.Chunks, err = c.chunksOnce(ctx, bson.M{"uuid": e.UUID, "shard": on}, chunks); err != nil {
			return nil, c.fail("read the chunks of "+e.Name, "find", "config.chunks", err)
		}
		var ranges []tagEntry
		noID := options.Find().SetProjection(bson.M{"_id": 0})
		if err := c.all(ctx, "read the ranges of "+e.Name, "tags", bson.M{"ns": e.Name}, &ranges, noID); err != nil {
			return nil, err
		}
		for _, r := range ranges {
			found.Ranges = append(found.Ranges, r.zoneRange())
		}
		slices.SortFunc(found.Ranges, func(a, b zones.Range) int { return shardkey.CompareKeys(a.Min, b.Min) })
		kept = append(kept, found)
	}
	return kept, nil
}

// keptDatabase lists those collections of a database that are not in the catalogue, so that they
// are on its primary shard. Views have no documents, and the collections of a time series are told
// by its own name.
func (c *Catalog) keptDatabase(
	ctx context.Context, until time.Time, db databaseEntry, listed map[string]bool,
) (kept zones.Database, err error) {
	kept = zones.Database{Name: db.Name, Primary: db.Primary}
	var defined []definition
	defined, kept.Unread, err = answered(ctx, time.Until(until), func(ctx context.Context) ([]definition, error) {
		return c.definitionsIn(ctx, db.Name, bson.A{bson.Regex{}})
	})
	if err != nil || kept.Unread != "" {
		return kept, err
	}
	for _, d := range defined {
		name := db.Name + "." + d.Name
		if d.Type == "view" || listed[name] || listed[db.Name+".system.buckets."+d.Name] {
			continue
		}
		kept.Collections = append(kept.Collections, zones.Collection{
			Name: name, Exists: true, TimeSeries: d.Type == "timeseries", Encrypted: d.encrypted(), Primary: db.Primary,
		})
	}
	slices.SortFunc(kept.Collections, func(a, b zones.Collection) int { return strings.Compare(a.Name, b.Name) })
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := range kept.Collections {
		group.Go(func() error { return c.sized(inner, until, &kept.Collections[i]) })
	}
	return kept, group.Wait()
}

// sized asks for the sizes of a collection on each shard; Unread says why they were not told.
func (c *Catalog) sized(ctx context.Context, until time.Time, of *zones.Collection) (err error) {
	ask := func(ctx context.Context) (map[topology.ShardID]zones.Size, error) { return c.sizes(ctx, of.Name) }
	of.Sizes, of.Unread, err = answered(ctx, time.Until(until), ask)
	return err
}
