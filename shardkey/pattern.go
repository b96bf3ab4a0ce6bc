package shardkey

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// ErrArrayInKey is the server's answer, word for word (code 61, ShardKeyNotFound), to a document that has an array at or along a field of
// the shard key.
//
//lint:ignore ST1005 clients compare the server's own sentence
var ErrArrayInKey = errors.New("Shard key cannot contain array values or array descendants.")

// Pattern is a shard key pattern such as {dataCenter: 1, cartId: "hashed"}. The zero Pattern has no fields.
type Pattern struct {
	raw    bson.Raw
	fields []keyField
}

type keyField struct {
	name   string   // as the pattern writes it: "address.city"
	path   []string // its parts
	hashed bool
}

// ParsePattern reads a shard key pattern as config.collections holds it. The bytes are copied.
func ParsePattern(raw bson.Raw) (Pattern, error) {
	if err := raw.Validate(); err != nil {
		return Pattern{}, fmt.Errorf("read shard key pattern: %w", err)
	}
	p := Pattern{raw: slices.Clone(raw)}
	for name, value := range Elements(p.raw) {
		kind, _ := value.StringValueOK()
		p.fields = append(p.fields, keyField{name: string(name), path: strings.Split(string(name), "."), hashed: kind == "hashed"})
	}
	if len(p.fields) == 0 {
		return Pattern{}, errors.New("read shard key pattern: it has no fields")
	}
	return p, nil
}

// Raw is the pattern as a document; the caller must not change it.
func (p Pattern) Raw() bson.Raw { return p.raw }

// Fields lists the paths of the pattern's fields in order.
func (p Pattern) Fields() []string {
	names := make([]string, len(p.fields))
	for i, f := range p.fields {
		names[i] = f.name
	}
	return names
}

// KeyOf extracts the shard key of a full document, hashed fields already hashed. A missing field counts as null, as the
// server has it since 4.4. The error is ErrArrayInKey or nil.
func (p Pattern) KeyOf(doc bson.Raw) (bson.Raw, error) {
	return p.AppendKeyOf(nil, doc)
}

// AppendKeyOf is KeyOf into a buffer of the caller's: it appends the key to dst and does not allocate if there is room and
// no field is hashed.
func (p Pattern) AppendKeyOf(dst []byte, doc bson.Raw) ([]byte, error) {
	index, dst := bsoncore.AppendDocumentStart(dst)
	for _, f := range p.fields {
		value, ok := valueAt(doc, f.path)
		if !ok {
			value = bson.RawValue{Type: bson.TypeNull}
		}
		if value.Type == bson.TypeArray {
			return nil, ErrArrayInKey
		}
		dst = f.append(dst, value)
	}
	return endDocument(dst, index), nil
}

func (f keyField) append(dst []byte, value bson.RawValue) []byte {
	if f.hashed {
		return bsoncore.AppendInt64Element(dst, f.name, Hash(value))
	}
	return appendValue(dst, f.name, value)
}
