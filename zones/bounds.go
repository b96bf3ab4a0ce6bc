package zones

import (
	"bytes"
	"encoding/binary"
	"math"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

var (
	minKey = bson.RawValue{Type: bson.TypeMinKey}
	maxKey = bson.RawValue{Type: bson.TypeMaxKey}
)

// bound is the full key at which the documents with value v in the first field begin: {dc: v, id: MinKey}. MaxKey is the end of everything, so it fills all
// fields. Hashed fields take MinKey and MaxKey like any other.
func bound(key topology.Key, v bson.RawValue) bson.Raw {
	rest := minKey
	if v.Type == bson.TypeMaxKey {
		rest = maxKey
	}
	index, doc := bsoncore.AppendDocumentStart(nil)
	for i, f := range key {
		value := v
		if i > 0 {
			value = rest
		}
		doc = appendValue(doc, f.Name, value)
	}
	return endDocument(doc, index)
}

func appendValue(doc []byte, name string, v bson.RawValue) []byte {
	doc = bsoncore.AppendHeader(doc, bsoncore.Type(v.Type), name)
	return append(doc, v.Value...)
}

func endDocument(doc []byte, index int32) bson.Raw {
	doc = append(doc, 0)
	return bsoncore.UpdateLength(doc, index, int32(len(doc))-index)
}

// fullKey puts a bound from the catalogue into the key's order and extends a prefix with MinKey, as the server does. It is false for a bound of
// another key.
func fullKey(key topology.Key, b bson.Raw) (full bson.Raw, same, ok bool) {
	elements, err := b.Elements()
	if err != nil || len(elements) == 0 || len(elements) > len(key) {
		return nil, false, false
	}
	values := make([]bson.RawValue, len(key))
	same = len(elements) == len(key)
	for i, e := range elements {
		at := fieldOf(key, e.Key())
		if at < 0 || at >= len(elements) { // no prefix of the key, in whatever order
			return nil, false, false
		}
		same = same && at == i
		values[at] = e.Value()
	}
	if same {
		return b, true, true
	}
	index, doc := bsoncore.AppendDocumentStart(nil)
	for i, f := range key {
		v := values[i]
		if v.Type == 0 {
			v = minKey
		}
		doc = appendValue(doc, f.Name, v)
	}
	return endDocument(doc, index), false, true
}

func fieldOf(key topology.Key, name string) int {
	for i, f := range key {
		if f.Name == name {
			return i
		}
	}
	return -1
}

// loosely is the bound at which the same documents begin or end, written in the tight way: {dc: "LON", id: MaxKey} becomes {dc: "LON\u0000", id: MinKey},
// since no document lies between them but one whose id is MaxKey.
func loosely(key topology.Key, full bson.Raw) bson.Raw {
	first, second := firstTwo(full)
	if first.Type == bson.TypeMaxKey {
		return bound(key, maxKey)
	}
	if second.Type != bson.TypeMaxKey {
		return full
	}
	next, ok := successor(first)
	if !ok {
		return full
	}
	return bound(key, next)
}

// firstTwo are the first two values of a key; the second has no type where there is none.
func firstTwo(key bson.Raw) (first, second bson.RawValue) {
	_, rest, ok := bsoncore.ReadLength(key)
	if !ok {
		return
	}
	for _, to := range []*bson.RawValue{&first, &second} {
		element, tail, ok := bsoncore.ReadElement(rest)
		if !ok {
			return
		}
		v := element.Value()
		*to, rest = bson.RawValue{Type: bson.Type(v.Type), Value: v.Data}, tail
	}
	return
}

func stringValue(s string) bson.RawValue {
	return bson.RawValue{Type: bson.TypeString, Value: bsoncore.AppendString(nil, s)}
}

func doubleValue(d float64) bson.RawValue {
	return bson.RawValue{Type: bson.TypeDouble, Value: little(math.Float64bits(d))}
}

func little(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

// successor is the next value in MongoDB's order: nothing lies between a value and its successor. ok is false for types without one.
//
//   - string: the string with a zero byte behind it.
//   - integer and double: the nearest one above among both types. Decimals that lie between the two share the fate of the value. (A successor among the integers
//     alone, n+1, would give 1.5 to the zone of 1.)
//   - date: a millisecond later. ObjectID, binary (UUID): the next of the same length.
//   - boolean: true after false.
//
// The last of a type is followed by the first of the next type, so each of them has a successor.
func successor(v bson.RawValue) (bson.RawValue, bool) {
	switch v.Type {
	case bson.TypeString:
		return stringValue(v.StringValue() + "\x00"), true
	case bson.TypeInt32, bson.TypeInt64:
		return afterInteger(v.AsInt64()), true
	case bson.TypeDouble:
		return afterDouble(v.Double())
	case bson.TypeBinary:
		return afterBinary(v), true
	case bson.TypeObjectID:
		if next, ok := incremented(v.Value); ok {
			return bson.RawValue{Type: bson.TypeObjectID, Value: next}, true
		}
		return bson.RawValue{Type: bson.TypeBoolean, Value: []byte{0}}, true
	case bson.TypeBoolean:
		if !v.Boolean() {
			return bson.RawValue{Type: bson.TypeBoolean, Value: []byte{1}}, true
		}
		return bson.RawValue{Type: bson.TypeDateTime, Value: little(1 << 63)}, true // the earliest date
	case bson.TypeDateTime:
		if ms := v.DateTime(); ms < math.MaxInt64 {
			return bson.RawValue{Type: bson.TypeDateTime, Value: little(uint64(ms + 1))}, true
		}
		return bson.RawValue{Type: bson.TypeTimestamp, Value: little(0)}, true
	default:
		return bson.RawValue{}, false
	}
}

// largestExact is the largest integer up to which doubles are at least as dense as integers.
const largestExact = 1 << 53

func afterInteger(n int64) bson.RawValue {
	switch {
	case -largestExact <= n && n < largestExact:
		return doubleValue(math.Nextafter(float64(n), math.Inf(1)))
	case n == math.MaxInt64:
		return doubleValue(1 << 63)
	default: // between doubles that are further apart than integers
		return bson.RawValue{Type: bson.TypeInt64, Value: little(uint64(n + 1))}
	}
}

func afterDouble(d float64) (bson.RawValue, bool) {
	switch {
	case math.IsNaN(d):
		return doubleValue(math.Inf(-1)), true
	case math.IsInf(d, 1):
		return stringValue(""), true
	case d >= -(1<<63) && d < 1<<63 && math.Abs(d) >= largestExact && d != -largestExact:
		return afterInteger(int64(d)), true
	default:
		return doubleValue(math.Nextafter(d, math.Inf(1))), true
	}
}

// afterBinary: binaries sort by length, then by subtype, then by their bytes.
func afterBinary(v bson.RawValue) bson.RawValue {
	subtype, data := v.Binary()
	next, ok := incremented(data)
	switch {
	case ok:
	case subtype < math.MaxUint8:
		subtype, next = subtype+1, make([]byte, len(data))
	default:
		subtype, next = 0, make([]byte, len(data)+1)
	}
	return bson.RawValue{Type: bson.TypeBinary, Value: bsoncore.AppendBinary(nil, subtype, next)}
}

// incremented adds one to a number of many bytes; ok is false if it overflows.
func incremented(number []byte) (next []byte, ok bool) {
	next = bytes.Clone(number)
	for i := len(next) - 1; i >= 0; i-- {
		next[i]++
		if next[i] != 0 {
			return next, true
		}
	}
	return nil, false
}

// single returns the value v of a range that covers the documents with {field: v} and no others.
func (r Range) single(key topology.Key) (v bson.RawValue, ok bool) {
	first, _ := firstTwo(r.Min)
	next, ok := successor(first)
	if !ok || shardkey.CompareKeys(r.Min, bound(key, first)) != 0 {
		return bson.RawValue{}, false
	}
	return first, shardkey.CompareKeys(loosely(key, r.Max), bound(key, next)) == 0
}
