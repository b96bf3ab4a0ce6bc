package rehome

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/nstype"
	"github.com/geoshard/geoshard/placement"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

// A place is a collection and what its documents are to become.
type place struct {
	name string
	ns   topology.Namespace
	// majority is coll, for reads of what cannot be rolled back any more.
	coll, majority *mongo.Collection
	to             bson.RawValue
	// key is the shard key that the collection has, or else is to have.
	key topology.Key
	// A related collection has the value of the main one's field parent in its field by; both are empty for the main one.
	parent, by string
	// collation is the locale by which the collection compares strings, empty for their bytes.
	collation string
	counts    Moved
}

// simple compares strings by their bytes, as shard keys are.
var simple = &options.Collation{Locale: "simple"}

func byBytes() *options.CountOptionsBuilder { return options.Count().SetCollation(simple) }

func newPlace(client *mongo.Client, world *topology.Topology, name string, to topology.Value) (*place, error) {
	ns, ok := world.NamespaceOf(name)
	switch {
	case !ok || strings.HasSuffix(name, "*"):
		return nil, hint.New(fmt.Errorf("namespace %q: %w", name, topology.ErrUndeclared), "name one collection, such as shop.carts, and declare it in the topology")
	case ns.ZoneBy == "_id":
		return nil, hint.New(fmt.Errorf("%s: %w: its zone follows from _id, which never changes", name, ErrNotMovable), "insert the documents with other _ids, and delete these")
	case to.Kind() == topology.KindUnknown:
		return nil, hint.New(fmt.Errorf("the new home of %s is no value: %w", name, topology.ErrUndeclared), "give the value of the new home, such as LON")
	}
	if _, ok := placement.ZoneOf(world, ns, to); !ok {
		return nil, hint.New(fmt.Errorf("no zone takes %s of %s: %w", to, name, topology.ErrUndeclared), "use a value that the topology gives to a zone, of the same type, or declare it")
	}
	db, coll, _ := strings.Cut(name, ".")
	return &place{
		name: name, ns: ns, key: ns.Key, to: shardkey.ValueOf(to), coll: client.Database(db).Collection(coll),
		majority: client.Database(db).Collection(coll, options.Collection().SetReadConcern(readconcern.Majority())),
	}, nil
}

const codeUnauthorized = 13

// readKey asks the catalogue for the key, which may have become longer than the declared one (refineCollectionShardKey). Whoever may not read it takes the declared one.
func (p *place) readKey(ctx context.Context, client *mongo.Client) error {
	var entry struct {
		Key       bson.Raw
		Collation struct{ Locale string } `bson:"defaultCollation"`
	}
	err := client.Database("config").Collection("collections").FindOne(ctx, bson.D{{Key: "_id", Value: p.name}}).Decode(&entry)
	var refused mongo.ServerError
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		if kind := nstype.Other(ctx, p.coll); kind != "" {
			return hint.New(fmt.Errorf("%s: %w: it is a %s", p.name, ErrNotMovable, kind), "name the collection that has the documents")
		}
		return nil
	case errors.As(err, &refused) && refused.HasErrorCode(codeUnauthorized):
		return nil
	case err != nil:
		return fmt.Errorf("read the shard key of %s: %w", p.name, err)
	}
	p.collation = entry.Collation.Locale
	key, err := shardkey.ReadKey(entry.Key)
	if err == nil && slices.ContainsFunc(key, func(f topology.KeyField) bool { return f.Name == p.ns.ZoneBy }) {
		p.key = key
	}
	return nil
}

// A doc is a document as far as moving it takes.
type doc struct {
	id   bson.RawValue
	key  bson.D // its _id and its shard key, as a filter
	home bool   // it is where it shall be
	raw  bson.Raw
	// bytes is its size.
	bytes int64
}

// sizeField is what a found document's size is called.
const sizeField = "geoshardBytes"

// away filters the documents that are not in the new home.
func (p *place) away() bson.D {
	return bson.D{{Key: p.ns.ZoneBy, Value: bson.D{{Key: "$ne", Value: p.to}}}}
}

// find reads documents in the order of their _id, with their key and some further fields; limit 0 means all.
func (p *place) find(ctx context.Context, filter any, limit int, further []string) ([]doc, error) {
	fields := bson.D{{Key: "_id", Value: 1}, {Key: sizeField, Value: bson.D{{Key: "$bsonSize", Value: "$$ROOT"}}}}
	add := func(name string) {
		// A projection may name a field or what is below it, not both.
		for _, f := range fields {
			if f.Key == name || strings.HasPrefix(name, f.Key+".") {
				return
			}
		}
		fields = slices.DeleteFunc(fields, func(f bson.E) bool { return strings.HasPrefix(f.Key, name+".") })
		fields = append(fields, bson.E{Key: name, Value: 1})
	}
	for _, f := range p.key {
		add(f.Name)
	}
	for _, name := range further {
		add(name)
	}
	cursor, err := p.coll.Find(ctx, filter, options.Find().SetCollation(simple).SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(limit)).SetProjection(fields))
	if err != nil {
		return nil, err
	}
	var raws []bson.Raw
	if err := cursor.All(ctx, &raws); err != nil {
		return nil, err
	}
	docs := make([]doc, len(raws))
	for i, raw := range raws {
		docs[i] = p.read(raw)
	}
	return docs, nil
}

func (p *place) read(raw bson.Raw) doc {
	d := doc{id: raw.Lookup("_id"), raw: raw, bytes: raw.Lookup(sizeField).AsInt64()}
	d.key = bson.D{{Key: "_id", Value: bson.D{{Key: "$eq", Value: d.id}}}}
	for _, f := range p.key {
		value := field(raw, f.Name)
		if f.Name == p.ns.ZoneBy {
			d.home = shardkey.Compare(value, p.to) == 0 // 7 is at home where 7.0 is
		}
		if f.Name != "_id" {
			d.key = append(d.key, bson.E{Key: f.Name, Value: bson.D{{Key: "$eq", Value: value}}})
		}
	}
	return d
}

// field is the value at a path; null where there is none, as in a shard key.
func field(raw bson.Raw, path string) bson.RawValue {
	value, err := raw.LookupErr(strings.Split(path, ".")...)
	if err != nil {
		return bson.RawValue{Type: bson.TypeNull}
	}
	return value
}

func contains(docs []doc, d doc) bool {
	return slices.ContainsFunc(docs, func(o doc) bool { return bytes.Equal(o.raw, d.raw) })
}
