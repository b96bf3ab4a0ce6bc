package topology

import (
	"strconv"
	"strings"
	"time"
)

// A Namespace is a sharded collection and the rule that gives each of its documents a zone.
//
// A document whose ZoneBy value lies in one of Ranges belongs to that range's zone; any other belongs to the zone of the same
// name as its value; what is left is unknown, and Unknown says what becomes of it.
type Namespace struct {
	// Name is database and collection, for example "shop.carts".
	Name string
	// Key is the shard key. Its first field is ZoneBy.
	Key Key
	// ZoneBy is the field whose value decides on the zone.
	ZoneBy string
	// Unknown is UnknownReport where the file states nothing.
	Unknown Unknown
	// UnknownZone takes the unknown documents when Unknown is UnknownToZone; else it is empty.
	UnknownZone ZoneID
	// Ranges do not overlap.
	Ranges []Range
}

// A Key is a shard key: its fields in order.
type Key []KeyField

// A KeyField is one field of a shard key; a dotted name reaches into subdocuments.
type KeyField struct {
	Name string
	// Hashed fields spread documents over the chunks of a zone. At most one field of a key is hashed.
	Hashed bool
}

// String writes the key as YAML's flow style: {dataCenter: 1, cartId: hashed}.
func (k Key) String() string {
	parts := make([]string, len(k))
	for i, f := range k {
		parts[i] = f.Name + ": " + f.order()
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (f KeyField) order() string {
	if f.Hashed {
		return "hashed"
	}
	return "1"
}

// A Range assigns values of the namespace's ZoneBy field to a zone: either single Values, or everything from From (inclusive) to
// To (exclusive).
type Range struct {
	Zone   ZoneID
	Values []Value
	// From and To are nil for "no bound on this side". Both are nil when Values are given.
	From, To *Value
}

// A Kind is the type of a Value.
type Kind int

// The kinds of values, in the order in which MongoDB sorts them (integers and floats sort as one).
const (
	KindUnknown Kind = iota
	KindInteger
	KindFloat
	KindString
	KindDate
)

// String names the kind as messages do.
func (k Kind) String() string {
	switch k {
	case KindInteger:
		return "integer"
	case KindFloat:
		return "float"
	case KindString:
		return "string"
	case KindDate:
		return "date"
	default:
		return "unknown"
	}
}

// A Value is a value of a ZoneBy field. The zero Value is not valid. Values compare with == and Compare.
type Value struct {
	kind Kind
	text string
	// number is an integer's value, or a date's milliseconds since 1970 in UTC.
	number int64
	float  float64
}

// StringOf returns a string value.
func StringOf(s string) Value { return Value{kind: KindString, text: s} }

// IntegerOf returns an integer value (a 64-bit integer of MongoDB).
func IntegerOf(n int64) Value { return Value{kind: KindInteger, number: n} }

// FloatOf returns a float value (a double of MongoDB). Zero has no sign.
func FloatOf(f float64) Value { return Value{kind: KindFloat, float: f + 0} }

// DateOf returns a date value, cut to MongoDB's milliseconds.
func DateOf(t time.Time) Value { return Value{kind: KindDate, number: t.UnixMilli()} }

// Kind says which of Text, Integer, Float and Date holds the value.
func (v Value) Kind() Kind { return v.kind }

// Text is a string value's text.
func (v Value) Text() string { return v.text }

// Integer is an integer value's number.
func (v Value) Integer() int64 { return v.number }

// Float is a float value's number.
func (v Value) Float() float64 { return v.float }

// Date is a date value's time, in UTC.
func (v Value) Date() time.Time { return time.UnixMilli(v.number).UTC() }

// dateLayout has the milliseconds of a BSON date.
const dateLayout = "2006-01-02T15:04:05.000Z07:00"

// String writes the value as geoshard.yaml does: strings in double quotes, dates without.
func (v Value) String() string {
	switch v.kind {
	case KindString:
		return strconv.Quote(v.text)
	case KindInteger:
		return strconv.FormatInt(v.number, 10)
	case KindFloat:
		return formatFloat(v.float)
	case KindDate:
		return v.Date().Format(dateLayout)
	default:
		return "unknown value"
	}
}

// formatFloat keeps a mark of a float, so that it is not read back as an integer.
func formatFloat(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if strings.ContainsAny(s, ".e") {
		return s
	}
	return s + ".0"
}
