package shardkey

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Compare orders two BSON values as the server does (-1, 0 or +1), with the simple collation: first by canonical type
// (MinKey < undefined < null < numbers < symbol and string < object < array < binary < ObjectID < bool < date <
// timestamp < regular expression < DBPointer < code < code with scope < MaxKey), then by value. Numbers of all four
// types compare by their exact value; NaN comes first among them. It does not allocate, unless a Decimal128 is involved.
// The values must be well formed, as wire messages are after validation.
func Compare(a, b bson.RawValue) int {
	if a.Type != b.Type {
		if c := cmp.Compare(canonicalTypes[a.Type], canonicalTypes[b.Type]); c != 0 {
			return c
		}
	}
	switch a.Type {
	case bson.TypeInt32, bson.TypeInt64, bson.TypeDouble, bson.TypeDecimal128:
		return compareNumbers(a, b)
	case bson.TypeString, bson.TypeSymbol, bson.TypeJavaScript:
		return bytes.Compare(text(a.Value), text(b.Value))
	case bson.TypeEmbeddedDocument, bson.TypeArray:
		return CompareDocuments(a.Value, b.Value)
	case bson.TypeObjectID, bson.TypeBoolean, bson.TypeRegex:
		// A regular expression is its pattern and its options, each ended by a zero byte: comparing the whole is comparing one after the other.
		return bytes.Compare(a.Value, b.Value)
	case bson.TypeDateTime:
		return cmp.Compare(int64(little64(a.Value)), int64(little64(b.Value)))
	case bson.TypeTimestamp:
		return cmp.Compare(little64(a.Value), little64(b.Value))
	case bson.TypeBinary, bson.TypeDBPointer:
		// The shorter comes first; then byte by byte: subtype, then data, for binary.
		return cmp.Or(cmp.Compare(len(a.Value), len(b.Value)), bytes.Compare(a.Value, b.Value))
	case bson.TypeCodeWithScope:
		codeA, scopeA := splitCodeWithScope(a.Value)
		codeB, scopeB := splitCodeWithScope(b.Value)
		return cmp.Or(bytes.Compare(codeA, codeB), CompareDocuments(scopeA, scopeB))
	default: // MinKey, MaxKey, null, undefined: one value each
		return 0
	}
}

// CompareKeys orders two shard keys (or chunk bounds) value by value, without regard to field names. A key that is a
// prefix of the other comes first. It does not allocate where Compare does not.
func CompareKeys(a, b bson.Raw) int {
	left, right := fieldsOf(a), fieldsOf(b)
	for {
		_, l, okLeft := left.next()
		_, r, okRight := right.next()
		switch {
		case !okLeft && !okRight:
			return 0
		case !okLeft:
			return -1
		case !okRight:
			return 1
		}
		if c := Compare(l, r); c != 0 {
			return c
		}
	}
}

// CompareDocuments orders two documents as the server orders embedded documents: for each pair of fields by canonical type,
// then by name, then by value; the shorter comes first if all its fields are equal.
func CompareDocuments(a, b bson.Raw) int {
	left, right := fieldsOf(a), fieldsOf(b)
	for {
		nameLeft, l, okLeft := left.next()
		nameRight, r, okRight := right.next()
		switch {
		case !okLeft && !okRight:
			return 0
		case !okLeft:
			return -1
		case !okRight:
			return 1
		}
		if c := cmp.Or(cmp.Compare(canonicalTypes[l.Type], canonicalTypes[r.Type]), bytes.Compare(nameLeft, nameRight)); c != 0 {
			return c
		}
		if c := Compare(l, r); c != 0 {
			return c
		}
	}
}

// canonicalTypes are the server's ranks of types (canonicalizeBSONType); types of one rank compare with each other. The ranks are the server's own numbers because
// Hash digests them. 0 is undefined, and the end-of-object mark of a value that is not there.
var canonicalTypes = [256]int32{
	bson.TypeMinKey: -1,
	bson.TypeNull:   5,
	bson.TypeInt32:  10, bson.TypeInt64: 10, bson.TypeDouble: 10, bson.TypeDecimal128: 10,
	bson.TypeString: 15, bson.TypeSymbol: 15,
	bson.TypeEmbeddedDocument: 20,
	bson.TypeArray:            25,
	bson.TypeBinary:           30,
	bson.TypeObjectID:         35,
	bson.TypeBoolean:          40,
	bson.TypeDateTime:         45,
	bson.TypeTimestamp:        47,
	bson.TypeRegex:            50,
	bson.TypeDBPointer:        55,
	bson.TypeJavaScript:       60,
	bson.TypeCodeWithScope:    65,
	bson.TypeMaxKey:           127,
}

// text is a length-prefixed string without its length and its final zero byte.
func text(value []byte) []byte {
	if len(value) < 5 {
		return nil
	}
	return value[4 : len(value)-1]
}

// splitCodeWithScope returns the code without its length and final zero byte, and the scope document.
func splitCodeWithScope(value []byte) (code, scope []byte) {
	if len(value) < 8 {
		return nil, nil
	}
	length := int64(binary.LittleEndian.Uint32(value[4:]))
	if length < 1 || 8+length > int64(len(value)) {
		return nil, nil
	}
	return value[8 : 8+length-1], value[8+length:]
}

func little64(value []byte) uint64 {
	if len(value) < 8 {
		return 0
	}
	return binary.LittleEndian.Uint64(value)
}

func little32(value []byte) uint32 {
	if len(value) < 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(value)
}
