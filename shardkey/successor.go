package shardkey

import (
	"bytes"
	"math"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// Successor returns the next value in MongoDB's order: nothing lies between a value and its successor. ok is false for types without one.
//
//   - string: the string with a zero byte behind it.
//   - integer and double: the nearest one above among both types. Decimals that lie between the two share the fate of the value. (A successor among the integers
//     alone, n+1, would give 1.5 to the zone of 1.)
//   - date: a millisecond later. ObjectID, binary (UUID): the next of the same length.
//   - boolean: true after false.
//
// The last of a type is followed by the first of the next type, so each of them has a successor.
func Successor(v bson.RawValue) (bson.RawValue, bool) {
	switch v.Type {
	case bson.TypeString:
		return stringValue(v.StringValue() + "\x00"), true
	case bson.TypeInt32, bson.TypeInt64:
		return afterInteger(v.AsInt64()), true
	case bson.TypeDouble:
		return afterDouble(v.Double()), true
	case bson.TypeBinary:
		return afterBinary(v), true
	case bson.TypeObjectID:
		if next, ok := incremented(v.Value); ok {
			return rawValue(bson.TypeObjectID, next), true
		}
		return rawValue(bson.TypeBoolean, []byte{0}), true
	case bson.TypeBoolean:
		if !v.Boolean() {
			return rawValue(bson.TypeBoolean, []byte{1}), true
		}
		return dateValue(math.MinInt64), true // the earliest date
	case bson.TypeDateTime:
		if ms := v.DateTime(); ms < math.MaxInt64 {
			return dateValue(ms + 1), true
		}
		return rawValue(bson.TypeTimestamp, bitsOfInt(0)), true
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
		return integerValue(n + 1)
	}
}

func afterDouble(d float64) bson.RawValue {
	switch {
	case math.IsNaN(d):
		return doubleValue(math.Inf(-1))
	case math.IsInf(d, 1):
		return stringValue("")
	case d >= -(1<<63) && d < 1<<63 && math.Abs(d) >= largestExact && d != -largestExact:
		return afterInteger(int64(d))
	default:
		return doubleValue(math.Nextafter(d, math.Inf(1)))
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
	return rawValue(bson.TypeBinary, bsoncore.AppendBinary(nil, subtype, next))
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
