package rehome

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/placement"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

// A place is a collection and what its documents are to become.
type place struct {
	// Moved has its name, and what was counted so far.
	Moved
	ns topology.Namespace
	// majority is coll, for reads of what cannot be rolled back any more.
	coll, majority *mongo.Collection
	to             bson.RawValue
	// by is the field that links a related collection; the main one has links, the fields that are to be read for that.
	by    string
	links []string
}

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
		Moved: Moved{Namespace: name}, ns: ns, to: shardkey.ValueOf(to), coll: client.Database(db).Collection(coll),
		majority: client.Database(db).Collection(coll, options.Collection().SetReadConcern(readconcern.Majority())),
	}, nil
}

// A doc is a document as far as moving it takes.
type doc struct {
	id   bson.RawValue
	key  bson.M // its _id and its shard key, as a filter
	home bool   // it is where it shall be
	raw  bson.Raw
}

// find reads documents in the order of their _id, with their key and links; limit 0 means all.
func (p *place) find(ctx context.Context, filter any, limit int) ([]doc, error) {
	names := append([]string{"_id"}, p.links...)
	for _, f := range p.ns.Key {
		names = append(names, f.Name)
	}
	fields := bson.M{}
	for _, name := range names {
		// A projection may name a field or what is below it, not both.
		if !slices.ContainsFunc(names, func(above string) bool { return strings.HasPrefix(name, above+".") }) {
			fields[name] = 1
		}
	}
	cursor, err := p.coll.Find(ctx, filter, options.Find().SetSort(bson.M{"_id": 1}).SetLimit(int64(limit)).SetProjection(fields))
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
	d := doc{id: raw.Lookup("_id"), raw: raw}
	d.key = bson.M{"_id": bson.M{"$eq": d.id}}
	for _, f := range p.ns.Key {
		value := field(raw, f.Name)
		if f.Name == p.ns.ZoneBy {
			d.home = shardkey.Compare(value, p.to) == 0 // 7 is at home where 7.0 is
		}
		d.key[f.Name] = bson.M{"$eq": value}
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
