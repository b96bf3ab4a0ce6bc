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

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/topology"
)

// Setup creates the collections, their indexes and their validators, as far as they are not there, side by side. Shard them before there is data in them: see
// Namespaces. others are validators that collections are to have beside ours, by their names; nil = those that they have.
func (s *Store) Setup(ctx context.Context, others map[string]bson.Raw) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, c := range collections {
		group.Go(func() error {
			if err := s.setup(ctx, c, others[c.name]); err != nil {
				return fmt.Errorf("set up %s.%s: %w", s.db.Name(), c.name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// PlaceAt makes the database, if it is not there, with a shard as its primary: the one from which collections are made.
func (s *Store) PlaceAt(ctx context.Context, shard topology.ShardID) error {
	there, err := s.client.Database("config").Collection("databases").CountDocuments(ctx, doc("_id", s.db.Name()))
	if err != nil || there > 0 {
		return err
	}
	err = s.client.Database("admin").RunCommand(ctx, doc("enableSharding", s.db.Name(), "primaryShard", shard)).Err()
	if err != nil {
		return fmt.Errorf("make the database %s: %w", s.db.Name(), err)
	}
	return nil
}

// namespaceExists is the server's code for a collection that is there already.
const namespaceExists = 48

func (s *Store) setup(ctx context.Context, c collection, others bson.Raw) error {
	validator, err := withOurs(others, s.schema(c.name))
	if err != nil {
		return err
	}
	err = s.db.CreateCollection(ctx, c.name, options.CreateCollection().SetValidator(validator))
	exists := refused(err, namespaceExists)
	if err != nil && !exists {
		return err
	}
	if _, err := s.db.Collection(c.name).Indexes().CreateMany(ctx, s.indexes(c)); err != nil || !exists {
		return err
	}
	return s.validate(ctx, c.name, others)
}

// indexes are those beside the shard key's, which sharding makes. All begin with the datacenter but the one
// by which old carts are removed, and the one that finds the order of a cart that has moved.
func (s *Store) indexes(c collection) []mongo.IndexModel {
	all := []mongo.IndexModel{{Keys: doc(s.field, 1, c.second, 1)}}
	switch c.name {
	case carts:
		return append(all, []mongo.IndexModel{
			{Keys: doc(s.field, 1, "status", 1, "items.sku", 1)},
			{Keys: doc(s.field, 1, "shippingDue", 1), Options: options.Index().SetPartialFilterExpression(doc("shippingDue", true))},
			{Keys: doc("expires", 1), Options: options.Index().SetExpireAfterSeconds(0)},
		}...)
	case orders:
		return append(all, mongo.IndexModel{Keys: doc("orderId", 1)})
	case notices:
		return append(all, mongo.IndexModel{Keys: doc(s.field, 1, "key", 1)})
	}
	return all
}

// validate gives a collection our part of its validator. Other parts stay: that of geoshard's zones refuses datacenters that nobody declared.
func (s *Store) validate(ctx context.Context, name string, others bson.Raw) error {
	specifications, err := s.db.ListCollectionSpecifications(ctx, doc("name", name))
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
	return s.db.RunCommand(ctx, doc("collMod", name, "validator", want)).Err()
}

// withOurs replaces our part of a validator and keeps all others, in their order, behind it.
func withOurs(now bson.Raw, schema bson.D) (bson.Raw, error) {
	ours, err := bson.Marshal(doc("$jsonSchema", schema))
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
	return bson.Marshal(doc("$and", parts))
}

// partsOf takes a validator apart at its $and.
func partsOf(validator bson.Raw) []bson.Raw {
	elements, err := validator.Elements()
	if err != nil || len(elements) == 0 {
		return nil
	}
	array, _ := elements[0].Value().ArrayOK()
	values, err := array.Values()
	if err != nil || len(elements) != 1 || elements[0].Key() != "$and" {
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
		raw, err := s.client.Database("config").Collection("collections").FindOne(ctx, doc("_id", ns.Name)).Raw()
		if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
			return nil, fmt.Errorf("read how %s is sharded: %w", ns.Name, err)
		}
		key, _ := raw.Lookup("key").DocumentOK()
		if first, err := key.IndexErr(0); err != nil || first.Key() != s.field {
			names = append(names, ns.Name)
		}
	}
	return names, nil
}

// markOfOurs begins the title of our schemas, by which they are found again.
const markOfOurs = "cart: shape of "

// schema is what documents of a collection look like. It holds off what no version of this program writes, such as stock below nothing.
func (s *Store) schema(name string) bson.D {
	fields := map[string]bson.D{
		carts: doc(
			"cartId", text, "items", list(items(), cart.MaxItems), "status", doc("enum", []cart.Status{cart.Open, cart.Ordered, cart.Abandoned}),
			"version", least(1), "created", date, "updated", date, "done", list(doc("bsonType", "object"), cart.MaxKeys),
		),
		orders:    doc("orderId", text, "items", list(items(), cart.MaxItems), "total", least(0), "currency", text, "placed", date),
		stock:     doc("sku", text, "available", least(0)),
		catalogue: doc("sku", text, "name", text, "price", least(0), "currency", text),
		notices:   doc("seq", least(1), "sku", text, "until", date, "key", text),
		cursors:   doc("name", text, "seq", least(0)),
	}[name]
	properties := append(doc("_id", text, s.field, text), fields...)
	required := bson.A{}
	for _, f := range properties {
		required = append(required, f.Key)
	}
	return append(doc("title", markOfOurs+name), object(required, properties)...)
}

var (
	text = doc("bsonType", "string")
	date = doc("bsonType", "date")
)

func object(required bson.A, properties bson.D) bson.D {
	return doc("bsonType", "object", "required", required, "properties", properties)
}

func least(n int) bson.D { return doc("bsonType", bson.A{"int", "long"}, "minimum", n) }

func list(of bson.D, most int) bson.D { return doc("bsonType", "array", "maxItems", most, "items", of) }

func items() bson.D {
	quantity := append(least(1), doc("maximum", cart.MaxQuantity)...)
	return object(bson.A{"sku", "quantity", "price", "currency"}, doc("sku", text, "quantity", quantity, "price", least(0), "currency", text))
}
