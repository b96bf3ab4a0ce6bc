package wire

import (
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// readDocument cuts one document off src and checks it whole, so that later look-ups in it need no checks of lengths.
func readDocument(src []byte) (doc bsoncore.Document, rem []byte, err error) {
	if doc, rem, err = cut("document", src); err == nil {
		err = validate(doc, 1)
	}
	return doc, rem, err
}

// cut cuts off what begins with its own length, and is called so in errors.
func cut(what string, src []byte) (part, rem []byte, err error) {
	length, _, ok := bsoncore.ReadLength(src)
	if !ok || length < 5 || int(length) > len(src) {
		return nil, nil, malformed("%s of %d bytes in %d", what, length, len(src))
	}
	return src[:length], src[length:], nil
}

// validate is our own because bsoncore's recurses without a limit: a hostile 48 MB of nothing but nesting would
// exhaust the stack, which no recover can catch.
func validate(doc bsoncore.Document, depth int) error {
	if depth > MaxDepth {
		return malformed("documents nested deeper than %d", MaxDepth)
	}
	length, rem, ok := bsoncore.ReadLength(doc)
	if !ok || length < 5 || int(length) != len(doc) || doc[length-1] != 0 {
		return malformed("document without its end")
	}
	for rem = rem[:len(rem)-1]; len(rem) > 0; {
		var (
			t     bsoncore.Type
			value bsoncore.Value
		)
		if t, rem, ok = bsoncore.ReadType(rem); ok {
			if _, rem, ok = bsoncore.ReadKeyBytes(rem); ok {
				value, rem, ok = bsoncore.ReadValue(rem, t)
			}
		}
		if !ok {
			return malformed("element cut short")
		}
		if err := validateValue(value, depth); err != nil {
			return err
		}
	}
	return nil
}

func validateValue(v bsoncore.Value, depth int) error {
	switch v.Type {
	case bsoncore.TypeEmbeddedDocument, bsoncore.TypeArray:
		return validate(v.Data, depth+1)
	case bsoncore.TypeCodeWithScope:
		_, scope, _, ok := bsoncore.ReadCodeWithScope(v.Data)
		if !ok {
			return malformed("code with scope")
		}
		return validate(scope, depth+1)
	case bsoncore.TypeBoolean:
		if len(v.Data) != 1 || v.Data[0] > 1 {
			return malformed("boolean")
		}
	case bsoncore.TypeString, bsoncore.TypeJavaScript, bsoncore.TypeSymbol:
		if n := len(v.Data); n < 5 || v.Data[n-1] != 0 {
			return malformed("string without its end")
		}
	case bsoncore.TypeBinary:
		if _, _, _, ok := bsoncore.ReadBinary(v.Data); !ok {
			return malformed("binary")
		}
	case bsoncore.TypeDBPointer:
		if _, _, _, ok := bsoncore.ReadDBPointer(v.Data); !ok {
			return malformed("DBPointer")
		}
	}
	return nil
}
