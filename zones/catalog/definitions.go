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
	Name    string `bson:"name"`
	Type    string `bson:"type"`
	Options struct {
		Validator bson.Raw `bson:"validator"`
		Level     string   `bson:"validationLevel"`
		Action    string   `bson:"validationAction"`
	} `bson:"options"`
}

// definitions asks each database for its primary shard, and for what its collections are.
func (c *Catalog) definitions(ctx context.Context, s scope, byName map[string]*found, at func(string) *found) error {
	names, wanted := map[string][]string{}, map[string]bson.A{}
	for name := range byName {
		db, collection, _ := strings.Cut(name, ".")
		names[db] = append(names[db], collection)
		wanted[db] = append(wanted[db], collection)
	}
	for _, prefix := range s.prefixes {
		db, collections, _ := strings.Cut(prefix, ".")
		wanted[db] = append(wanted[db], beginning(collections))
	}
	var databases []struct {
		Name    string           `bson:"_id"`
		Primary topology.ShardID `bson:"primary"`
	}
	if err := c.all(ctx, "read the databases", "databases", bson.D{}, nil, &databases); err != nil {
		return err
	}
	for _, db := range databases {
		collections, ok := wanted[db.Name]
		if !ok {
			continue
		}
		for _, name := range names[db.Name] {
			at(db.Name + "." + name).Primary = db.Primary
		}
		defined, err := c.definitionsIn(ctx, db.Name, collections)
		if err != nil {
			return err
		}
		for _, d := range defined {
			at(db.Name+"."+d.Name).define(d, db.Primary)
		}
	}
	return nil
}

// definitionsIn lists collections of a database, by names and beginnings of names.
func (c *Catalog) definitionsIn(ctx context.Context, db string, names bson.A) ([]definition, error) {
	filter := bson.D{{Key: "name", Value: bson.D{{Key: "$in", Value: names}}}}
	var list []definition
	cursor, err := c.database(db).ListCollections(ctx, filter)
	if err == nil {
		err = cursor.All(ctx, &list)
	}
	list = slices.DeleteFunc(list, func(d definition) bool { return strings.HasPrefix(d.Name, "system.") })
	return list, c.fail("read the collections of "+db, "listCollections", "the database "+db, err)
}

func (f *found) define(d definition, primary topology.ShardID) {
	f.Exists, f.Primary = true, primary
	f.View, f.TimeSeries = d.Type == "view", d.Type == "timeseries"
	if len(d.Options.Validator) > len(emptyDocument) { // level and action stay behind when a validator is removed
		f.Validator, f.ValidationLevel, f.ValidationAction = d.Options.Validator, d.Options.Level, d.Options.Action
	}
}

var emptyDocument = bson.Raw{5, 0, 0, 0, 0}
