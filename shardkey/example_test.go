package shardkey_test

import (
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

func Example() {
	collection := raw(bson.D{{Key: "_id", Value: "shop.carts"}, {Key: "key", Value: bson.D{{Key: "dc", Value: 1}}}})
	chunks := []bson.Raw{
		raw(bson.D{{Key: "min", Value: dc(bson.MinKey{})}, {Key: "max", Value: dc("M")}, {Key: "shard", Value: "lon"}}),
		raw(bson.D{{Key: "min", Value: dc("M")}, {Key: "max", Value: dc(bson.MaxKey{})}, {Key: "shard", Value: "nyc"}}),
	}
	table, err := shardkey.NewTable(collection, chunks)
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := table.Pattern().KeyOf(raw(bson.D{{Key: "dc", Value: "LON"}, {Key: "items", Value: 3}}))
	fmt.Println(key, err, table.ShardFor(key))
	fmt.Println(table.Target(raw(bson.D{{Key: "items", Value: 3}}), nil).Shards)
	// Output:
	// {"dc": "LON"} <nil> lon
	// [lon nyc]
}

func dc(v any) bson.D { return bson.D{{Key: "dc", Value: v}} }

func raw(d bson.D) bson.Raw {
	doc, err := bson.Marshal(d)
	if err != nil {
		panic(err)
	}
	return doc
}

// The catalogue may hold a bound as a prefix of the key, and the end of a range as the last key of its last value.
func ExampleReadBound() {
	key := topology.Key{{Name: "dc"}, {Name: "id"}}
	for _, found := range []bson.D{dc("LON"), {{Key: "dc", Value: "LON"}, {Key: "id", Value: bson.MaxKey{}}}} {
		bound, ok := shardkey.ReadBound(key, raw(found))
		fmt.Println(shardkey.Format(bound.Full), shardkey.Format(bound.Tight), ok)
	}
	// Output:
	// {dc: "LON", id: MinKey} {dc: "LON", id: MinKey} true
	// {dc: "LON", id: MaxKey} {dc: "LON\u0000", id: MinKey} true
}
