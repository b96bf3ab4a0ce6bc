package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/plan"
)

// MaxUnknown is how many values UnknownValues tells at most.
const MaxUnknown = 20

// An UnknownValue is a value of the zone field that no range covers, with the number of documents that have it. A missing field is null.
type UnknownValue struct {
	Value     bson.RawValue
	Documents int64
}

// String is the value as people read it.
func (v UnknownValue) String() string { return shardkey.FormatValue(v.Value) }

// UnknownValues finds values of the zone field in documents whose shard keys lie between the ranges of a placement, in the order of the keys. more is true if
// there are others. It reads keys of an index, one for each value and one for each gap, and no documents.
//
// field is the first field of the placement's key. The collection needs the key's index, sharded or not; one that does not exist has no values.
func (c *Catalog) UnknownValues(ctx context.Context, ns, field string, placement zones.Placement) (values []UnknownValue, more bool, err error) {
	what := "look for unknown values in " + ns
	if len(placement.Key) == 0 || placement.Key[0].Name != field {
		return nil, false, fmt.Errorf("%s: the field %s does not lead the key %s", what, field, placement.Key)
	}
	indexes, err := c.indexes(ctx, ns)
	if err != nil || len(indexes) == 0 {
		return nil, false, err
	}
	i := slices.IndexFunc(indexes, func(index zones.Index) bool { return index.Serves(placement.Key) })
	if i < 0 {
		return nil, false, &Error{What: what, Err: fmt.Errorf("no index begins with %s", placement.Key), hint: "create it: " + plan.CreateIndex(ns, placement.Key, "")}
	}
	s := valueScan{c: c, what: what, ns: ns, field: field, index: indexes[i].Key, name: indexes[i].Name}
	gaps, err := s.gaps(placement.Ranges)
	if err != nil {
		return nil, false, err
	}
	found := make([][]UnknownValue, len(gaps))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, gap := range gaps {
		group.Go(func() (err error) {
			found[i], err = s.scan(inner, gap)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, false, err
	}
	values = slices.Concat(found...)
	if len(values) > MaxUnknown {
		values, more = values[:MaxUnknown], true
	}
	for i := range values {
		if values[i].Documents, err = s.count(ctx, values[i].Value); err != nil {
			return nil, false, err
		}
	}
	return values, more, nil
}

// A valueScan looks for values in gaps between ranges, along an index. It names the index, since others may have the same key, and compares bytes, as
// zones and the index do: an application's own collation does not matter.
type valueScan struct {
	c               *Catalog
	what, ns, field string
	index           bson.D
	name            string
}

// byBytes is the collation of shard keys.
var byBytes = &options.Collation{Locale: "simple"}

// A gap is a run of index keys; max is nil for the end of the index.
type gap struct{ min, max bson.D }

// gaps are what sorted ranges leave over.
func (s valueScan) gaps(ranges []zones.Range) ([]gap, error) {
	var gaps []gap
	low := s.edge(bson.MinKey{})
	var last bson.Raw
	for _, r := range ranges {
		next, err := s.extend(r.Min)
		if err != nil {
			return nil, err
		}
		if last == nil && !allOf(r.Min, bson.TypeMinKey) || last != nil && shardkey.CompareKeys(last, r.Min) < 0 {
			gaps = append(gaps, gap{low, next})
		}
		if low, err = s.extend(r.Max); err != nil {
			return nil, err
		}
		last = r.Max
	}
	if last == nil || !allOf(last, bson.TypeMaxKey) {
		gaps = append(gaps, gap{low, nil})
	}
	return gaps, nil
}

// edge is an index key with one value in every field.
func (s valueScan) edge(value any) bson.D {
	key := make(bson.D, len(s.index))
	for i, f := range s.index {
		key[i] = bson.E{Key: f.Key, Value: value}
	}
	return key
}

// extend makes a bound one of the index, which may have more fields than the shard key, and the bound may have fewer.
func (s valueScan) extend(bound bson.Raw) (bson.D, error) {
	values, err := bound.Values()
	if err != nil || len(values) > len(s.index) {
		return nil, &Error{What: s.what, Kind: ErrBadBounds, Err: errors.Join(err, errors.New(shardkey.Format(bound)))}
	}
	key := s.edge(bson.MinKey{})
	for i, v := range values {
		key[i].Value = v
	}
	return key, nil
}

// scan jumps from value to value through a gap.
func (s valueScan) scan(ctx context.Context, g gap) ([]UnknownValue, error) {
	var values []UnknownValue
	for len(values) <= MaxUnknown {
		o := options.Find().SetHint(s.name).SetCollation(byBytes).SetMin(g.min).SetProjection(bson.M{"_id": 0, s.field: 1}).SetSort(bson.M{s.field: 1})
		if g.max != nil {
			o.SetMax(g.max)
		}
		value, err := s.next(ctx, o, values)
		if errors.Is(err, mongo.ErrNoDocuments) {
			return values, nil
		}
		if err != nil {
			return nil, s.c.fail(s.what, "find", s.ns, err)
		}
		values = append(values, UnknownValue{Value: value})
		g.min = s.behind(value)
		if g.min == nil || g.max != nil && !below(g.min, g.max) {
			return values, nil
		}
	}
	return values, nil
}

// next finds another value than the last one. One look takes milliseconds, unless a shard is silent.
func (s valueScan) next(ctx context.Context, o *options.FindOptionsBuilder, before []UnknownValue) (value bson.RawValue, err error) {
	ctx, cancel := context.WithTimeout(ctx, shardAnswersWithin)
	defer cancel()
	if len(before) == 0 || hasNext(before[len(before)-1].Value) {
		o.SetLimit(1)
	}
	cursor, err := s.c.collection(s.ns).Find(ctx, bson.D{}, o)
	if err != nil {
		return value, err
	}
	defer func() { _ = cursor.Close(ctx) }()
	for cursor.Next(ctx) {
		found := shardkey.ValueAt(cursor.Current, s.field)
		value = bson.RawValue{Type: bson.Type(found.Type), Value: slices.Clone(found.Data)}
		if len(before) == 0 || shardkey.Compare(value, before[len(before)-1].Value) != 0 {
			return value, nil
		}
	}
	return value, cmp.Or(cursor.Err(), mongo.ErrNoDocuments)
}

// behind is where the documents of a value end, or their last ones begin; nil behind MaxKey.
func (s valueScan) behind(value bson.RawValue) bson.D {
	if value.Type == bson.TypeMaxKey {
		return nil
	}
	edge := s.edge(bson.MaxKey{})
	edge[0].Value = value
	if hasNext(value) {
		next, _ := shardkey.Successor(value)
		edge = s.edge(bson.MinKey{})
		edge[0].Value = next
	}
	return edge
}

// hasNext reports whether it is known which value follows. Behind another one, those of its documents come again whose key ends in MaxKey.
func hasNext(value bson.RawValue) bool {
	next, _ := shardkey.Successor(value)
	return next.Type != 0
}

// below compares two index keys.
func below(a, b bson.D) bool {
	left, errLeft := bson.Marshal(a)
	right, errRight := bson.Marshal(b)
	return errLeft == nil && errRight == nil && shardkey.CompareKeys(left, right) < 0
}

// count counts the documents that have a value. Null stands for a missing field too, in a filter as in an index; undefined, which filters take for null as well
// and do not compare with, is a type of its own here.
func (s valueScan) count(ctx context.Context, value bson.RawValue) (int64, error) {
	is, undefined := bson.M{"$eq": value}, bson.M{"$type": "undefined"}
	switch value.Type {
	case bson.TypeUndefined:
		is = undefined
	case bson.TypeNull:
		is["$not"] = undefined
	}
	n, err := s.c.collection(s.ns).CountDocuments(ctx, bson.M{s.field: is}, options.Count().SetHint(s.name).SetCollation(byBytes))
	return n, s.c.fail(s.what, "aggregate", s.ns, err)
}
