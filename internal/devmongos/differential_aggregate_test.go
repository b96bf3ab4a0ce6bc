package devmongos_test

import "go.mongodb.org/mongo-driver/v2/bson"

// aggregate is a pipeline whose answer is defined: what depends on the order of documents follows a total sort, and
// what is gathered without one is sorted inside the document ($sortArray).
func (g *generator) aggregate() operation {
	op := g.on("aggregate")
	op.order, op.Batch = asMultiset, g.batch()
	op.Pipeline = []bson.D{d("$match", g.filter(0))}
	then := func(stages ...bson.D) { op.Pipeline = append(op.Pipeline, stages...) }
	sorted := func() { then(d("$sort", g.totalSort())); op.order = inOrder }
	byID := d("$sort", d("_id", 1))

	switch g.IntN(24) {
	case 0, 1:
		// Only fields whose equal values look alike may be a group key when the comparison is exact.
		then(d("$group", d("_id", pickOf(g.chance, []any{"$cat", nil, "$n", "$dc", d("c", "$cat", "d", "$dc")}), "sum", d("$sum", "$n"), "avg", d("$avg", "$q"),
			"maxS", d("$max", "$s"), "minQ", d("$min", "$q"), "count", d("$sum", 1))))
	case 2:
		op.Loose = true
		then(d("$group", d("_id", pickOf(g.chance, []any{"$k", "$a.b", "$v"}), "count", d("$sum", 1), "lo", d("$min", "$k"), "hi", d("$max", "$k"))))
	case 3:
		sorted()
		op.order = asMultiset
		then(d("$group", d("_id", "$cat", "first", d("$first", "$k"), "last", d("$last", "$_id"), "ids", d("$push", "$_id"))))
	case 4:
		then(d("$group", d("_id", "$dc", "cats", d("$addToSet", "$cat"), "count", d("$count", d()))), d("$set", d("cats", d("$sortArray", d("input", "$cats", "sortBy", 1)))), byID)
		op.order = inOrder
	case 5:
		then(d("$unwind", "$arr"), d("$group", d("_id", "$arr", "n", d("$sum", 1), "q", d("$sum", "$q"))), byID)
		op.order = inOrder
	case 6:
		then(d("$unwind", d("path", "$items", "includeArrayIndex", "at", "preserveNullAndEmptyArrays", true)), d("$sort", d("_id", 1, "at", 1)), d("$project", d("items", 1, "at", 1, "k", 1)))
		op.order = inOrder
	case 7, 8:
		g.lookup(then)
	case 9:
		then(d("$facet", d(
			"top", bson.A{d("$sort", g.totalSort()), d("$limit", 5), d("$project", d("k", 1))},
			"cats", bson.A{d("$group", d("_id", "$cat", "n", d("$sum", "$n"))), byID},
			"total", bson.A{d("$count", "n")})))
	case 10:
		then(d("$bucket", d("groupBy", "$n", "boundaries", bson.A{0, 10, 25, 40}, "default", "rest", "output", d("n", d("$sum", 1), "q", d("$avg", "$q")))))
	case 11:
		then(d("$bucketAuto", d("groupBy", "$n", "buckets", 4)))
		op.order = inOrder
	case 12:
		then(d("$sortByCount", "$cat"), d("$sort", d("count", -1, "_id", 1)))
		op.order = inOrder
	case 13, 14:
		other := g.another()
		then(d("$set", d("from", "here")), d("$unionWith", d("coll", other, "pipeline", bson.A{d("$match", g.filter(1)), d("$set", d("from", "there"))})))
		if g.percent(60) {
			then(d("$sort", d("n", g.direction(), "_id", 1, "from", 1)), d("$skip", int64(g.IntN(10))), d("$limit", int64(1+g.IntN(60))))
			op.order = inOrder
		}
	case 15:
		op.Target = g.outTarget()
		then(d("$out", op.Target))
	case 16:
		op.Target = pickOf(g.chance, []string{g.outTarget(), g.mergeTarget()})
		matched, missing := pickOf(g.chance, []any{"merge", "replace", "keepExisting", bson.A{d("$set", d("n", "$$new.n", "merged", true))}}), "insert"
		if matched != "replace" {
			// Other modes insert by an upsert, which puts the fields of the shard key first where there is one.
			missing = "discard"
		}
		then(append(mergeable(), d("$merge", d("into", op.Target, "whenMatched", matched, "whenNotMatched", missing)))...)
	case 17:
		then(d("$graphLookup", d("from", g.another(), "startWith", "$n", "connectFromField", "a.c", "connectToField", "n", "as", "linked", "maxDepth", 1,
			"restrictSearchWithMatch", d("cat", pickOf(g.chance, categories)))),
			d("$project", d("linked", d("$sortArray", d("input", "$linked._id", "sortBy", 1)))))
	case 18:
		sorted()
		then(d("$project", d("k", 1, "label", d("$concat", bson.A{d("$ifNull", bson.A{"$s", ""}), "-", "$cat"}), "kind", d("$type", "$k"),
			"big", d("$cond", bson.A{d("$gt", bson.A{"$n", 30}), "big", "small"}), "even", d("$filter", d("input", "$arr", "cond", d("$eq", bson.A{d("$mod", bson.A{"$$this", 2}), 0}))),
			"sum", d("$reduce", d("input", "$arr", "initialValue", 0, "in", d("$add", bson.A{"$$value", "$$this"}))), "xs", d("$map", d("input", "$items", "in", "$$this.x")),
			"month", d("$month", "$t"), "day", d("$dateToString", d("date", "$t", "format", "%Y-%m-%d")))))
	case 19:
		sorted()
		then(d("$skip", int64(g.IntN(40))), d("$limit", int64(1+g.IntN(40))), d("$unset", bson.A{"items", "v"}))
	case 20:
		then(d("$setWindowFields", d("partitionBy", "$cat", "sortBy", d("_id", 1), "output", d("running", d("$sum", "$q", "window", d("documents", bson.A{"unbounded", "current"})),
			"rank", d("$documentNumber", d())))),
			// The computed fields come in the order of a hash table, another one on every server.
			d("$project", d("window", d("running", "$running", "rank", "$rank"))), byID)
		op.order = inOrder
	case 21:
		then(d("$redact", d("$cond", bson.A{d("$lt", bson.A{"$n", 40}), "$$KEEP", "$$PRUNE"})), d("$replaceRoot", d("newRoot", d("_id", "$_id", "n", "$n", "where", d("dc", "$dc", "k", "$k")))))
	case 22:
		then(d("$count", "n"))
	default:
		op.Collation = g.collation()
		sorted()
		if g.percent(50) {
			then(d("$limit", int64(1+g.IntN(30))))
		}
	}
	return op
}

// lookup joins with a collection that is sharded in another way; the joined documents come in no defined order, so
// they are sorted.
func (g *generator) lookup(then func(...bson.D)) {
	tidy := d("$set", d("joined", d("$sortArray", d("input", "$joined", "sortBy", d("_id", 1)))))
	switch g.IntN(3) {
	case 0:
		then(d("$lookup", d("from", g.another(), "localField", "n", "foreignField", "a.c", "as", "joined")), tidy, d("$project", d("joined._id", 1, "joined.n", 1)))
	case 1:
		then(d("$limit", 1000), d("$lookup", d("from", g.another(), "localField", "k", "foreignField", "k", "as", "joined")), tidy, d("$project", d("joined._id", 1)))
	default:
		then(d("$lookup", d("from", g.another(), "let", d("cat", "$cat", "n", "$n"), "as", "joined",
			"pipeline", bson.A{d("$match", d("$expr", d("$and", bson.A{d("$eq", bson.A{"$cat", "$$cat"}), d("$lt", bson.A{"$n", "$$n"})}))), d("$sort", d("n", 1, "_id", 1)), d("$limit", 3), d("$project", d("n", 1))})))
	}
}

// mergeable makes one document for every (dc, n), with an _id of its own family and a complete shard key for every
// target: two documents for one target would be merged in no defined order, and a target checks _id only within a shard.
func mergeable() []bson.D {
	group := d("$toInt", d("$max", bson.A{-100, d("$min", bson.A{100, "$n"})}))
	return []bson.D{
		// Documents made by an upsert may lack dc; without it $merge would fail after some of its writes.
		d("$match", d("dc", d("$in", places))),
		d("$group", d("_id", d("dc", "$dc", "n", group), "count", d("$sum", 1), "q", d("$sum", "$q"))),
		d("$project", d("_id", d("$concat", bson.A{"m-", "$_id.dc", "-", d("$toString", "$_id.n")}), "dc", "$_id.dc", "k", "$_id.dc", "a", d("b", "$_id.dc"),
			"n", "$_id.n", "count", 1, "q", 1, "cat", "c0", "s", "merged", "arr", bson.A{}, "items", bson.A{})),
	}
}
