package shardkey

import (
	"math"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/topology"
)

// The ends of all values.
var (
	MinKey = bson.RawValue{Type: bson.TypeMinKey}
	MaxKey = bson.RawValue{Type: bson.TypeMaxKey}
)

// A Bound is one end of a range of shard keys, normalised. ReadBound makes it.
type Bound struct {
	// Full has a value for each field of the key, in the key's order.
	Full bson.Raw
	// Tight is the first key at which the same documents begin or end, so that two ranges of the same documents have the same: {dc: "LON", id: MaxKey} is
	// {dc: "LON\u0000", id: MinKey}, since no document lies between them but one whose id is MaxKey.
	Tight bson.Raw
	// Complete is true if the bound was read with all fields, in the key's order.
	Complete bool
}

// ReadBound normalises a bound from the catalogue: it puts the fields into the key's order and extends a prefix with MinKey, as the server does. It is
// false for a bound of another key.
func ReadBound(key topology.Key, raw bson.Raw) (Bound, bool) {
	if isFull(key, raw) { // as nearly all are
		return Bound{Full: raw, Tight: tight(key, raw), Complete: true}, true
	}
	elements, err := raw.Elements()
	if err != nil || len(elements) == 0 || len(elements) > len(key) {
		return Bound{}, false
	}
	values := slices.Repeat([]bson.RawValue{MinKey}, len(key))
	complete := len(elements) == len(key)
	for i, e := range elements {
		at := slices.IndexFunc(key, func(f topology.KeyField) bool { return f.Name == e.Key() })
		if at < 0 || at >= len(elements) { // no prefix of the key, in whatever order
			return Bound{}, false
		}
		complete = complete && at == i
		values[at] = e.Value()
	}
	full := raw
	if !complete {
		full = keyOf(key, values...)
	}
	return Bound{Full: full, Tight: tight(key, full), Complete: complete}, true
}

// isFull reports whether a bound has the key's fields, in their order. It does not allocate.
func isFull(key topology.Key, raw bson.Raw) bool {
	f := fieldsOf(raw)
	for i := range key {
		if name, _, ok := f.next(); !ok || string(name) != key[i].Name {
			return false
		}
	}
	return len(f.rest) == 1 && f.rest[0] == 0
}

func tight(key topology.Key, full bson.Raw) bson.Raw {
	first, second := FirstTwo(full)
	if first.Type == bson.TypeMaxKey {
		return StartOf(key, MaxKey)
	}
	if second.Type != bson.TypeMaxKey {
		return full
	}
	next, ok := Successor(first)
	if !ok {
		return full
	}
	return StartOf(key, next)
}

// StartOf returns the full key at which the documents with value v in the first field begin: {dc: v, id: MinKey}. MaxKey is the end of everything, so it
// fills all fields. Hashed fields take MinKey and MaxKey like any other.
func StartOf(key topology.Key, v bson.RawValue) bson.Raw {
	if v.Type == bson.TypeMaxKey {
		return keyOf(key, v, MaxKey)
	}
	return keyOf(key, v, MinKey)
}

// KeysWith returns the first and the last shard key that a query for a value of the first field has to look for: {dc: v, id: MinKey} and {dc: v, id: MaxKey}.
func KeysWith(key topology.Key, v bson.RawValue) (lowest, highest bson.Raw) {
	return keyOf(key, v, MinKey), keyOf(key, v, MaxKey)
}

// keyOf has a value in each field; the last one is that of all further fields, too.
func keyOf(key topology.Key, values ...bson.RawValue) bson.Raw {
	index, doc := bsoncore.AppendDocumentStart(nil)
	for i, f := range key {
		doc = appendValue(doc, f.Name, values[min(i, len(values)-1)])
	}
	return endDocument(doc, index)
}

// SingleValue returns the value v of a range of full keys that covers the documents with {field: v} and no others.
func SingleValue(key topology.Key, low, high bson.Raw) (v bson.RawValue, ok bool) {
	first, _ := FirstTwo(low)
	next, ok := Successor(first)
	if !ok || CompareKeys(low, StartOf(key, first)) != 0 {
		return v, false
	}
	return first, CompareKeys(tight(key, high), StartOf(key, next)) == 0
}

// FirstTwo returns the first two values of a key; the second has no type where there is none.
func FirstTwo(key bson.Raw) (first, second bson.RawValue) {
	walk := fieldsOf(key)
	_, first, ok := walk.next()
	if ok {
		_, second, _ = walk.next()
	}
	return first, second
}

// Trimmed returns a bound without the MinKeys at its end, by which the server extends a prefix; the first field stays. Numbers that are integers are 64-bit
// integers, so that bounds of the same keys have the same bytes.
func Trimmed(bound bson.Raw) bson.Raw {
	elements, err := bound.Elements()
	if err != nil {
		return bound
	}
	for len(elements) > 1 && elements[len(elements)-1].Value().Type == bson.TypeMinKey {
		elements = elements[:len(elements)-1]
	}
	index, doc := bsoncore.AppendDocumentStart(nil)
	for _, e := range elements {
		doc = appendValue(doc, e.Key(), integer(e.Value()))
	}
	return endDocument(doc, index)
}

// integer is a number that is one as a 64-bit integer, and any other value as it is.
func integer(v bson.RawValue) bson.RawValue {
	switch v.Type {
	case bson.TypeInt32:
		return integerValue(v.AsInt64())
	case bson.TypeDouble:
		if d := v.Double(); d == math.Trunc(d) && math.Abs(d) <= largestExact {
			return integerValue(int64(d))
		}
	}
	return v
}
