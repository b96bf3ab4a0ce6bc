package verify

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/topology"
)

// A scan is what one member holds of a collection.
type scan struct {
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
	class string
}

// scan counts the documents of each class on a member: all of them, or those of a sample if there are more.
func (i *inspection) scan(ctx context.Context, m *member) (scan, error) {
	coll, o := i.collection(m.client), i.options
	if o.Sample > 0 {
		total, err := coll.EstimatedDocumentCount(ctx)
		if err != nil {
			return scan{}, err
		}
		if total > int64(o.Sample) {
			return i.sample(ctx, coll)
		}
	}
	count := i.group
	if o.Throttle > 0 && o.Sample == 0 {
		count = i.slowly
	}
	along, err := i.along(ctx, coll)
	if err != nil {
		return scan{}, err
	}
	classes, err := count(ctx, coll, along)
	return scan{classes: classes, complete: true}, err
}

// againIfKilled repeats a count once that was killed by the deletion of a migration's orphans:
// serverversion.KilledReads.
func againIfKilled[T any](count func() (T, error)) (T, error) {
	const codeQueryPlanKilled = 175
	got, err := count()
	if hasCode(err, codeQueryPlanKilled) {
		return count()
	}
	return got, err
}

// along are the options of an aggregation along the index of the shard key, where the zone's field is in the key. The index is named: others may have the same
// fields, and not all documents.
func (i *inspection) along(ctx context.Context, coll *mongo.Collection) (*options.AggregateOptionsBuilder, error) {
	o, key := aggregation(), keyOf(i.key)
	if !slices.ContainsFunc(key, func(f topology.KeyField) bool { return f.Name == i.rule.ns.ZoneBy }) {
		return o, nil
	}
	cursor, err := coll.Indexes().List(ctx)
	var indexes []index
	if err == nil {
		err = cursor.All(ctx, &indexes)
	}
	if hasCode(err, codeNamespaceNotFound) { // the member has no part of it
		return o, nil
	}
	if at := slices.IndexFunc(indexes, func(i index) bool { return i.serves(key) }); at >= 0 {
		o.SetHint(indexes[at].Name)
	}
	return o, err
}

// An index is an entry of listIndexes.
type index struct {
	Name           string
	Key            bson.D
	Sparse, Hidden bool
	Filter         bson.Raw `bson:"partialFilterExpression"`
	Collation      bson.Raw
}

// serves reports whether an index has all documents in the order of a key's bytes.
func (i index) serves(key topology.Key) bool {
	return len(i.Key) >= len(key) && slices.Equal(keyOf(i.Key[:len(key)]), key) && !i.Sparse && !i.Hidden && i.Filter == nil && i.Collation == nil
}

// simple keeps a collection's own collation from making "lon" of "LON": zones follow the bytes.
var simple = &options.Collation{Locale: "simple"}

func aggregation() *options.AggregateOptionsBuilder {
	return options.Aggregate().SetCollation(simple).SetComment("geoshard verify")
}

// aggregate reads all that an aggregation finds.
func aggregate(ctx context.Context, coll *mongo.Collection, into any, o *options.AggregateOptionsBuilder, stages ...bson.M) error {
	cursor, err := coll.Aggregate(ctx, stages, o)
	if err != nil {
		return err
	}
	return cursor.All(ctx, into)
}

// hasCode reports whether an error is a server's answer with that code.
func hasCode(err error, code int) bool {
	var answer mongo.ServerError
	return errors.As(err, &answer) && answer.HasErrorCode(code)
}

// group lets the server count.
func (i *inspection) group(ctx context.Context, coll *mongo.Collection, o *options.AggregateOptionsBuilder) (map[string]int64, error) {
	var groups []struct {
		Class string `bson:"_id"`
		N     int64
	}
	err := aggregate(ctx, coll, &groups, o, bson.M{"$group": bson.M{"_id": i.rule.class, "n": bson.M{"$sum": 1}}})
	classes := map[string]int64{}
	for _, g := range groups {
		classes[g.Class] = g.N
	}
	return classes, err
}

// slowly reads the class of each document, a tenth of a second's worth at a time, so that the member has time for others in between.
func (i *inspection) slowly(ctx context.Context, coll *mongo.Collection, o *options.AggregateOptionsBuilder) (map[string]int64, error) {
	perSecond := i.options.Throttle
	batch := int32(min(max(perSecond/10, 1), 10_000))
	cursor, err := coll.Aggregate(ctx, []bson.M{{"$project": bson.M{"_id": 0, "class": i.rule.class}}}, o.SetBatchSize(batch))
	if err != nil {
		return nil, err
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	pace := time.NewTicker(time.Duration(batch) * time.Second / time.Duration(perSecond))
	defer pace.Stop()
	classes := map[string]int64{}
	for cursor.Next(ctx) {
		classes[cursor.Current.Lookup("class").StringValue()]++
		if cursor.RemainingBatchLength() > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-pace.C:
		}
	}
	return classes, cursor.Err()
}

// sample takes random documents.
func (i *inspection) sample(ctx context.Context, coll *mongo.Collection) (scan, error) {
	var raws []bson.Raw
	fields := i.projection()
	fields["geoshardClass"] = i.rule.class
	err := aggregate(ctx, coll, &raws, aggregation(), bson.M{"$sample": bson.M{"size": i.options.Sample}}, bson.M{"$project": fields})
	s := scan{classes: map[string]int64{}}
	for _, raw := range raws {
		class := raw.Lookup("geoshardClass").StringValue()
		s.classes[class]++
		s.sample = append(s.sample, sampled{i.document(raw), class})
	}
	return s, err
}

// documents finds some documents of a class on the member.
func (i *inspection) documents(ctx context.Context, m *member, class string, limit int) ([]document, error) {
	o := options.Find().SetProjection(i.projection()).SetSort(bson.M{"_id": 1}).SetLimit(int64(limit)).SetCollation(simple).SetComment("geoshard verify")
	cursor, err := i.collection(m.client).Find(ctx, i.rule.is(class), o)
	if err != nil {
		return nil, err
	}
	var raws []bson.Raw
	err = cursor.All(ctx, &raws)
	found := make([]document, len(raws))
	for n, raw := range raws {
		found[n] = i.document(raw)
	}
	return found, err
}

// projection has the _id and the fields of the shard key.
func (t target) projection() bson.M {
	fields := bson.M{"_id": 1}
	for _, name := range t.fields() {
		fields[name] = 1
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
func (i *inspection) unknownValues(ctx context.Context, m *member) ([]UnknownValue, error) {
	var groups []struct {
		Value bson.RawValue `bson:"_id"`
		N     int64
	}
	err := aggregate(ctx, i.collection(m.client), &groups, aggregation().SetAllowDiskUse(true),
		bson.M{"$match": i.rule.is(unknownClass)},
		bson.M{"$group": bson.M{"_id": "$" + i.rule.ns.ZoneBy, "n": bson.M{"$sum": 1}}},
		bson.M{"$sort": bson.D{{Key: "n", Value: -1}, {Key: "_id", Value: 1}}},
		bson.M{"$limit": shownValues})
	var values []UnknownValue
	for _, g := range groups {
		values = append(values, UnknownValue{Shard: m.shard, Value: shown(g.Value), Documents: g.N})
	}
	return values, err
}

// shown is a value as extended JSON; the driver has no text for the two ends of all values.
func shown(v bson.RawValue) string {
	switch v.Type {
	case bson.TypeMinKey:
		return "MinKey"
	case bson.TypeMaxKey:
		return "MaxKey"
	default:
		return v.String()
	}
}
