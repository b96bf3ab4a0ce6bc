package catalog

import (
	"context"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
)

// A definition is an entry of listCollections.
type definition struct {
	Name, Type string
	Options    struct {
		Validator bson.Raw
		Level     string `bson:"validationLevel"`
		Action    string `bson:"validationAction"`
	}
}

// A databaseEntry is a document of config.databases.
type databaseEntry struct {
	Name    string `bson:"_id"`
	Primary topology.ShardID
}

// definitions asks each database for its primary shard, and for what its collections are.
func (c *Catalog) definitions(ctx context.Context, s scope, all byName) error {
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
	if err := c.all(ctx, "read the databases", "databases", bson.D{}, &databases); err != nil {
		return err
	}
	primaries := map[string]topology.ShardID{}
	for _, db := range databases {
		collections, ok := wanted[db.Name]
		if !ok {
			continue
		}
		primaries[db.Name] = db.Primary
		defined, err := c.definitionsIn(ctx, db.Name, collections)
		if err != nil {
			return err
		}
		for _, d := range defined {
			all.at(db.Name + "." + d.Name).define(d)
		}
	}
	for name, f := range all {
		db, _, _ := strings.Cut(name, ".")
		f.Primary = primaries[db]
	}
	return nil
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
	if len(d.Options.Validator) > len(emptyDocument) { // level and action stay behind when a validator is removed
		f.Validator, f.ValidationLevel, f.ValidationAction = d.Options.Validator, d.Options.Level, d.Options.Action
	}
}

var emptyDocument = bson.Raw{5, 0, 0, 0, 0}
