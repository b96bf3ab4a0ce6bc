package devmongos_test

import (
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// A spec is a collection of the test and how the sharded side keeps it.
type spec struct {
	db, name string
	// key is the shard key; nil for an unsharded collection.
	key bson.D
	// validated collections refuse documents with a string in the field zz.
	validated bool
}

func (s spec) sharded() bool { return s.key != nil }

func (s spec) keyFields() []string {
	var fields []string
	for _, e := range s.key {
		fields = append(fields, e.Key)
	}
	return fields
}

// keyIsID says that the shard key contains _id, which can never change.
func (s spec) keyIsID() bool {
	for _, f := range s.keyFields() {
		if f == "_id" {
			return true
		}
	}
	return false
}

// specs are the collections: every shape of shard key, and unsharded ones in two databases (which may have different
// primary shards).
var specs = []spec{
	{db: "diff", name: "byvalue", key: bson.D{{Key: "k", Value: 1}}},
	{db: "diff", name: "byhash", key: bson.D{{Key: "k", Value: "hashed"}}},
	{db: "diff", name: "byplace", key: bson.D{{Key: "dc", Value: 1}, {Key: "k", Value: 1}}},
	{db: "diff", name: "bynested", key: bson.D{{Key: "a.b", Value: 1}}},
	{db: "diff", name: "byplacehash", key: bson.D{{Key: "dc", Value: 1}, {Key: "a.b", Value: "hashed"}}},
	{db: "diff", name: "byid", key: bson.D{{Key: "_id", Value: 1}}},
	{db: "diff", name: "byidhash", key: bson.D{{Key: "_id", Value: "hashed"}}, validated: true},
	{db: "diff", name: "plain", validated: true},
	{db: "diff2", name: "plain"},
}

// A generator invents operations. The documents it aims at come from the reference server, so that most operations
// meet something; the operations themselves are plain values and can be replayed without it.
type generator struct {
	chance
	specs []spec
	spec  spec
	ids   int64
	// sample returns some document of a collection of the reference server.
	sample func(s spec, skip int) (bson.Raw, bool)
}

func (g *generator) nextID() any {
	g.ids++
	return g.freshID(1000 + g.ids)
}

func (g *generator) on(kind string) operation {
	return operation{Kind: kind, DB: g.spec.db, Coll: g.spec.name}
}

func (g *generator) existing() (bson.Raw, bool) { return g.sample(g.spec, g.IntN(120)) }

func (g *generator) raw(doc bson.D) bson.Raw {
	raw, err := bson.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return raw
}

// exactly is the filter for one document: _id first, then the shard key's fields as it has them. A missing field is
// null in a shard key.
func (g *generator) exactly(doc bson.Raw) bson.D {
	filter := bson.D{{Key: "_id", Value: doc.Lookup("_id")}}
	for _, f := range g.spec.keyFields() {
		if f == "_id" {
			continue
		}
		value, err := doc.LookupErr(strings.Split(f, ".")...)
		if err != nil {
			filter = append(filter, bson.E{Key: f, Value: nil})
			continue
		}
		filter = append(filter, bson.E{Key: f, Value: value})
	}
	return filter
}

// withKeyOf gives a document the shard key of a filter made by exactly.
func (g *generator) withKeyOf(doc bson.D, filter bson.D) bson.D {
	for _, e := range filter[1:] {
		name, value := e.Key, e.Value
		if name == "a.b" {
			name, value = "a", bson.D{{Key: "b", Value: e.Value}}
		}
		doc = put(doc, name, value)
	}
	return doc
}

func put(doc bson.D, key string, value any) bson.D {
	for i := range doc {
		if doc[i].Key == key {
			doc[i].Value = value
			return doc
		}
	}
	return append(doc, bson.E{Key: key, Value: value})
}

// another is a collection of the same database to join with.
func (g *generator) another() string {
	return g.other(func(spec) bool { return true })
}

// mergeTarget is a collection to merge into: not the one that is read, which would read its own writes. Not a
// hashed one: $merge needs a unique index on its fields, which no hashed index is. Not a validated one.
func (g *generator) mergeTarget() string {
	return g.other(func(s spec) bool {
		return s.name != g.spec.name && !strings.HasSuffix(s.name, "hash")
	})
}

func (g *generator) other(fits func(spec) bool) string {
	var names []string
	for _, s := range g.specs {
		if s.db == g.spec.db && fits(s) {
			names = append(names, s.name)
		}
	}
	if len(names) == 0 {
		return g.outTarget()
	}
	return pickOf(g.chance, names)
}

func (g *generator) outTarget() string { return fmt.Sprintf("out%d", g.IntN(2)) }

// next is the next operation.
func (g *generator) next() operation {
	g.spec = pickOf(g.chance, g.specs)
	switch n := g.IntN(100); {
	case n < 24:
		return g.find()
	case n < 28:
		return g.findOne()
	case n < 43:
		return g.aggregate()
	case n < 48:
		return g.count()
	case n < 51:
		return g.distinct()
	case n < 60:
		return g.insert()
	case n < 69:
		return g.updateOne()
	case n < 74:
		return g.updateMany()
	case n < 77:
		return g.replaceOne()
	case n < 82:
		return g.delete()
	case n < 88:
		return g.findAndModify()
	case n < 95:
		return g.bulkWrite()
	case n < 98:
		return g.define()
	}
	return g.refused()
}

// define makes, drops and lists indexes and collections, also ones that exist already or do not exist.
func (g *generator) define() operation {
	op := g.on(pickOf(g.chance, []string{"createIndex", "createIndex", "dropIndex", "listIndexes", "listIndexes", "createCollection", "dropCollection", "listCollections"}))
	op.order = asMultiset
	switch op.Kind {
	case "createIndex", "dropIndex":
		// Some names stand for two specifications, which is a conflict.
		index := pickOf(g.chance, []indexed{
			{Keys: d("n", 1), Name: "n"}, {Keys: d("n", -1), Name: "n"}, {Keys: d("s", 1, "n", 1), Name: "sn"}, {Keys: d("items.x", 1), Name: "x"}, {Keys: d("arr", 1), Name: "arr"},
			{Keys: d("v", 1), Name: "v", Sparse: true}, {Keys: d("a.b", 1, "n", 1), Name: "abn"}, {Keys: d("n", 1), Name: "another"}, {Keys: d("t", 1), Name: "t"},
			{Keys: d("n", "wrong"), Name: "wrong"}, {Keys: d("n", 0), Name: "zero"},
		})
		op.Index = &index
		if index.Name == "sn" {
			op.Collation = g.collation()
		}
	case "listIndexes":
		op.Batch = g.batch()
	case "createCollection", "dropCollection":
		op.Coll = fmt.Sprintf("temp%d", g.IntN(3))
	}
	return op
}

// refused is an operation that every server refuses, with a code.
func (g *generator) refused() operation {
	op := g.on("find")
	op.order = asMultiset
	switch g.IntN(12) {
	case 0:
		op.Filter = d("n", d("$frobnicate", 1))
	case 1:
		op.Filter = d("$frobnicate", 1)
	case 2:
		op.Kind, op.Pipeline = "aggregate", []bson.D{d("$frobnicate", d())}
	case 3:
		op.Kind, op.Pipeline = "aggregate", []bson.D{d("$group", d("n", 1))}
	case 4:
		op.Filter, op.Projection = d(), d("n", 1, "k", 0)
	case 5:
		op.Kind, op.Command = "command", d("frobnicate", op.Coll)
	case 6:
		op.Kind, op.Pipeline = "aggregate", []bson.D{d("$match", d("cat", "c0")), d("$project", d("bad", d("$divide", bson.A{1, 0})))}
		op.Pipeline = append([]bson.D{d("$limit", 1)}, op.Pipeline[1:]...)
	case 7:
		op.Filter = d("k", d("$in", 5))
	case 8:
		op.Filter, op.Hint = d(), d("nosuchindex", 1)
	case 9:
		op.Kind, op.Command = "command", d("find", op.Coll, "frobnicate", 1)
	case 10:
		op.Kind, op.Command = "command", d("update", op.Coll, "updates", bson.A{})
	default:
		op.Filter = d("s", d("$regex", "("))
	}
	return op
}
