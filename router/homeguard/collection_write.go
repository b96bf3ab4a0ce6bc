package homeguard

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"reflect"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// FindOneAndUpdate is the driver's.
func (c *Collection) FindOneAndUpdate(ctx context.Context, filter, update any, opts ...options.Lister[options.FindOneAndUpdateOptions]) *mongo.SingleResult {
	if err := c.check(ctx, findAndModifyCommand, filter, gathered(opts).Collation); err != nil {
		return refusedResult(err)
	}
	return c.inner.FindOneAndUpdate(ctx, filter, update, opts...)
}

// FindOneAndReplace is the driver's.
func (c *Collection) FindOneAndReplace(ctx context.Context, filter, replacement any, opts ...options.Lister[options.FindOneAndReplaceOptions]) *mongo.SingleResult {
	if err := c.check(ctx, findAndModifyCommand, filter, gathered(opts).Collation); err != nil {
		return refusedResult(err)
	}
	return c.inner.FindOneAndReplace(ctx, filter, replacement, opts...)
}

// FindOneAndDelete is the driver's.
func (c *Collection) FindOneAndDelete(ctx context.Context, filter any, opts ...options.Lister[options.FindOneAndDeleteOptions]) *mongo.SingleResult {
	if err := c.check(ctx, findAndModifyCommand, filter, gathered(opts).Collation); err != nil {
		return refusedResult(err)
	}
	return c.inner.FindOneAndDelete(ctx, filter, opts...)
}

// InsertOne is the driver's.
func (c *Collection) InsertOne(ctx context.Context, document any, opts ...options.Lister[options.InsertOneOptions]) (*mongo.InsertOneResult, error) {
	if err := c.check(ctx, insertCommand, document, nil); err != nil {
		return nil, err
	}
	return c.inner.InsertOne(ctx, document, opts...)
}

// InsertMany is the driver's.
func (c *Collection) InsertMany(ctx context.Context, documents any, opts ...options.Lister[options.InsertManyOptions]) (*mongo.InsertManyResult, error) {
	if list := reflect.ValueOf(documents); list.Kind() == reflect.Slice {
		for i := range list.Len() {
			if err := c.check(ctx, insertCommand, list.Index(i).Interface(), nil); err != nil {
				return nil, fmt.Errorf("document %d: %w", i, err)
			}
		}
	}
	return c.inner.InsertMany(ctx, documents, opts...)
}

// UpdateOne is the driver's.
func (c *Collection) UpdateOne(ctx context.Context, filter, update any, opts ...options.Lister[options.UpdateOneOptions]) (*mongo.UpdateResult, error) {
	if err := c.check(ctx, updateCommand, filter, gathered(opts).Collation); err != nil {
		return nil, err
	}
	return c.inner.UpdateOne(ctx, filter, update, opts...)
}

// UpdateByID is the driver's. It has a home only where _id decides on the zone.
func (c *Collection) UpdateByID(ctx context.Context, id, update any, opts ...options.Lister[options.UpdateOneOptions]) (*mongo.UpdateResult, error) {
	if err := c.check(ctx, updateCommand, bson.D{{Key: "_id", Value: id}}, gathered(opts).Collation); err != nil {
		return nil, err
	}
	return c.inner.UpdateByID(ctx, id, update, opts...)
}

// UpdateMany is the driver's.
func (c *Collection) UpdateMany(ctx context.Context, filter, update any, opts ...options.Lister[options.UpdateManyOptions]) (*mongo.UpdateResult, error) {
	if err := c.check(ctx, updateCommand, filter, gathered(opts).Collation); err != nil {
		return nil, err
	}
	return c.inner.UpdateMany(ctx, filter, update, opts...)
}

// ReplaceOne is the driver's.
func (c *Collection) ReplaceOne(ctx context.Context, filter, replacement any, opts ...options.Lister[options.ReplaceOptions]) (*mongo.UpdateResult, error) {
	if err := c.check(ctx, updateCommand, filter, gathered(opts).Collation); err != nil {
		return nil, err
	}
	return c.inner.ReplaceOne(ctx, filter, replacement, opts...)
}

// DeleteOne is the driver's.
func (c *Collection) DeleteOne(ctx context.Context, filter any, opts ...options.Lister[options.DeleteOneOptions]) (*mongo.DeleteResult, error) {
	if err := c.check(ctx, deleteCommand, filter, gathered(opts).Collation); err != nil {
		return nil, err
	}
	return c.inner.DeleteOne(ctx, filter, opts...)
}

// DeleteMany is the driver's.
func (c *Collection) DeleteMany(ctx context.Context, filter any, opts ...options.Lister[options.DeleteManyOptions]) (*mongo.DeleteResult, error) {
	if err := c.check(ctx, deleteCommand, filter, gathered(opts).Collation); err != nil {
		return nil, err
	}
	return c.inner.DeleteMany(ctx, filter, opts...)
}

// BulkWrite is the driver's.
func (c *Collection) BulkWrite(ctx context.Context, models []mongo.WriteModel, opts ...options.Lister[options.BulkWriteOptions]) (*mongo.BulkWriteResult, error) {
	for i, m := range models {
		if err := c.checkModel(ctx, m); err != nil {
			return nil, fmt.Errorf("write %d: %w", i, err)
		}
	}
	return c.inner.BulkWrite(ctx, models, opts...)
}

func (c *Collection) checkModel(ctx context.Context, m mongo.WriteModel) error {
	switch m := m.(type) {
	case *mongo.InsertOneModel:
		return c.check(ctx, insertCommand, m.Document, nil)
	case *mongo.UpdateOneModel:
		return c.check(ctx, updateCommand, m.Filter, m.Collation)
	case *mongo.UpdateManyModel:
		return c.check(ctx, updateCommand, m.Filter, m.Collation)
	case *mongo.ReplaceOneModel:
		return c.check(ctx, updateCommand, m.Filter, m.Collation)
	case *mongo.DeleteOneModel:
		return c.check(ctx, deleteCommand, m.Filter, m.Collation)
	case *mongo.DeleteManyModel:
		return c.check(ctx, deleteCommand, m.Filter, m.Collation)
	default:
		return nil // the driver refuses it
	}
}

// marshaller encodes documents as the driver will, as far as it matters for their fields. It returns nil for what cannot be encoded.
func (g *Guard) marshaller(given *options.CollectionOptions) func(any) bson.Raw {
	registry, names := cmp.Or(given.Registry, g.options.Client.Registry), cmp.Or(given.BSONOptions, g.options.Client.BSONOptions, &options.BSONOptions{})
	return func(v any) bson.Raw {
		if raw, ok := v.(bson.Raw); ok {
			return raw
		}
		if v == nil {
			return nil
		}
		var buffer bytes.Buffer
		encoder := bson.NewEncoder(bson.NewDocumentWriter(&buffer))
		if registry != nil {
			encoder.SetRegistry(registry)
		}
		if names.UseJSONStructTags {
			encoder.UseJSONStructTags()
		}
		if names.OmitEmpty {
			encoder.OmitEmpty()
		}
		if err := encoder.Encode(v); err != nil {
			return nil
		}
		return buffer.Bytes()
	}
}
