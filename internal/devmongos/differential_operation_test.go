package devmongos_test

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// An ordering says how the documents of two answers are compared. It belongs to the operation, because only its
// author knows what MongoDB promises about it.
type ordering int

const (
	inOrder    ordering = iota + 1 // the operation has a total sort
	asMultiset                     // no sort: every order is right, but nothing may be missing or doubled
	countOnly                      // the server may choose which documents; their number is defined
)

func (o ordering) MarshalText() ([]byte, error) {
	names := map[ordering]string{inOrder: "in order", asMultiset: "multiset", countOnly: "count only"}
	return []byte(names[o]), nil
}

// An operation is one call of the driver as a value: it can be run again on another server, and printed.
type operation struct {
	Kind string
	DB   string
	Coll string
	// Order holds for operations that answer documents.
	Order string `bson:",omitempty"`
	order ordering
	// Loose compares numbers by value only: where a group has equal keys of different types (1 and 1.0), any one
	// of them may stand for the group.
	Loose bool `bson:",omitempty"`

	Filter       bson.D             `bson:",omitempty"`
	Update       any                `bson:",omitempty"`
	Docs         []bson.D           `bson:",omitempty"`
	Writes       []write            `bson:",omitempty"`
	Pipeline     []bson.D           `bson:",omitempty"`
	Sort         bson.D             `bson:",omitempty"`
	Projection   bson.D             `bson:",omitempty"`
	Collation    *options.Collation `bson:",omitempty"`
	Hint         bson.D             `bson:",omitempty"`
	ArrayFilters []any              `bson:",omitempty"`
	Skip         int64              `bson:",omitempty"`
	Limit        int64              `bson:",omitempty"`
	Batch        int32              `bson:",omitempty"`
	Upsert       bool               `bson:",omitempty"`
	After        bool               `bson:",omitempty"`
	Unordered    bool               `bson:",omitempty"`
	Field        string             `bson:",omitempty"`
	Command      bson.D             `bson:",omitempty"`
	Index        *indexed           `bson:",omitempty"`
	// Target is the collection that $out or $merge writes to; it is compared after the operation.
	Target string `bson:",omitempty"`
}

// indexed is an index to make.
type indexed struct {
	Keys   bson.D
	Name   string
	Unique bool `bson:",omitempty"`
	Sparse bool `bson:",omitempty"`
}

// A write is one model of a bulk write.
type write struct {
	Kind         string
	Filter       bson.D `bson:",omitempty"`
	Update       any    `bson:",omitempty"`
	Doc          bson.D `bson:",omitempty"`
	Upsert       bool   `bson:",omitempty"`
	ArrayFilters []any  `bson:",omitempty"`
}

// String is the operation as extended JSON, from which it can be repeated by hand.
func (op operation) String() string {
	op.Order = ""
	if op.order != 0 {
		text, _ := op.order.MarshalText()
		op.Order = string(text)
	}
	text, err := bson.MarshalExtJSON(op, true, false)
	if err != nil {
		return fmt.Sprintf("%+v (no extended JSON: %v)", struct{ operation }{op}.operation.Kind, err)
	}
	return string(text)
}

// isRead says that the operation changes nothing, so it may be asked again.
func (op operation) isRead() bool {
	switch op.Kind {
	case "find", "findOne", "count", "distinct", "estimatedCount", "listIndexes", "listCollections":
		return true
	case "aggregate":
		return op.Target == ""
	}
	return false
}

// run performs the operation. The comment travels with it to the shards, whose profilers record it.
func (op operation) run(ctx context.Context, client *mongo.Client, comment string) answer {
	coll := client.Database(op.DB).Collection(op.Coll)
	switch op.Kind {
	case "find":
		return op.find(ctx, coll, comment)
	case "findOne":
		return op.findOne(ctx, coll, comment)
	case "aggregate":
		return op.aggregate(ctx, client, comment)
	case "count":
		o := options.Count().SetComment(comment)
		set(o.SetLimit, op.Limit)
		set(o.SetSkip, op.Skip)
		if op.Collation != nil {
			o.SetCollation(op.Collation)
		}
		n, err := coll.CountDocuments(ctx, op.Filter, o)
		return counted(err, "n", n)
	case "estimatedCount":
		n, err := coll.EstimatedDocumentCount(ctx, options.EstimatedDocumentCount().SetComment(comment))
		return counted(err, "n", n)
	case "distinct":
		o := options.Distinct().SetComment(comment)
		if op.Collation != nil {
			o.SetCollation(op.Collation)
		}
		found := coll.Distinct(ctx, op.Field, op.Filter, o)
		if found.Err() != nil {
			return failed(found.Err())
		}
		raw, err := found.Raw()
		return valuesOf(raw, err)
	case "insertOne", "insertMany", "updateOne", "updateMany", "replaceOne", "deleteOne", "deleteMany", "bulkWrite":
		return op.write(ctx, coll, comment)
	case "findOneAndUpdate", "findOneAndReplace", "findOneAndDelete":
		return op.findAndModify(ctx, coll, comment)
	default:
		return op.define(ctx, client, comment)
	}
}

func (op operation) find(ctx context.Context, coll *mongo.Collection, comment string) answer {
	o := options.Find().SetComment(comment)
	set(o.SetLimit, op.Limit)
	set(o.SetSkip, op.Skip)
	set(o.SetBatchSize, op.Batch)
	if op.Sort != nil {
		o.SetSort(op.Sort)
	}
	if op.Projection != nil {
		o.SetProjection(op.Projection)
	}
	if op.Collation != nil {
		o.SetCollation(op.Collation)
	}
	if op.Hint != nil {
		o.SetHint(op.Hint)
	}
	cursor, err := coll.Find(ctx, op.Filter, o)
	return drained(ctx, cursor, err)
}

func (op operation) findOne(ctx context.Context, coll *mongo.Collection, comment string) answer {
	o := options.FindOne().SetComment(comment)
	if op.Sort != nil {
		o.SetSort(op.Sort)
	}
	if op.Projection != nil {
		o.SetProjection(op.Projection)
	}
	return single(coll.FindOne(ctx, op.Filter, o))
}

func (op operation) aggregate(ctx context.Context, client *mongo.Client, comment string) answer {
	o := options.Aggregate().SetComment(comment)
	set(o.SetBatchSize, op.Batch)
	if op.Collation != nil {
		o.SetCollation(op.Collation)
	}
	db := client.Database(op.DB)
	cursor, err := db.Collection(op.Coll).Aggregate(ctx, op.Pipeline, o)
	got := drained(ctx, cursor, err)
	if op.Target == "" || got.Err != nil {
		return got
	}
	cursor, err = db.Collection(op.Target).Find(ctx, bson.D{})
	return drained(ctx, cursor, err)
}

func (op operation) write(ctx context.Context, coll *mongo.Collection, comment string) answer {
	switch op.Kind {
	case "insertOne":
		_, err := coll.InsertOne(ctx, op.Docs[0], options.InsertOne().SetComment(comment))
		return counted(err)
	case "insertMany":
		docs := make([]any, len(op.Docs))
		for i, d := range op.Docs {
			docs[i] = d
		}
		// InsertMany's result lists only ids that the client chose, which say nothing about the server.
		_, err := coll.InsertMany(ctx, docs, options.InsertMany().SetComment(comment).SetOrdered(!op.Unordered))
		return counted(err)
	case "updateOne":
		o := options.UpdateOne().SetComment(comment).SetUpsert(op.Upsert)
		if op.ArrayFilters != nil {
			o.SetArrayFilters(op.ArrayFilters)
		}
		if op.Collation != nil {
			o.SetCollation(op.Collation)
		}
		r, err := coll.UpdateOne(ctx, op.Filter, op.Update, o)
		return updated(r, err)
	case "updateMany":
		o := options.UpdateMany().SetComment(comment).SetUpsert(op.Upsert)
		if op.ArrayFilters != nil {
			o.SetArrayFilters(op.ArrayFilters)
		}
		r, err := coll.UpdateMany(ctx, op.Filter, op.Update, o)
		return updated(r, err)
	case "replaceOne":
		r, err := coll.ReplaceOne(ctx, op.Filter, op.Update, options.Replace().SetComment(comment).SetUpsert(op.Upsert))
		return updated(r, err)
	case "deleteOne":
		r, err := coll.DeleteOne(ctx, op.Filter, options.DeleteOne().SetComment(comment))
		return deleted(r, err)
	case "deleteMany":
		r, err := coll.DeleteMany(ctx, op.Filter, options.DeleteMany().SetComment(comment))
		return deleted(r, err)
	}
	models := make([]mongo.WriteModel, len(op.Writes))
	for i, w := range op.Writes {
		models[i] = w.model()
	}
	r, err := coll.BulkWrite(ctx, models, options.BulkWrite().SetComment(comment).SetOrdered(!op.Unordered))
	return bulkWritten(r, err)
}

// model is the write as the driver wants it.
func (w write) model() mongo.WriteModel {
	switch w.Kind {
	case "insertOne":
		return mongo.NewInsertOneModel().SetDocument(w.Doc)
	case "updateOne":
		m := mongo.NewUpdateOneModel().SetFilter(w.Filter).SetUpdate(w.Update).SetUpsert(w.Upsert)
		if w.ArrayFilters != nil {
			m.SetArrayFilters(w.ArrayFilters)
		}
		return m
	case "updateMany":
		return mongo.NewUpdateManyModel().SetFilter(w.Filter).SetUpdate(w.Update).SetUpsert(w.Upsert)
	case "replaceOne":
		return mongo.NewReplaceOneModel().SetFilter(w.Filter).SetReplacement(w.Doc).SetUpsert(w.Upsert)
	case "deleteOne":
		return mongo.NewDeleteOneModel().SetFilter(w.Filter)
	case "deleteMany":
		return mongo.NewDeleteManyModel().SetFilter(w.Filter)
	}
	panic("no write model " + w.Kind)
}

func (op operation) findAndModify(ctx context.Context, coll *mongo.Collection, comment string) answer {
	document := options.Before
	if op.After {
		document = options.After
	}
	switch op.Kind {
	case "findOneAndUpdate":
		o := options.FindOneAndUpdate().SetComment(comment).SetUpsert(op.Upsert).SetReturnDocument(document)
		if op.Sort != nil {
			o.SetSort(op.Sort)
		}
		if op.Projection != nil {
			o.SetProjection(op.Projection)
		}
		if op.ArrayFilters != nil {
			o.SetArrayFilters(op.ArrayFilters)
		}
		return single(coll.FindOneAndUpdate(ctx, op.Filter, op.Update, o))
	case "findOneAndReplace":
		o := options.FindOneAndReplace().SetComment(comment).SetUpsert(op.Upsert).SetReturnDocument(document)
		if op.Sort != nil {
			o.SetSort(op.Sort)
		}
		return single(coll.FindOneAndReplace(ctx, op.Filter, op.Update, o))
	}
	o := options.FindOneAndDelete().SetComment(comment)
	if op.Sort != nil {
		o.SetSort(op.Sort)
	}
	return single(coll.FindOneAndDelete(ctx, op.Filter, o))
}

// define performs what is about collections and indexes rather than documents, and raw commands.
func (op operation) define(ctx context.Context, client *mongo.Client, comment string) answer {
	db := client.Database(op.DB)
	coll := db.Collection(op.Coll)
	switch op.Kind {
	case "createIndex":
		o := options.Index().SetName(op.Index.Name)
		// Stated only when true: an index with `unique: false` is another specification than one without the word.
		if op.Index.Unique {
			o.SetUnique(true)
		}
		if op.Index.Sparse {
			o.SetSparse(true)
		}
		if op.Collation != nil {
			o.SetCollation(op.Collation)
		}
		name, err := coll.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: op.Index.Keys, Options: o})
		return counted(err, "name", name)
	case "dropIndex":
		return counted(coll.Indexes().DropOne(ctx, op.Index.Name))
	case "listIndexes":
		o := options.ListIndexes()
		set(o.SetBatchSize, op.Batch)
		cursor, err := coll.Indexes().List(ctx, o)
		return drained(ctx, cursor, err)
	case "createCollection":
		return counted(db.CreateCollection(ctx, op.Coll))
	case "dropCollection":
		return counted(coll.Drop(ctx))
	case "listCollections":
		// system.profile exists only where profiling is on: on the shards.
		names, err := db.ListCollectionNames(ctx, bson.D{{Key: "name", Value: bson.D{{Key: "$not", Value: bson.Regex{Pattern: "^system"}}}}})
		return named(names, err)
	case "command":
		raw, err := db.RunCommand(ctx, append(op.Command[:len(op.Command):len(op.Command)], bson.E{Key: "comment", Value: comment})).Raw()
		return replied(raw, err)
	}
	panic("no operation " + op.Kind)
}

// set calls a setter of the driver when there is something to set; 0 means unset for all of them.
func set[T int32 | int64, O any](setter func(T) O, value T) {
	if value != 0 {
		setter(value)
	}
}
