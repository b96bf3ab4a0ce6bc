package devmongos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func mergedCursors(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "txnmerge")
	var docs []any
	for i := range 600 {
		docs = append(docs, d("_id", i, "k", (i*7919)%300-100, "n", i%50, "s", string(rune('a'+i%26)), "arr", bson.A{i, -i}))
	}
	if _, err := coll.InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	english := &options.Collation{Locale: "en", Strength: 1}
	finds := map[string]*options.FindOptionsBuilder{
		"no sort":           options.Find(),
		"small batches":     options.Find().SetBatchSize(7),
		"sorted":            options.Find().SetSort(d("n", 1, "_id", -1)).SetBatchSize(50),
		"backwards":         options.Find().SetSort(d("_id", -1)),
		"skip and limit":    options.Find().SetSort(d("_id", 1)).SetSkip(13).SetLimit(450).SetBatchSize(100),
		"inclusion":         options.Find().SetSort(d("_id", 1)).SetProjection(d("n", 1)),
		"exclusion":         options.Find().SetSort(d("_id", 1)).SetProjection(d("n", 0, "arr", 0)),
		"sorted by arrays":  options.Find().SetSort(d("arr", 1, "_id", 1)),
		"collation":         options.Find().SetSort(d("s", -1, "_id", 1)).SetCollation(english),
		"by a missing path": options.Find().SetSort(d("nothing.at.all", 1, "_id", 1)).SetLimit(5),
	}
	read := func(ctx context.Context, o *options.FindOptionsBuilder) []string {
		cur, err := coll.Find(ctx, d("n", d("$lt", 40)), o)
		var got []bson.Raw
		if err == nil {
			err = cur.All(ctx, &got)
		}
		if err != nil {
			t.Error(err)
		}
		var lines []string
		for _, doc := range got {
			lines = append(lines, doc.String())
		}
		return lines
	}
	for name, o := range finds {
		want := read(t.Context(), o)
		var got []string
		if err := inTransaction(t, coll.Database().Client(), nil, func(ctx context.Context) error { got = read(ctx, o); return nil }); err != nil {
			t.Error(err)
		}
		if name == "no sort" || name == "small batches" {
			slices.Sort(want)
			slices.Sort(got)
		}
		if !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("%s: %d documents in the transaction, %d outside, or in another order", name, len(got), len(want))
		}
	}
}

func aggregationsOverShards(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "txnaggregate")
	var docs []any
	for i := range 300 {
		docs = append(docs, d("_id", i, "k", i-100, "n", i%7, "tags", bson.A{i % 3, i % 5}))
	}
	if _, err := coll.InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	pipelines := map[string]bson.A{
		"match":           {d("$match", d("n", 3))},
		"nothing":         {},
		"group by sums":   {d("$group", d("_id", "$n", "sum", d("$sum", "$k"), "least", d("$min", "$k"), "most", d("$max", "$_id"), "many", d("$count", bson.D{}))), d("$sort", d("_id", 1))},
		"group by others": {d("$unwind", "$tags"), d("$group", d("_id", "$tags", "mean", d("$avg", "$k"))), d("$sort", d("_id", 1))},
		"sort":            {d("$sort", d("n", 1, "_id", -1)), d("$skip", 5), d("$limit", 20), d("$project", d("n", 1))},
		"sort and limit":  {d("$sort", d("n", -1, "_id", 1)), d("$limit", 9)},
		"count":           {d("$match", d("n", d("$gt", 2))), d("$count", "total")},
		"count of none":   {d("$match", d("n", 99)), d("$count", "total")},
		"facet":           {d("$facet", d("a", bson.A{d("$count", "n")}, "b", bson.A{d("$sort", d("_id", 1)), d("$limit", 2)}))},
		"one shard":       {d("$match", d("k", 5)), d("$group", d("_id", nil, "n", d("$push", "$_id")))},
		"replaced":        {d("$set", d("x", d("$add", bson.A{"$n", 1}))), d("$sortByCount", "$x"), d("$sort", d("_id", 1))},
		"large result":    {d("$sort", d("_id", 1)), d("$set", d("x", 1))},
	}
	read := func(ctx context.Context, pipeline bson.A) []string {
		cur, err := coll.Aggregate(ctx, pipeline)
		var got []bson.Raw
		if err == nil {
			err = cur.All(ctx, &got)
		}
		if err != nil {
			t.Errorf("%v: %v", pipeline, err)
		}
		var lines []string
		for _, doc := range got {
			lines = append(lines, doc.String())
		}
		return lines
	}
	for name, pipeline := range pipelines {
		want := read(t.Context(), pipeline)
		var got []string
		if err := inTransaction(t, coll.Database().Client(), nil, func(ctx context.Context) error { got = read(ctx, pipeline); return nil }); err != nil {
			t.Error(err)
		}
		if name == "match" || name == "nothing" {
			slices.Sort(want)
			slices.Sort(got)
		}
		if !slices.Equal(got, want) || len(want) == 0 && name != "count of none" {
			t.Errorf("%s: in the transaction %d %.300v, outside %d %.300v", name, len(got), fmt.Sprint(got), len(want), fmt.Sprint(want))
		}
	}
}

func tooLargeMerge(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "txnlarge")
	for i := range 20 {
		if _, err := coll.InsertOne(t.Context(), d("_id", i, "k", i*20-200, "s", strings.Repeat("x", 1<<20))); err != nil {
			t.Fatal(err)
		}
	}
	err := inTransaction(t, coll.Database().Client(), nil, func(ctx context.Context) error {
		if n, err := coll.CountDocuments(ctx, bson.D{}); err != nil || n != 20 {
			t.Errorf("count: %d, %v", n, err)
		}
		cur, err := coll.Find(ctx, bson.D{}, options.Find().SetSort(d("_id", 1)))
		var all []bson.Raw
		if err == nil {
			err = cur.All(ctx, &all)
		}
		if err != nil || len(all) != 20 {
			t.Errorf("find of 20 MB: %d documents, %v", len(all), err)
		}
		_, err = coll.Aggregate(ctx, bson.A{d("$group", d("_id", nil, "all", d("$push", d("$strLenBytes", "$s"))))})
		return err
	})
	if codeIn(err) != codeExceededMemoryLimit || labelled(err, labelTransient) {
		t.Errorf("got %v, want code 146", err)
	}
}
