package verify

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// A scan is what one member holds of a collection.
type scan struct {
	documents int64
	// classes count the documents of each class of the rule.
	classes map[string]int64
	// complete is false for a sample; sample has its documents then.
	complete bool
	sample   []sampled
}

// A document is what tells a document from others.
type document struct {
	ID bson.RawValue
	// Key has a field for each of the shard key; the values of hashed ones are not hashed.
	Key bson.Raw
}

type sampled struct {
	document
	Class string
}

// scan counts the documents of each class: all of them, or those of a sample if there are more.
func (m *member) scan(ctx context.Context, t target, o Options) (scan, error) {
	coll := t.collection(m.client)
	if o.Sample > 0 {
		total, err := coll.EstimatedDocumentCount(ctx)
		if err != nil {
			return scan{}, err
		}
		if total > int64(o.Sample) {
			return m.sample(ctx, t, o.Sample)
		}
	}
	s := scan{classes: map[string]int64{}, complete: true}
	err := hinted(t, func(a *options.AggregateOptionsBuilder) error {
		clear(s.classes)
		s.documents = 0
		if o.Throttle > 0 && o.Sample == 0 {
			return s.slowly(ctx, coll, t, a, o.Throttle)
		}
		return s.group(ctx, coll, t, a)
	})
	return s, err
}

// simple keeps a collection's own collation from making "lon" of "LON": zones follow the bytes.
var simple = &options.Collation{Locale: "simple"}

// hinted runs an aggregation along the index of the shard key, and without it if the member's index has another form (a key may be a prefix of it).
func hinted(t target, run func(*options.AggregateOptionsBuilder) error) error {
	const codeBadValue = 2
	plain := options.Aggregate().SetCollation(simple).SetComment("geoshard verify")
	hint := t.hint()
	if hint == nil {
		return run(plain)
	}
	err := run(options.Aggregate().SetCollation(simple).SetComment("geoshard verify").SetHint(hint))
	var answer mongo.ServerError
	if errors.As(err, &answer) && answer.HasErrorCode(codeBadValue) {
		return run(plain)
	}
	return err
}

// group lets the server count.
func (s *scan) group(ctx context.Context, coll *mongo.Collection, t target, a *options.AggregateOptionsBuilder) error {
	cursor, err := coll.Aggregate(ctx, mongo.Pipeline{{{Key: "$group", Value: bson.D{
		{Key: "_id", Value: t.rule.class}, {Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}}}}}}, a)
	if err != nil {
		return err
	}
	var groups []struct {
		Class string `bson:"_id"`
		N     int64  `bson:"n"`
	}
	if err := cursor.All(ctx, &groups); err != nil {
		return err
	}
	for _, g := range groups {
		s.classes[g.Class] = g.N
		s.documents += g.N
	}
	return nil
}

// slowly reads the class of each document, a tenth of a second's worth at a time, so that the member has time for others in between.
func (s *scan) slowly(ctx context.Context, coll *mongo.Collection, t target, a *options.AggregateOptionsBuilder, perSecond int) error {
	batch := int32(min(max(perSecond/10, 1), 10_000))
	cursor, err := coll.Aggregate(ctx, mongo.Pipeline{{{Key: "$project", Value: bson.D{{Key: "_id", Value: 0}, {Key: "class", Value: t.rule.class}}}}}, a.SetBatchSize(batch))
	if err != nil {
		return err
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	pace := time.NewTicker(time.Duration(batch) * time.Second / time.Duration(perSecond))
	defer pace.Stop()
	for cursor.Next(ctx) {
		s.classes[cursor.Current.Lookup("class").StringValue()]++
		s.documents++
		if cursor.RemainingBatchLength() > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-pace.C:
		}
	}
	return cursor.Err()
}

// sample takes n random documents.
func (m *member) sample(ctx context.Context, t target, n int) (scan, error) {
	fields := append(t.projection(), bson.E{Key: "geoshardClass", Value: t.rule.class})
	cursor, err := t.collection(m.client).Aggregate(ctx, mongo.Pipeline{
		{{Key: "$sample", Value: bson.D{{Key: "size", Value: n}}}}, {{Key: "$project", Value: fields}},
	}, options.Aggregate().SetCollation(simple).SetComment("geoshard verify"))
	if err != nil {
		return scan{}, err
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	s := scan{classes: map[string]int64{}}
	for cursor.Next(ctx) {
		class := cursor.Current.Lookup("geoshardClass").StringValue()
		s.classes[class]++
		s.documents++
		s.sample = append(s.sample, sampled{t.document(cursor.Current), class})
	}
	return s, cursor.Err()
}

// documents finds some documents of a class on the member.
func (m *member) documents(ctx context.Context, t target, class string, limit int) ([]document, error) {
	return documents(ctx, t.collection(m.client), t, class, limit)
}

func documents(ctx context.Context, coll *mongo.Collection, t target, class string, limit int) ([]document, error) {
	cursor, err := coll.Find(ctx, t.rule.is(class), options.Find().SetProjection(t.projection()).SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(limit)).SetCollation(simple).SetComment("geoshard verify"))
	if err != nil {
		return nil, err
	}
	var raws []bson.Raw
	if err := cursor.All(ctx, &raws); err != nil {
		return nil, err
	}
	found := make([]document, len(raws))
	for i, raw := range raws {
		found[i] = t.document(raw)
	}
	return found, nil
}

// projection has the _id and the fields of the shard key.
func (t target) projection() bson.D {
	fields := bson.D{{Key: "_id", Value: 1}}
	for _, name := range t.fields() {
		if name != "_id" {
			fields = append(fields, bson.E{Key: name, Value: 1})
		}
	}
	return fields
}

// document picks the key out of a projected document. A missing field counts as null, as it does in the key.
func (t target) document(raw bson.Raw) document {
	var key bson.D
	for _, name := range t.fields() {
		value, err := raw.LookupErr(strings.Split(name, ".")...)
		if err != nil {
			value = bson.RawValue{Type: bson.TypeNull}
		}
		key = append(key, bson.E{Key: name, Value: value})
	}
	d := document{ID: raw.Lookup("_id")}
	d.Key, _ = bson.Marshal(key) // values that were just read can be written
	return d
}

// shownValues is how many unknown values a report lists: enough to see what is wrong.
const shownValues = 10

// unknownValues counts the commonest values of documents that belong to no zone.
func (m *member) unknownValues(ctx context.Context, t target) ([]UnknownValue, error) {
	cursor, err := t.collection(m.client).Aggregate(ctx, mongo.Pipeline{
		{{Key: "$match", Value: t.rule.is(unknownClass)}},
		{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$" + t.rule.ns.ZoneBy}, {Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}}}}},
		{{Key: "$sort", Value: bson.D{{Key: "n", Value: -1}, {Key: "_id", Value: 1}}}},
		{{Key: "$limit", Value: shownValues}},
	}, options.Aggregate().SetCollation(simple).SetComment("geoshard verify").SetAllowDiskUse(true))
	if err != nil {
		return nil, err
	}
	var groups []struct {
		Value bson.RawValue `bson:"_id"`
		N     int64         `bson:"n"`
	}
	if err := cursor.All(ctx, &groups); err != nil {
		return nil, err
	}
	var values []UnknownValue
	for _, g := range groups {
		values = append(values, UnknownValue{Shard: m.shard, Value: g.Value.String(), Documents: g.N})
	}
	return values, nil
}
