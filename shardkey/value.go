package shardkey

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/topology"
)

// ValueOf returns a declared value as documents hold it. The zero Value gives one without a type.
func ValueOf(v topology.Value) bson.RawValue {
	switch v.Kind() {
	case topology.KindInteger:
		return integerValue(v.Integer())
	case topology.KindFloat:
		return doubleValue(v.Float())
	case topology.KindString:
		return stringValue(v.Text())
	case topology.KindUUID:
		id := v.UUID()
		return rawValue(bson.TypeBinary, bsoncore.AppendBinary(nil, bson.TypeBinaryUUID, id[:]))
	case topology.KindObjectID:
		id := v.ObjectID()
		return rawValue(bson.TypeObjectID, id[:])
	case topology.KindDate:
		return dateValue(v.Date().UnixMilli())
	default:
		return bson.RawValue{}
	}
}

// Declared returns a value as geoshard.yaml has it. It is false for a value that geoshard.yaml cannot express.
func Declared(v bson.RawValue) (topology.Value, bool) {
	switch v.Type {
	case bson.TypeString:
		text := v.StringValue()
		return topology.StringOf(text), strings.ToValidUTF8(text, "") == text
	case bson.TypeInt32, bson.TypeInt64:
		return topology.IntegerOf(v.AsInt64()), true
	case bson.TypeDouble:
		d := v.Double()
		return topology.FloatOf(d), d-d == 0 // neither NaN nor infinite
	case bson.TypeDateTime:
		at := v.Time().UTC()
		return topology.DateOf(at), at.Year() >= 0 && at.Year() <= 9999 // YAML has four digits
	case bson.TypeObjectID:
		return topology.ObjectIDOf(v.ObjectID()), true
	case bson.TypeBinary:
		subtype, data := v.Binary()
		if subtype != bson.TypeBinaryUUID || len(data) != 16 {
			return topology.Value{}, false
		}
		return topology.UUIDOf([16]byte(data)), true
	default:
		return topology.Value{}, false
	}
}

// ParseValue reads a value of a zone field as people write it: extended JSON (7, 2.5, {"$date": "2026-01-01T00:00:00Z"}, {"$oid": "…"}, {"$uuid": "…"}, "LON"), and what
// is no JSON is a string as it stands (LON). A string that looks like something else stands in double quotes: "7".
func ParseValue(text string) (v topology.Value, err error) {
	if !json.Valid([]byte(text)) {
		if strings.HasPrefix(text, "{") || strings.HasPrefix(text, `"`) {
			return v, fmt.Errorf("%s is no extended JSON", text)
		}
		return topology.StringOf(text), nil
	}
	var doc bson.Raw
	if err := bson.UnmarshalExtJSON([]byte(`{"value":`+text+`}`), false, &doc); err != nil {
		return v, fmt.Errorf("%s: %w", text, err)
	}
	v, ok := Declared(doc.Lookup("value"))
	if !ok {
		return topology.Value{}, fmt.Errorf("%s: zones are made of strings, numbers, dates, UUIDs and ObjectIDs", text)
	}
	return v, nil
}

func stringValue(s string) bson.RawValue {
	return rawValue(bson.TypeString, bsoncore.AppendString(nil, s))
}

func doubleValue(d float64) bson.RawValue {
	return rawValue(bson.TypeDouble, bitsOfInt(int64(math.Float64bits(d))))
}

func integerValue(i int64) bson.RawValue {
	return rawValue(bson.TypeInt64, bitsOfInt(i))
}

func dateValue(ms int64) bson.RawValue {
	return rawValue(bson.TypeDateTime, bitsOfInt(ms))
}

func rawValue(t bson.Type, bytes []byte) bson.RawValue {
	return bson.RawValue{Type: t, Value: bytes}
}

// Ends are where the values of a declared range begin (inclusive) and end (exclusive). MinKey and MaxKey are the ends of all values. All kinds of declared values have a
// successor.
func Ends(r topology.Range) (from, to bson.RawValue) {
	if len(r.Values) > 0 {
		from = ValueOf(r.Values[0])
		to, _ = Successor(from)
		return from, to
	}
	from, to = MinKey, MaxKey
	if r.From != nil {
		from = ValueOf(*r.From)
	}
	if r.To != nil {
		to = ValueOf(*r.To)
	}
	return from, to
}
