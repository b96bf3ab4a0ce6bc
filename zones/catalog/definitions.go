package catalog

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// A definition is an entry of listCollections.
type definition struct {
	Name, Type string
	Options    struct {
		Validator bson.Raw
		Level     string `bson:"validationLevel"`
		Action    string `bson:"validationAction"`
		Capped    bool
		Collation struct{ Locale string }
		Encrypted bson.Raw `bson:"encryptedFields"`
	}
}

// definitions asks each database for its primary shard, and for what its collections are. The state gets the names of all, and those that did not answer.
func (c *Catalog) definitions(ctx context.Context, s scope, all byName, state *zones.State) error {
	wanted := map[string]bson.A{}
	for name := range all {
		db, collection, _ := strings.Cut(name, ".")
		wanted[db] = append(wanted[db], collection)
	}
	for _, prefix := range s.prefixes {
		db, collections, _ := strings.Cut(prefix, ".")
		wanted[db] = append(wanted[db], beginning(collections))
	}
	var databases []databaseEntry
	if err := c.all(ctx, "read the databases", "databases", bson.D{}, &databases, options.Find().SetSort(bson.M{"_id": 1})); err != nil {
		return err
	}
	var mu sync.Mutex // held while the results are changed
	unlisted := map[string]string{}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, db := range databases {
		state.Databases = append(state.Databases, db.Name)
		collections, ok := wanted[db.Name]
		if !ok {
			continue
		}
		group.Go(func() error {
			defined, unread, err := answered(inner, shardAnswersWithin, func(ctx context.Context) ([]definition, error) { return c.definitionsIn(ctx, db.Name, collections) })
			mu.Lock()
			defer mu.Unlock()
			for _, d := range defined {
				all.at(db.Name + "." + d.Name).define(d)
			}
			if unread != "" {
				unlisted[db.Name] = unread
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for name, f := range all {
		db, _, _ := strings.Cut(name, ".")
		f.Unread = unlisted[db]
		if at := slices.IndexFunc(databases, func(d databaseEntry) bool { return d.Name == db }); at >= 0 {
			f.Primary = databases[at].Primary
		}
	}
	state.Unlisted = unlisted
	return nil
}

const (
	// shardAnswersWithin is how long a shard's servers may take for one of a catalogue's small questions: a router looks for a primary that died for twice as long.
	shardAnswersWithin = 10 * time.Second
	// shardsCountWithin is how long they may take to count documents, a part of them at a time.
	shardsCountWithin = 40 * time.Second
)

// answered asks the shards a question. If they do not answer in time, or fail, unread says so; err is that the caller's own time has ended.
func answered[T any](ctx context.Context, within time.Duration, ask func(context.Context) (T, error)) (answer T, unread string, err error) {
	bounded, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	answer, err = ask(bounded)
	if err != nil && ctx.Err() == nil {
		return answer, err.Error(), nil
	}
	return answer, "", err
}

// A databaseEntry is a document of config.databases.
type databaseEntry struct {
	Name    string `bson:"_id"`
	Primary topology.ShardID
}

// definitionsIn lists collections of a database, by names and beginnings of names.
func (c *Catalog) definitionsIn(ctx context.Context, db string, names bson.A) ([]definition, error) {
	var list []definition
	cursor, err := c.database(db).ListCollections(ctx, bson.M{"name": bson.M{"$in": names}})
	if err == nil {
		err = cursor.All(ctx, &list)
	}
	list = slices.DeleteFunc(list, func(d definition) bool { return strings.HasPrefix(d.Name, "system.") })
	return list, c.fail("read the collections of "+db, "listCollections", "the database "+db, err)
}

func (f *found) define(d definition) {
	f.Exists, f.View, f.TimeSeries = true, d.Type == "view", d.Type == "timeseries"
	f.Capped, f.Collation, f.Encrypted = d.Options.Capped, d.Options.Collation.Locale, d.encrypted()
	if len(d.Options.Validator) > len(emptyDocument) { // level and action stay behind when a validator is removed
		f.Validator, f.ValidationLevel, f.ValidationAction = d.Options.Validator, d.Options.Level, d.Options.Action
	}
}

// encrypted says whether it is one of Queryable Encryption, or one of the two that such a collection has beside it.
func (d definition) encrypted() bool {
	return d.Options.Encrypted != nil || strings.HasPrefix(d.Name, "enxcol_.")
}

var emptyDocument = bson.Raw{5, 0, 0, 0, 0}
