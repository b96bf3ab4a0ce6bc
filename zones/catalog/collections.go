package catalog

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
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
	s := scope{names: []string{}}
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
func (s scope) filter(field string) bson.M {
	if len(s.names)+len(s.prefixes) == 0 {
		return bson.M{}
	}
	either := bson.A{bson.M{field: bson.M{"$in": s.names}}}
	for _, prefix := range s.prefixes {
		either = append(either, bson.M{field: beginning(prefix)})
	}
	return bson.M{"$or": either}
}

// beginning matches what begins with a text.
func beginning(text string) bson.Regex { return bson.Regex{Pattern: "^" + regexp.QuoteMeta(text)} }

// A found collection is what becomes a zones.Collection, with what it takes to read its chunks.
type found struct {
	zones.Collection
	uuid bson.Binary
}

// byName are collections by their names.
type byName map[string]*found

// at is the collection of that name.
func (all byName) at(name string) *found {
	if all[name] == nil {
		all[name] = &found{Collection: zones.Collection{Name: name}}
	}
	return all[name]
}

func (all byName) sorted() []zones.Collection {
	list := make([]zones.Collection, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[name].Collection)
	}
	return list
}

// collections reads everything that is known of the namespaces into a state.
func (c *Catalog) collections(ctx context.Context, namespaces []string, state *zones.State) error {
	all, err := c.listed(ctx, namespaces, state)
	if err != nil {
		return err
	}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, f := range all {
		group.Go(func() error { return c.details(inner, f) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	state.Collections = all.sorted()
	return nil
}

// listed reads what the catalogue and the databases have of the namespaces in their lists: all but details. The state gets the names of all databases, and those that
// did not answer.
func (c *Catalog) listed(ctx context.Context, namespaces []string, state *zones.State) (byName, error) {
	s, all := scopeOf(namespaces), byName{}
	for _, name := range s.names {
		all.at(name)
	}
	if err := c.sharded(ctx, s, all); err != nil {
		return nil, err
	}
	if err := c.ranges(ctx, s, all); err != nil {
		return nil, err
	}
	return all, c.definitions(ctx, s, all, state)
}

// A collectionEntry is a document of config.collections.
type collectionEntry struct {
	Name         string `bson:"_id"`
	UUID         bson.Binary
	Key          bson.Raw
	Unique       bool
	NoBalance    bool `bson:"noBalance"`
	Dropped      bool
	Unsplittable bool     // serverversion.UnshardedListed
	Series       bson.Raw `bson:"timeseriesFields"` // serverversion.ViewlessSeries
}

// sharded reports whether the entry is of a collection that is sharded by a key of its documents'
// fields, and nobody's own business but the user's.
func (e collectionEntry) sharded() bool {
	return !e.Dropped && !e.Unsplittable && e.Series == nil && !internalNamespace(e.Name)
}

// sharded reads config.collections.
func (c *Catalog) sharded(ctx context.Context, s scope, all byName) error {
	var entries []collectionEntry
	if err := c.all(ctx, "read the sharded collections", "collections", s.filter("_id"), &entries); err != nil {
		return err
	}
	for _, e := range entries {
		if !e.sharded() {
			continue
		}
		key, err := readKey("read the shard key of "+e.Name, e.Key)
		if err != nil {
			return err
		}
		f := all.at(e.Name)
		f.Sharded, f.Exists, f.Key, f.Unique, f.NoBalance, f.uuid = true, true, key, e.Unique, e.NoBalance, e.UUID
	}
	return nil
}

// readKey reads a shard key of the catalogue.
func readKey(what string, raw bson.Raw) (topology.Key, error) {
	key, err := shardkey.ReadKey(raw)
	if err != nil {
		return nil, &Error{What: what, Kind: ErrUnsupportedKey, Err: err, hint: "geoshard knows keys of fields with 1 and \"hashed\""}
	}
	return key, nil
}

// internalNamespace reports whether a namespace is the servers' own business.
func internalNamespace(name string) bool {
	db, collection, _ := strings.Cut(name, ".")
	return db == "config" || db == "admin" || db == "local" || strings.HasPrefix(collection, "system.")
}

// ranges reads config.tags, sorted by their minimum. Collections without a key are sorted too: all bounds of one have the same fields.
func (c *Catalog) ranges(ctx context.Context, s scope, all byName) error {
	var entries []tagEntry
	if err := c.all(ctx, "read the ranges", "tags", s.filter("ns"), &entries, options.Find().SetProjection(bson.M{"_id": 0}).SetBatchSize(bigBatch)); err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b tagEntry) int { return shardkey.CompareKeys(a.Min, b.Min) })
	for _, entry := range entries {
		if !internalNamespace(entry.Namespace) {
			f := all.at(entry.Namespace)
			f.Ranges = append(f.Ranges, entry.zoneRange())
		}
	}
	return nil
}

// A tagEntry is a document of config.tags.
type tagEntry struct {
	Namespace string `bson:"ns"`
	Min, Max  bson.Raw
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
	if !f.Exists || f.View || f.TimeSeries || f.Unread != "" {
		return nil
	}
	if f.Indexes, f.Unread, err = answered(ctx, shardAnswersWithin, func(ctx context.Context) ([]zones.Index, error) { return c.indexes(ctx, f.Name) }); err != nil || f.Unread != "" {
		return err
	}
	f.Sizes, f.Unread, err = answered(ctx, shardAnswersWithin, func(ctx context.Context) (map[topology.ShardID]zones.Size, error) { return c.sizes(ctx, f.Name) })
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
	cursor, err := c.client.Database(db).Collection(collection).Aggregate(ctx, []bson.M{
		{"$collStats": bson.M{"storageStats": bson.M{}}},
		{"$project": bson.M{"shard": 1, "count": "$storageStats.count", "size": "$storageStats.size"}},
	})
	var parts []struct {
		Shard       topology.ShardID
		Count, Size int64
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
