package devmongos_test

import "go.mongodb.org/mongo-driver/v2/bson"

// change is an update that succeeds on every document of our shape, and does not touch a shard key.
func (g *generator) change() any {
	c := g.chance
	n := func() int32 { return int32(c.IntN(20)) }
	switch c.IntN(18) {
	case 0, 1:
		return d("$inc", d("n", n()-10))
	case 2:
		return d("$mul", d("n", pickOf(c, []int32{-1, 1})))
	case 3, 4:
		return d("$set", d("v", c.anyValue(), "s", pickOf(c, words)))
	case 5:
		return d("$unset", d("v", ""), "$inc", d("touched", 1))
	case 6:
		return d("$push", d("arr", d("$each", bson.A{n(), n()}, "$slice", -6, "$sort", pickOf(c, []int32{1, -1}))))
	case 7:
		return d("$addToSet", d("arr", d("$each", bson.A{n(), n()})))
	case 8:
		return d("$pull", d("arr", d("$gte", n())))
	case 9:
		return d("$pop", d("arr", g.direction()))
	case 10:
		return d("$min", d("n", n()), "$max", d("hi", n()))
	case 11:
		return d("$rename", d("v", "w"))
	case 12:
		return d("$set", d("items.$[].seen", true))
	case 13:
		return bson.A{d("$set", d("n", d("$add", bson.A{"$n", 1}), "was", "$n")), d("$unset", "w")}
	case 14:
		return d("$set", d("cat", pickOf(c, categories), "t", bson.DateTime(1700000000000+int64(n())*3600000)))
	case 15:
		return d("$bit", d("flags", d(pickOf(c, []string{"and", "or", "xor"}), n())))
	case 16:
		return d("$pullAll", d("arr", bson.A{n(), n(), n()}))
	}
	return bson.A{d("$set", d("cat", d("$cond", bson.A{d("$gt", bson.A{"$n", 20}), "c1", "$cat"}), "total", d("$sum", "$arr")))}
}

// upsertChange is an update that may make a document, and then one of our shape.
func (g *generator) upsertChange() any {
	if g.percent(30) {
		return bson.A{d("$set", d("n", d("$ifNull", bson.A{"$n", 1}), "s", "up", "cat", d("$ifNull", bson.A{"$cat", "c2"}), "q", d("$ifNull", bson.A{"$q", 0.5}),
			"arr", d("$ifNull", bson.A{"$arr", bson.A{}}), "items", d("$ifNull", bson.A{"$items", bson.A{}})))}
	}
	return d("$set", d("s", pickOf(g.chance, words)), "$inc", d("n", int32(1)), "$setOnInsert", d("cat", "c1", "q", 0.25, "arr", bson.A{int32(1)}, "items", bson.A{}))
}

// failing is an update that fails on every document, for a reason that the server states with a code.
func (g *generator) failing() any {
	return pickOf(g.chance, []any{
		d("$inc", d("s", 1)), d("$frobnicate", d("n", 1)), d("$set", d("n", 1), "$inc", d("n", 1)), d("$push", d("n", 1)), d("$set", d("_id", "other")),
		d("$set", d("arr.$[nobody]", 1)), d("$rename", d("n", "n")), d("$pop", d("arr", "x")), d("$set", d("n.x", 1)), bson.A{d("$group", d("_id", 1))}, d("$mul", d("cat", 2)),
		d("$bit", d("s", d("and", 1))), d("$set", d("", 1)),
	})
}

// target is an existing document's full key with _id, or one that matches nothing: one statement, one document.
func (g *generator) target() (bson.D, bson.Raw) {
	if doc, ok := g.existing(); ok && g.percent(90) {
		return g.exactly(doc), doc
	}
	return g.exactly(g.raw(g.document(g.nextID()))), nil
}

// replacement is a whole document with the shard key of another, or with that key changed.
func (g *generator) replacement(doc bson.Raw, filter bson.D) bson.D {
	fresh := g.document(filter[0].Value)
	return g.withKeyOf(fresh, filter)
}

func (g *generator) insert() operation {
	op := g.on(pickOf(g.chance, []string{"insertOne", "insertMany"}))
	count := 1
	if op.Kind == "insertMany" {
		count = 1 + g.IntN(12)
		op.Unordered = g.percent(50)
	}
	for range count {
		op.Docs = append(op.Docs, g.document(g.nextID()))
	}
	if doc, ok := g.existing(); ok && g.percent(20) {
		// A duplicate has the whole key of the existing document: a sharded collection compares _id only within a shard.
		var again bson.D
		if bson.Unmarshal(doc, &again) == nil {
			op.Docs[g.IntN(len(op.Docs))] = again
		}
	}
	if g.spec.validated && g.percent(30) {
		op.Docs[g.IntN(len(op.Docs))] = append(g.document(g.nextID()), bson.E{Key: "zz", Value: "not allowed"})
	}
	return op
}

func (g *generator) updateOne() operation {
	op := g.on("updateOne")
	filter, doc := g.target()
	op.Filter, op.Update = filter, g.change()
	switch n := g.IntN(20); {
	case n < 3:
		op.Upsert, op.Update = true, g.upsertChange()
	case n == 3:
		op.Update = g.failing()
	case n == 4:
		op.Update, op.ArrayFilters = d("$inc", d("items.$[e].x", 1)), []any{d("e.x", d("$gte", int32(g.IntN(10))))}
		if doc == nil {
			return op
		}
	case n == 5:
		op.Filter = append(op.Filter, bson.E{Key: "arr", Value: d("$gte", int32(g.IntN(10)))})
		op.Update = d("$set", d("arr.$", int32(g.IntN(10))))
	case n == 6 && !g.spec.sharded():
		op.Filter, op.Collation = d("_id", filter[0].Value, "s", pickOf(g.chance, words)), g.collation()
	case n < 9:
		// With _id alone the router has to ask every shard.
		op.Filter = op.Filter[:1]
	case n < 11 && doc != nil && g.spec.sharded() && !g.spec.keyIsID():
		op.Update = g.rekey()
	}
	return op
}

// rekey changes the shard key, and so perhaps the shard. Only with the full key in the filter.
func (g *generator) rekey() bson.D {
	field := pickOf(g.chance, g.spec.keyFields())
	if field == "dc" {
		return d("$set", d("dc", pickOf(g.chance, places)))
	}
	return d("$set", d(field, g.keyValue()))
}

func (g *generator) updateMany() operation {
	op := g.on("updateMany")
	op.Filter, op.Update = g.filter(0), g.change()
	switch n := g.IntN(12); {
	case n == 0:
		op.Update = pickOf(g.chance, []any{d("$frobnicate", d("n", 1)), d("$set", d("n", 1), "$inc", d("n", 1)), d("$rename", d("n", "n"))})
	case n == 1:
		op.Update, op.ArrayFilters = d("$inc", d("items.$[e].x", 1)), []any{d("e.x", d("$gte", int32(g.IntN(10))))}
	case n == 2:
		op.Filter, op.Update = d("arr", d("$gte", int32(5))), d("$inc", d("arr.$", int32(1)))
	case n == 3:
		op.Filter, _ = g.target()
		op.Upsert, op.Update = true, g.upsertChange()
	}
	return op
}

func (g *generator) replaceOne() operation {
	op := g.on("replaceOne")
	filter, doc := g.target()
	op.Filter, op.Update, op.Upsert = filter, g.replacement(doc, filter), g.percent(30)
	if doc != nil && g.percent(15) && !g.spec.keyIsID() {
		op.Update = g.document(filter[0].Value) // another shard key
	}
	return op
}

func (g *generator) delete() operation {
	op := g.on("deleteOne")
	filter, _ := g.target()
	op.Filter = filter
	switch {
	case g.percent(30):
		op.Kind = "deleteMany"
		op.Filter = d("$and", bson.A{g.filter(1), d("n", d("$gte", int32(g.IntN(60)), "$lt", int32(g.IntN(60)+3))), d("cat", pickOf(g.chance, categories))})
	case g.percent(20):
		op.Filter = op.Filter[:1]
	}
	return op
}

func (g *generator) findAndModify() operation {
	op := g.on(pickOf(g.chance, []string{"findOneAndUpdate", "findOneAndUpdate", "findOneAndReplace", "findOneAndDelete"}))
	op.order, op.After = inOrder, g.percent(50)
	filter, doc := g.target()
	op.Filter = filter
	if !g.spec.sharded() && g.percent(30) {
		// Several documents match; the total sort decides which one is changed.
		op.Filter, op.Sort = d("n", d("$gte", int32(g.IntN(60)))), g.totalSort()
	}
	switch op.Kind {
	case "findOneAndUpdate":
		op.Update, op.Projection = g.change(), pickOf(g.chance, []bson.D{nil, nil, d("n", 1, "arr", 1), d("_id", 0, "items", 0)})
		switch n := g.IntN(12); {
		case n == 0:
			op.Update = g.failing()
		case n < 3 && op.Sort == nil:
			op.Upsert, op.Update = true, g.upsertChange()
		case n == 3 && doc != nil && op.Sort == nil && g.spec.sharded() && !g.spec.keyIsID():
			op.Update = g.rekey()
		}
	case "findOneAndReplace":
		op.Upsert = op.Sort == nil && g.percent(20)
		fresh := g.replacement(doc, filter)
		if op.Sort != nil {
			fresh = fresh[1:] // the document that the sort chooses keeps its own _id
		}
		op.Update = fresh
	}
	return op
}

// bulkWrite mixes all kinds. In an unordered one every document is named once and no write touches many, because
// the order of unordered writes is the server's choice.
func (g *generator) bulkWrite() operation {
	op := g.on("bulkWrite")
	op.Unordered = g.percent(50)
	used := map[string]bool{}
	for range 1 + g.IntN(12) {
		filter, doc := g.target()
		if key := text(filter[:1]); op.Unordered && used[key] {
			continue
		} else {
			used[key] = true
		}
		var w write
		switch n := g.IntN(12); {
		case n < 4:
			w = write{Kind: "insertOne", Doc: g.document(g.nextID())}
			if doc != nil && n == 0 {
				var again bson.D
				if bson.Unmarshal(doc, &again) == nil {
					w.Doc = again
				}
			}
		case n < 6:
			w = write{Kind: "updateOne", Filter: filter, Update: g.change()}
			if n == 5 && g.percent(40) {
				w.Update = g.failing()
			}
		case n == 6:
			w = write{Kind: "updateOne", Filter: filter, Update: g.upsertChange(), Upsert: true}
		case n == 7:
			w = write{Kind: "replaceOne", Filter: filter, Doc: g.replacement(doc, filter), Upsert: g.percent(30)}
		case n == 8:
			w = write{Kind: "deleteOne", Filter: filter}
		case n == 9 && !op.Unordered:
			w = write{Kind: "updateMany", Filter: g.filter(0), Update: g.change()}
		case n == 10 && !op.Unordered:
			w = write{Kind: "deleteMany", Filter: d("n", int32(g.IntN(60)), "cat", pickOf(g.chance, categories))}
		default:
			w = write{Kind: "updateOne", Filter: filter, Update: d("$inc", d("items.$[e].x", 1)), ArrayFilters: []any{d("e.x", d("$gte", 3))}}
			if doc == nil {
				w.ArrayFilters, w.Update = nil, g.change()
			}
		}
		op.Writes = append(op.Writes, w)
	}
	return op
}
