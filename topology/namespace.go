package topology

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/geoshard/geoshard/internal/enum"
)

// A Namespace is a sharded collection, or all of a database, and the rule that gives each of its documents a zone.
//
// A document whose ZoneBy value lies in one of Ranges belongs to that range's zone; any other belongs to the zone of the same
// name as its value, unless OnlyRanges; what is left is unknown, and Unknown says what becomes of it.
type Namespace struct {
	// Name is database and collection, for example "shop.carts". One that ends in ".*" is a pattern: see IsPattern.
	Name string `file:",key"`
	// Key is the shard key. Its first field is ZoneBy.
	Key Key `file:"key,required" want:"a mapping of fields, such as {dataCenter: 1, cartId: 1}"`
	// ZoneBy is the field whose value decides on the zone.
	ZoneBy string `file:"zoneBy,required" want:"a field of the key"`
	// Unknown is UnknownReport where the file states nothing.
	Unknown Unknown `file:"unknown,always"`
	// UnknownZone takes the unknown documents when Unknown is UnknownToZone; else it is empty.
	UnknownZone ZoneID `file:"unknownZone" want:"a zone"`
	// OnlyRanges ends the rule that a zone takes the values of its own name.
	OnlyRanges bool `file:"onlyRanges"`
	// Ranges do not overlap.
	Ranges []Range `file:"ranges,lines" want:"ranges"`
	// Related namespaces hold documents that change home together with this namespace's: a customer's orders with the customer.
	Related []Related `file:"related" want:"related namespaces"`
}

// IsPattern reports whether the namespace stands for collections that it does not name: "shop.*" for those of the database shop, "shop.eu.*"
// for those of them whose names begin with "eu.". A pattern is about collections that have its key; those with a namespace of their own, or
// a longer pattern, follow that one.
func (n Namespace) IsPattern() bool { return strings.HasSuffix(n.Name, ".*") }

// Covers reports whether a collection has the namespace's name, or matches its pattern.
func (n Namespace) Covers(collection string) bool {
	if !n.IsPattern() {
		return n.Name == collection
	}
	prefix := strings.TrimSuffix(n.Name, "*")
	return len(collection) > len(prefix) && strings.HasPrefix(collection, prefix)
}

// A Related namespace has documents that belong to documents of the namespace that names it.
type Related struct {
	// Namespace is the name of another declared namespace.
	Namespace string `file:"namespace,required" want:"a namespace"`
	// Parent is a field of the naming namespace, and By one of the related: documents belong together where both have the same value. Parent is empty where the
	// field has one name in both.
	Parent string `file:"parent" want:"a field of the naming namespace"`
	By     string `file:"by,required" want:"a field of the related namespace"`
}

// A Key is a shard key: its fields in order.
type Key []KeyField

// A KeyField is one field of a shard key; a dotted name reaches into subdocuments.
type KeyField struct {
	Name string `file:",key"`
	// Hashed fields spread documents over the chunks of a zone. At most one field of a key is hashed.
	Hashed bool
}

// String writes the key as YAML's flow style: {dataCenter: 1, cartId: hashed}.
func (k Key) String() string {
	fields := each(k, func(f KeyField) string { return f.Name + ": " + f.order() })
	return "{" + strings.Join(fields, ", ") + "}"
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
	Zone   ZoneID  `file:"zone,required" want:"a zone"`
	Values []Value `file:"values" want:"values"`
	// From and To are nil for "no bound on this side". Both are nil when Values are given.
	From *Value `file:"from"`
	To   *Value `file:"to"`
}

// Includes reports whether the range has a value, in MongoDB's order of values.
func (r Range) Includes(v Value) bool {
	if len(r.Values) > 0 {
		return slices.ContainsFunc(r.Values, func(w Value) bool { return w.Compare(v) == 0 })
	}
	return (r.From == nil || r.From.Compare(v) <= 0) && (r.To == nil || v.Compare(*r.To) < 0)
}

// A Kind is the type of a Value.
type Kind int

// The kinds of values, in the order in which MongoDB sorts them (integers and floats sort as one).
const (
	KindUnknown Kind = iota
	KindInteger
	KindFloat
	KindString
	KindUUID
	KindObjectID
	KindDate
)

var kindNames = []string{KindInteger: "integer", KindFloat: "float", KindString: "string", KindUUID: "uuid", KindObjectID: "oid", KindDate: "date"}

// String names the kind as messages do.
func (k Kind) String() string { return enum.Name(kindNames, k) }

// A Value is a value of a ZoneBy field. The zero Value is not valid. Values compare with == and Compare.
type Value struct {
	kind Kind
	// text is a string, or the bytes of a UUID or an ObjectID.
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

// UUIDOf returns a UUID value (a binary of MongoDB with subtype 4).
func UUIDOf(id [16]byte) Value { return Value{kind: KindUUID, text: string(id[:])} }

// ObjectIDOf returns an ObjectID value.
func ObjectIDOf(id [12]byte) Value { return Value{kind: KindObjectID, text: string(id[:])} }

// Kind says which of Text, Integer, Float, UUID, ObjectID and Date holds the value.
func (v Value) Kind() Kind { return v.kind }

// Text is a string value's text.
func (v Value) Text() string { return v.text }

// Integer is an integer value's number.
func (v Value) Integer() int64 { return v.number }

// Float is a float value's number.
func (v Value) Float() float64 { return v.float }

// UUID is a UUID value's bytes.
func (v Value) UUID() (id [16]byte) { copy(id[:], v.text); return id }

// ObjectID is an ObjectID value's bytes.
func (v Value) ObjectID() (id [12]byte) { copy(id[:], v.text); return id }

// Date is a date value's time, in UTC.
func (v Value) Date() time.Time { return time.UnixMilli(v.number).UTC() }

// dateLayout has the milliseconds of a BSON date.
const dateLayout = "2006-01-02T15:04:05.000Z07:00"

// String writes the value: strings in double quotes, dates and identifiers without.
func (v Value) String() string {
	switch v.kind {
	case KindString:
		return strconv.Quote(v.text)
	case KindInteger:
		return strconv.FormatInt(v.number, 10)
	case KindFloat:
		return formatFloat(v.float)
	case KindUUID:
		id := v.UUID()
		return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
	case KindObjectID:
		return fmt.Sprintf("%x", v.text)
	case KindDate:
		return v.Date().Format(dateLayout)
	default:
		return "unknown value"
	}
}

// formatFloat keeps a mark of a float, so that it is not read back as an integer, and a point, without which the YAML library takes 1e-07 for a string.
func formatFloat(f float64) string {
	s := number(f)
	if strings.Contains(s, ".") {
		return s
	}
	mantissa, exponent, found := strings.Cut(s, "e")
	if !found {
		return s + ".0"
	}
	return mantissa + ".0e" + exponent
}
