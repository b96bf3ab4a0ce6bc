package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/topology"
)

// Setup creates the collections, their indexes and their validators, as far as they are not there, side by side. Shard them before there is data in them: see
// Namespaces. others are validators that collections are to have beside ours, by their names; nil = those that they have.
func (s *Store) Setup(ctx context.Context, others map[string]bson.Raw) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, name := range []string{carts, orders, stock, catalogue, notices, cursors} {
		group.Go(func() error {
			if err := s.setup(ctx, name, others[name]); err != nil {
				return fmt.Errorf("set up %s.%s: %w", s.db.Name(), name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// PlaceAt makes the database, if it is not there, with a shard as its primary: the one from which collections are made.
func (s *Store) PlaceAt(ctx context.Context, shard topology.ShardID) error {
	there, err := s.client.Database("config").Collection("databases").CountDocuments(ctx, bson.D{{Key: "_id", Value: s.db.Name()}})
	if err != nil || there > 0 {
		return err
	}
	err = s.client.Database("admin").RunCommand(ctx, bson.D{{Key: "enableSharding", Value: s.db.Name()}, {Key: "primaryShard", Value: shard}}).Err()
	if err != nil {
		return fmt.Errorf("make the database %s: %w", s.db.Name(), err)
	}
	return nil
}

// namespaceExists is the server's code for a collection that is there already.
const namespaceExists = 48

func (s *Store) setup(ctx context.Context, name string, others bson.Raw) error {
	validator, err := withOurs(others, s.schema(name))
	if err != nil {
		return err
	}
	err = s.db.CreateCollection(ctx, name, options.CreateCollection().SetValidator(validator))
	exists := refused(err, namespaceExists)
	if err != nil && !exists {
		return err
	}
	if indexes := s.indexes(name); len(indexes) > 0 {
		if _, err := s.db.Collection(name).Indexes().CreateMany(ctx, indexes); err != nil {
			return err
		}
	}
	if exists {
		return s.validate(ctx, name, others)
	}
	return nil
}

// indexes are those beside the shard key's, which sharding makes. All begin with the datacenter but the one
// by which old carts are removed, and the one that finds the order of a cart that has moved.
func (s *Store) indexes(collection string) []mongo.IndexModel {
	by := func(names ...string) bson.D {
		keys := bson.D{{Key: s.field, Value: 1}}
		for _, name := range names {
			keys = append(keys, bson.E{Key: name, Value: 1})
		}
		return keys
	}
	switch collection {
	case carts:
		return []mongo.IndexModel{
			{Keys: by("cartId")},
			{Keys: by("status", "items.sku")},
			{Keys: by("shippingDue"), Options: options.Index().SetPartialFilterExpression(bson.D{{Key: "shippingDue", Value: true}})},
			{Keys: bson.D{{Key: "expires", Value: 1}}, Options: options.Index().SetExpireAfterSeconds(0)},
		}
	case orders:
		return []mongo.IndexModel{{Keys: by("orderId")}, {Keys: bson.D{{Key: "orderId", Value: 1}}}}
	case stock, catalogue:
		return []mongo.IndexModel{{Keys: by("sku")}}
	case notices:
		return []mongo.IndexModel{{Keys: by("seq")}, {Keys: by("key")}}
	case cursors:
		return []mongo.IndexModel{{Keys: by("name")}}
	}
	return nil
}

// validate gives a collection our part of its validator. Other parts stay: that of geoshard's zones refuses datacenters that nobody declared.
func (s *Store) validate(ctx context.Context, name string, others bson.Raw) error {
	specifications, err := s.db.ListCollectionSpecifications(ctx, bson.D{{Key: "name", Value: name}})
	if err != nil {
		return err
	}
	var now bson.Raw
	if len(specifications) == 1 {
		now, _ = specifications[0].Options.Lookup("validator").DocumentOK()
	}
	if len(others) == 0 {
		others = now
	}
	want, err := withOurs(others, s.schema(name))
	if err != nil || bytes.Equal(want, now) {
		return err
	}
	return s.db.RunCommand(ctx, bson.D{{Key: "collMod", Value: name}, {Key: "validator", Value: want}}).Err()
}

// withOurs replaces our part of a validator and keeps all others, in their order, behind it.
func withOurs(now bson.Raw, schema bson.D) (bson.Raw, error) {
	ours, err := bson.Marshal(bson.D{{Key: "$jsonSchema", Value: schema}})
	if err != nil {
		return nil, err
	}
	parts := bson.A{bson.Raw(ours)}
	for _, part := range partsOf(now) {
		if title, _ := part.Lookup("$jsonSchema", "title").StringValueOK(); !strings.HasPrefix(title, markOfOurs) {
			parts = append(parts, part)
		}
	}
	if len(parts) == 1 {
		return ours, nil
	}
	return bson.Marshal(bson.D{{Key: "$and", Value: parts}})
}

// partsOf takes a validator apart at its $and.
func partsOf(validator bson.Raw) []bson.Raw {
	elements, err := validator.Elements()
	if err != nil || len(elements) == 0 {
		return nil
	}
	array, ok := elements[0].Value().ArrayOK()
	if len(elements) != 1 || elements[0].Key() != "$and" || !ok {
		return []bson.Raw{validator}
	}
	values, err := array.Values()
	if err != nil {
		return []bson.Raw{validator}
	}
	var parts []bson.Raw
	for _, v := range values {
		parts = append(parts, partsOf(v.Document())...)
	}
	return parts
}

// Unsharded are the collections that are not sharded by the datacenter first: then records are not where they belong, and a checkout may span shards.
func (s *Store) Unsharded(ctx context.Context) ([]string, error) {
	var names []string
	for _, ns := range Namespaces(s.db.Name(), s.field) {
		raw, err := s.client.Database("config").Collection("collections").FindOne(ctx, bson.D{{Key: "_id", Value: ns.Name}}).Raw()
		if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
			return nil, fmt.Errorf("read how %s is sharded: %w", ns.Name, err)
		}
		key, _ := raw.Lookup("key").DocumentOK()
		elements, err := key.Elements()
		if err != nil || len(elements) == 0 || elements[0].Key() != s.field {
			names = append(names, ns.Name)
		}
	}
	return names, nil
}
