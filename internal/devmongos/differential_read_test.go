package devmongos_test

import (
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func d(pairs ...any) bson.D {
	out := bson.D{}
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, bson.E{Key: pairs[i].(string), Value: pairs[i+1]})
	}
	return out
}

// filter is a query whose meaning does not depend on where the documents lie.
func (g *generator) filter(depth int) bson.D {
	c := g.chance
	compare := func() string { return pickOf(c, []string{"$gt", "$gte", "$lt", "$lte"}) }
	switch n := c.IntN(24); {
	case n < 3:
		return d("k", d("$eq", c.keyValue()))
	case n < 5:
		return d("k", d(compare(), c.keyValue()))
	case n == 5:
		return d("k", d("$in", bson.A{c.keyValue(), c.keyValue(), c.keyValue()}))
	case n == 6:
		return d("k", d("$type", pickOf(c, []string{"number", "string", "object", "binData", "null", "bool", "date", "minKey", "decimal", "long"})))
	case n == 7:
		return d("k", d("$gte", int32(-50), "$lt", int32(50)))
	case n == 8:
		return d("dc", pickOf(c, places), "k", d(compare(), c.keyValue()))
	case n == 9:
		return d("dc", pickOf(c, places))
	case n == 10:
		return d("a.b", d(pickOf(c, []string{"$eq", "$gt", "$lte", "$ne"}), c.keyValue()))
	case n == 11:
		return d("n", d(compare(), int32(c.IntN(60))))
	case n == 12:
		return d("cat", pickOf(c, categories))
	case n == 13:
		return d("s", bson.Regex{Pattern: pickOf(c, []string{"^a", "e$", "ppl", "^item"}), Options: pickOf(c, []string{"", "i"})})
	case n == 14:
		return d("arr", pickOf(c, []any{int32(c.IntN(10)), d("$all", bson.A{int32(1), int32(2)}), d("$size", int32(c.IntN(4))), d("$elemMatch", d("$gt", int32(6), "$lt", int32(9)))}))
	case n == 15:
		return d("items", d("$elemMatch", d("x", d("$gt", int32(5)), "y", d("$gte", "b"))))
	case n == 16:
		return d("items.x", int32(c.IntN(10)))
	case n == 17:
		return d("$expr", d("$gt", bson.A{"$n", "$q"}))
	case n == 18:
		if doc, ok := g.existing(); ok {
			return d("_id", d("$in", bson.A{doc.Lookup("_id"), int32(-1), "none"}))
		}
	case n == 19:
		return d("k", pickOf(c, []any{nil, d("$exists", false), d("$exists", true), d("$ne", c.keyValue()), d("$nin", bson.A{c.keyValue(), nil})}))
	case n == 20:
		return d("v", d(pickOf(c, []string{"$gt", "$exists"}), true))
	case n < 23 && depth < 2:
		return d(pickOf(c, []string{"$or", "$and", "$nor"}), bson.A{g.filter(depth + 1), g.filter(depth + 1)})
	}
	return bson.D{}
}

// totalSort ends with _id, which is unique, so the order of the answer is defined. At most one array field, because
// two are an error ("parallel arrays") only where a document really has two.
func (g *generator) totalSort() bson.D {
	var sort bson.D
	for _, f := range pickOf(g.chance, [][]string{{"k"}, {"n"}, {"s"}, {"cat", "n"}, {"a.b"}, {"q"}, {"arr"}, {"items.x", "s"}, {"v"}, {"dc", "k"}, {"t"}, {}, {"missing"}, {"a"}}) {
		sort = append(sort, bson.E{Key: f, Value: g.direction()})
	}
	return append(sort, bson.E{Key: "_id", Value: g.direction()})
}

func (g *generator) direction() int32 { return pickOf(g.chance, []int32{1, -1}) }

func (g *generator) projection() bson.D {
	return pickOf(g.chance, []bson.D{
		nil, nil, nil,
		d("k", 1), d("_id", 0, "n", 1, "k", 1), d("items", 0, "v", 0), d("a.b", 1), d("arr", d("$slice", -2)),
		d("items", d("$elemMatch", d("x", d("$gt", 4)))), d("double", d("$add", bson.A{"$n", "$n"}), "k", 1),
		d("n", 1, "kind", d("$type", "$k")), d("_id", 0, "s", 1), d("items.x", 1, "items.i", 1), d("a", d("b", 0)),
	})
}

func (g *generator) collation() *options.Collation {
	if !g.percent(12) {
		return nil
	}
	return pickOf(g.chance, []*options.Collation{
		{Locale: "en", Strength: 1}, {Locale: "en", Strength: 2}, {Locale: "de", Strength: 3}, {Locale: "en", NumericOrdering: true},
		{Locale: "fr", Strength: 2, Backwards: true}, {Locale: "simple"}, {Locale: "en", CaseLevel: true, Strength: 1}, {Locale: "en", CaseFirst: "upper"},
	})
}

func (g *generator) batch() int32 {
	return pickOf(g.chance, []int32{0, 0, 1, 2, 3, 7, 50, 101})
}

func (g *generator) find() operation {
	op := g.on("find")
	op.Filter, op.Projection, op.Collation, op.Batch = g.filter(0), g.projection(), g.collation(), g.batch()
	switch n := g.IntN(10); {
	case n < 6:
		op.Sort, op.order = g.totalSort(), inOrder
		if g.percent(50) {
			op.Limit = pickOf(g.chance, []int64{1, 2, 5, 10, 50, -3})
		}
		if g.percent(35) {
			op.Skip = int64(g.IntN(30))
		}
	case n < 9:
		op.order = asMultiset
	default:
		// Without a sort the server may choose any documents; projecting a computed field could fail on some only.
		op.order, op.Limit, op.Projection = countOnly, int64(1+g.IntN(20)), nil
	}
	if g.percent(8) && op.Collation == nil {
		op.Hint = pickOf(g.chance, []bson.D{d("_id", 1), d("$natural", 1)})
		if op.Hint[0].Key == "$natural" && op.order == inOrder && op.Sort == nil {
			op.Hint = nil
		}
	}
	return op
}

func (g *generator) findOne() operation {
	op := g.on("findOne")
	op.order = inOrder
	if doc, ok := g.existing(); ok && g.percent(80) {
		op.Filter = g.exactly(doc)
		return op
	}
	op.Filter, op.Sort = g.filter(0), g.totalSort()
	return op
}

func (g *generator) count() operation {
	op := g.on(pickOf(g.chance, []string{"count", "count", "count", "estimatedCount", "command"}))
	switch op.Kind {
	case "count":
		op.Filter, op.Collation = g.filter(0), g.collation()
		if g.percent(25) {
			op.Limit, op.Skip = int64(1+g.IntN(40)), int64(g.IntN(10))
		}
	case "command":
		op.Command = d("count", op.Coll, "query", g.filter(0), "skip", int32(g.IntN(5)))
	}
	return op
}

func (g *generator) distinct() operation {
	op := g.on("distinct")
	op.Field = pickOf(g.chance, []string{"k", "cat", "n", "arr", "items.x", "a.b", "s", "dc", "missing", "a"})
	// Where an index serves distinct, a document without the field counts as null, else it does not count; which plan is
	// taken is the server's choice.
	op.Filter = d("$and", bson.A{g.filter(1), d(op.Field, d("$exists", true, "$ne", bson.A{}))})
	// No collation: under one, any of several equal strings may stand for all.
	op.Loose, op.order = true, asMultiset
	return op
}
