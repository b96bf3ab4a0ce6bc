package shardkey

import (
	"bytes"
	"encoding/binary"
	"iter"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// fields walks over a document's elements without allocating, unlike bson.Raw.Elements.
type fields struct {
	rest []byte
}

func fieldsOf(doc []byte) fields {
	if len(doc) < 5 {
		return fields{}
	}
	return fields{rest: doc[4:]}
}

// next returns the next element; ok is false at the end of the document and at malformed bytes.
func (f *fields) next() (name []byte, value bson.RawValue, ok bool) {
	if len(f.rest) < 2 || f.rest[0] == 0 {
		return nil, value, false
	}
	end := 1 + bytes.IndexByte(f.rest[1:], 0)
	if end == 0 {
		return nil, value, false
	}
	name, value.Type, f.rest = f.rest[1:end], bson.Type(f.rest[0]), f.rest[end+1:]
	size := sizeOf(value.Type, f.rest)
	if size < 0 || size > len(f.rest) {
		f.rest = nil
		return nil, bson.RawValue{}, false
	}
	value.Value, f.rest = f.rest[:size:size], f.rest[size:]
	return name, value, true
}

// sizeOf is how many bytes a value takes, -1 if that cannot be read. The types that shard keys mostly have are quicker here than in the driver.
func sizeOf(t bson.Type, data []byte) int {
	switch t {
	case bson.TypeMinKey, bson.TypeMaxKey, bson.TypeNull, bson.TypeUndefined:
		return 0
	case bson.TypeInt32:
		return 4
	case bson.TypeInt64, bson.TypeDouble, bson.TypeDateTime:
		return 8
	case bson.TypeString:
		if len(data) < 4 {
			return -1
		}
		if size := int(binary.LittleEndian.Uint32(data)); size > 0 {
			return 4 + size
		}
		return -1
	}
	value, _, ok := bsoncore.ReadValue(data, bsoncore.Type(t))
	if !ok {
		return -1
	}
	return len(value.Data)
}

// Elements are the elements of a document or an array, up to malformed bytes. Walking over them does not allocate.
func Elements(doc []byte) iter.Seq2[[]byte, bson.RawValue] {
	return func(yield func([]byte, bson.RawValue) bool) { walk(doc, yield) }
}

func walk(doc []byte, yield func(name []byte, value bson.RawValue) bool) {
	for f := fieldsOf(doc); ; {
		name, value, ok := f.next()
		if !ok || !yield(name, value) {
			return
		}
	}
}

// Field is the first element called name; ok is false if there is none.
func Field(doc []byte, name string) (value bson.RawValue, ok bool) {
	for f := fieldsOf(doc); ; {
		got, value, ok := f.next()
		if !ok || string(got) == name {
			return value, ok
		}
	}
}

// valueAt follows a dotted path into doc. Arrays end the walk: the array met at or along the path is the value, since that is what a shard
// key has to refuse. ok is false if the path leads nowhere.
func valueAt(doc []byte, path []string) (bson.RawValue, bool) {
	for i, name := range path {
		value, ok := Field(doc, name)
		if !ok || i == len(path)-1 || value.Type == bson.TypeArray {
			return value, ok
		}
		if value.Type != bson.TypeEmbeddedDocument {
			return bson.RawValue{}, false
		}
		doc = value.Value
	}
	return bson.RawValue{}, false
}

func appendValue(dst []byte, name string, v bson.RawValue) []byte {
	dst = append(dst, byte(v.Type))
	dst = append(dst, name...)
	dst = append(dst, 0)
	return append(dst, v.Value...)
}

// ValueAt is the value at a dotted path of a document, null if there is none: what a filter has to equal to match the document's shard key.
func ValueAt(doc bson.Raw, path string) bsoncore.Value {
	v, ok := valueAt(doc, strings.Split(path, "."))
	if !ok {
		return bsoncore.Value{Type: bsoncore.TypeNull}
	}
	return bsoncore.Value{Type: bsoncore.Type(v.Type), Data: v.Value}
}
