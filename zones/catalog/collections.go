package catalog

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// scope are the namespaces to read, sorted by kind.
type scope struct {
	names []string
	// prefixes are "shop." for all collections of shop, "shop.eu." for those whose names begin with "eu.".
	prefixes []string
}

func scopeOf(namespaces []string) scope {
	var s scope
	for _, ns := range namespaces {
		if prefix, ok := strings.CutSuffix(ns, "*"); ok {
			s.prefixes = append(s.prefixes, prefix)
		} else {
			s.names = append(s.names, ns)
		}
	}
	return s
}

// filter matches the documents of the catalogue whose field is a namespace of the scope.
func (s scope) filter(field string) bson.D {
	if len(s.names)+len(s.prefixes) == 0 {
		return bson.D{}
	}
	either := bson.A{bson.D{{Key: field, Value: bson.D{{Key: "$in", Value: append([]string{}, s.names...)}}}}}
	for _, prefix := range s.prefixes {
		either = append(either, bson.D{{Key: field, Value: beginning(prefix)}})
	}
	return bson.D{{Key: "$or", Value: either}}
}

// beginning matches what begins with a text.
func beginning(text string) bson.Regex { return bson.Regex{Pattern: "^" + regexp.QuoteMeta(text)} }

// A found collection is what becomes a zones.Collection, with what it takes to read its chunks.
type found struct {
	zones.Collection
	uuid bson.Binary
}

// collections reads everything that is known of the namespaces.
func (c *Catalog) collections(ctx context.Context, namespaces []string) ([]zones.Collection, error) {
	byName, err := c.listed(ctx, namespaces)
	if err != nil {
		return nil, err
	}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, f := range byName {
		group.Go(func() error { return c.details(inner, f) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return sorted(byName), nil
}

// listed reads what the catalogue and the databases have of the namespaces in their lists: all but details.
func (c *Catalog) listed(ctx context.Context, namespaces []string) (map[string]*found, error) {
	s := scopeOf(namespaces)
	byName := map[string]*found{}
	at := func(name string) *found {
		if byName[name] == nil {
			byName[name] = &found{Collection: zones.Collection{Name: name}}
		}
		return byName[name]
	}
	for _, name := range s.names {
		at(name)
	}
	if err := c.sharded(ctx, s, at); err != nil {
		return nil, err
	}
	if err := c.ranges(ctx, s, at); err != nil {
		return nil, err
	}
	return byName, c.definitions(ctx, s, byName, at)
}

func sorted(byName map[string]*found) []zones.Collection {
	list := make([]zones.Collection, 0, len(byName))
	for _, f := range byName {
		list = append(list, f.Collection)
	}
	slices.SortFunc(list, func(a, b zones.Collection) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// sharded reads config.collections.
func (c *Catalog) sharded(ctx context.Context, s scope, at func(string) *found) error {
	var entries []struct {
		Name         string      `bson:"_id"`
		UUID         bson.Binary `bson:"uuid"`
		Key          bson.Raw    `bson:"key"`
		Unique       bool        `bson:"unique"`
		NoBalance    bool        `bson:"noBalance"`
		Dropped      bool        `bson:"dropped"`
		Unsplittable bool        `bson:"unsplittable"` // since 8.0 the catalogue has unsharded collections too
	}
	if err := c.all(ctx, "read the sharded collections", "collections", s.filter("_id"), nil, &entries); err != nil {
		return err
	}
	for _, e := range entries {
		if e.Dropped || e.Unsplittable || internalNamespace(e.Name) {
			continue
		}
		key, err := shardkey.ReadKey(e.Key)
		if err != nil {
			return &Error{What: "read the shard key of " + e.Name, Kind: ErrUnsupportedKey, Err: err, hint: "geoshard knows keys of fields with 1 and \"hashed\""}
		}
		f := at(e.Name)
		f.Sharded, f.Exists, f.Key, f.Unique, f.NoBalance, f.uuid = true, true, key, e.Unique, e.NoBalance, e.UUID
	}
	return nil
}

// internalNamespace reports whether a namespace is the servers' own business.
func internalNamespace(name string) bool {
	db, collection, _ := strings.Cut(name, ".")
	return db == "config" || db == "admin" || db == "local" || strings.HasPrefix(collection, "system.")
}

// ranges reads config.tags, sorted by their minimum. Collections without a key are sorted too: all bounds of one have the same fields.
func (c *Catalog) ranges(ctx context.Context, s scope, at func(string) *found) error {
	cursor, err := c.config().Collection("tags").Find(ctx, s.filter("ns"), options.Find().SetProjection(bson.D{{Key: "_id", Value: 0}}).SetBatchSize(bigBatch))
	if err != nil {
		return c.fail("read the ranges", "find", "config.tags", err)
	}
	defer func() { _ = cursor.Close(context.WithoutCancel(ctx)) }()
	touched := map[*found]bool{}
	for cursor.Next(ctx) {
		var entry tagEntry
		if err := cursor.Decode(&entry); err != nil {
			return c.fail("read the ranges", "find", "config.tags", err)
		}
		if internalNamespace(entry.Namespace) {
			continue
		}
		f := at(entry.Namespace)
		f.Ranges = append(f.Ranges, entry.zoneRange())
		touched[f] = true
	}
	for f := range touched {
		slices.SortFunc(f.Ranges, func(a, b zones.Range) int { return shardkey.CompareKeys(a.Min, b.Min) })
	}
	return c.fail("read the ranges", "find", "config.tags", cursor.Err())
}

// A tagEntry is a document of config.tags.
type tagEntry struct {
	Namespace string          `bson:"ns"`
	Min       bson.Raw        `bson:"min"`
	Max       bson.Raw        `bson:"max"`
	Zone      topology.ZoneID `bson:"tag"`
}

func (t tagEntry) zoneRange() zones.Range { return zones.Range{Min: t.Min, Max: t.Max, Zone: t.Zone} }

// details reads a collection's chunks, indexes and sizes.
func (c *Catalog) details(ctx context.Context, f *found) error {
	var err error
	if f.Sharded {
		if f.Chunks, err = c.chunks(ctx, f.Name, f.uuid); err != nil {
			return err
		}
	}
	if !f.Exists || f.View || f.TimeSeries {
		return nil
	}
	if f.Indexes, err = c.indexes(ctx, f.Name); err != nil {
		return err
	}
	f.Sizes, err = c.sizes(ctx, f.Name)
	return err
}

// indexes returns nil if the user may not see them, or if the collection is gone.
func (c *Catalog) indexes(ctx context.Context, name string) ([]zones.Index, error) {
	list := []zones.Index{}
	cursor, err := c.collection(name).Indexes().List(ctx)
	if err == nil {
		err = cursor.All(ctx, &list)
	}
	if refused(err) || codeOf(err) == codeNamespaceNotFound {
		return nil, nil
	}
	return list, c.fail("read the indexes of "+name, "listIndexes", name, err)
}

// sizes returns what each shard says of its part; nil if the user may not see it, or if the collection is gone.
func (c *Catalog) sizes(ctx context.Context, name string) (map[topology.ShardID]zones.Size, error) {
	db, collection, _ := strings.Cut(name, ".")
	cursor, err := c.client.Database(db).Collection(collection).Aggregate(ctx, mongo.Pipeline{
		{{Key: "$collStats", Value: bson.D{{Key: "storageStats", Value: bson.D{}}}}},
		{{Key: "$project", Value: bson.D{{Key: "shard", Value: 1}, {Key: "count", Value: "$storageStats.count"}, {Key: "size", Value: "$storageStats.size"}}}},
	})
	var parts []struct {
		Shard topology.ShardID `bson:"shard"`
		Count int64            `bson:"count"`
		Size  int64            `bson:"size"`
	}
	if err == nil {
		err = cursor.All(ctx, &parts)
	}
	if refused(err) || codeOf(err) == codeNamespaceNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, c.fail("read the sizes of "+name, "$collStats", name, err)
	}
	sizes := map[topology.ShardID]zones.Size{}
	for _, p := range parts {
		sizes[p.Shard] = zones.Size{Documents: p.Count, Bytes: p.Size}
	}
	return sizes, nil
}
