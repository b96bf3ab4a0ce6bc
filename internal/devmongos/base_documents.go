package devmongos

import (
	"bytes"
	"encoding/binary"
	"iter"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/shardkey"
)

// An element is one field of a document, in place.
type element struct {
	name  []byte
	value bsoncore.Value
	raw   []byte // type, name and value
}

// elements walks over a document that has been validated; it allocates nothing.
func elements(doc bsoncore.Document) iter.Seq[element] {
	return func(yield func(element) bool) {
		if len(doc) < 5 {
			return
		}
		for rest := doc[4:]; len(rest) > 1; {
			end := bytes.IndexByte(rest[1:], 0)
			if end < 0 {
				return
			}
			name, after := rest[1:1+end], rest[2+end:]
			value, next, ok := bsoncore.ReadValue(after, bsoncore.Type(rest[0]))
			if !ok || !yield(element{name, value, rest[:len(rest)-len(next)]}) {
				return
			}
			rest = next
		}
	}
}

// field returns the value of a top-level field; its Type is 0 if there is none.
func field(doc bsoncore.Document, name string) bsoncore.Value {
	for e := range elements(doc) {
		if string(e.name) == name {
			return e.value
		}
	}
	return bsoncore.Value{}
}

func stringField(doc bsoncore.Document, name string) string {
	s, _ := field(doc, name).StringValueOK()
	return s
}

// documentField is nil if the field is missing or something else than a document.
func documentField(doc bsoncore.Document, name string) bsoncore.Document {
	d, _ := field(doc, name).DocumentOK()
	return d
}

// number is 0 for what is not one.
func number(v bsoncore.Value) int64 {
	n, _ := v.AsInt64OK()
	return n
}

// intField is 0 if the field is missing or something else than a number.
func intField(doc bsoncore.Document, name string) int64 { return number(field(doc, name)) }

// truth is the server's idea of a boolean argument.
func truth(v bsoncore.Value) bool {
	if b, ok := v.BooleanOK(); ok {
		return b
	}
	if v.IsNumber() {
		f, ok := v.AsFloat64OK()
		return ok && f != 0
	}
	return false
}

// nameOf is the name of the first field: of a command, or of a stage.
func nameOf(doc bsoncore.Document) string {
	for e := range elements(doc) {
		return string(e.name)
	}
	return ""
}

// boolField is truth of a field.
func boolField(doc bsoncore.Document, name string) bool { return truth(field(doc, name)) }

// edit appends doc to dst without the fields of drop; extra appends further elements.
func edit(dst []byte, doc bsoncore.Document, drop nameSet, extra func(dst []byte) []byte) bsoncore.Document {
	start, dst := bsoncore.AppendDocumentStart(dst)
	return endDocument(extra(appendWithout(dst, doc, drop)), start)
}

// appendWithout appends the fields of doc but those of drop, and those named here.
func appendWithout(dst []byte, doc bsoncore.Document, drop nameSet, named ...string) []byte {
	for e := range elements(doc) {
		if !drop[string(e.name)] && !slices.Contains(named, string(e.name)) {
			dst = append(dst, e.raw...)
		}
	}
	return dst
}

// endDocument closes the document that began at start.
func endDocument(dst []byte, start int32) bsoncore.Document {
	dst = append(dst, 0)
	return bsoncore.UpdateLength(dst, start, int32(len(dst))-start)
}

// build makes a document of elements.
func build(extra func(dst []byte) []byte) bsoncore.Document {
	start, dst := bsoncore.AppendDocumentStart(make([]byte, 0, 256))
	return endDocument(extra(dst), start)
}

// batchOf lists the documents of an answer {cursor: {firstBatch: […]}}, or of the next one (nextBatch).
func batchOf(answer bsoncore.Document, name string) []bsoncore.Value {
	return arrayValues(field(documentField(answer, "cursor"), name))
}

// cursorID is the id in an answer {cursor: {id: …}}, and the eight bytes that hold it; nil if there is none.
func cursorID(answer bsoncore.Document) (id int64, place []byte) {
	v := field(documentField(answer, "cursor"), "id")
	if v.Type != bsoncore.TypeInt64 || len(v.Data) < 8 {
		return 0, nil
	}
	return int64(binary.LittleEndian.Uint64(v.Data)), v.Data[:8]
}

// arrayValues lists the elements of an array or nil.
func arrayValues(v bsoncore.Value) []bsoncore.Value {
	if v.Type != bsoncore.TypeArray {
		return nil
	}
	var values []bsoncore.Value
	for e := range elements(v.Data) {
		values = append(values, e.value)
	}
	return values
}

func documentValue(d bsoncore.Document) bsoncore.Value {
	return bsoncore.Value{Type: bsoncore.TypeEmbeddedDocument, Data: d}
}

func compareValues(a, b bsoncore.Value) int { return shardkey.Compare(rawValue(a), rawValue(b)) }

func rawValue(v bsoncore.Value) bson.RawValue {
	return bson.RawValue{Type: bson.Type(v.Type), Value: v.Data}
}

// fields makes the fields of a command or of an answer: each a name and its value. Fields that are made already (bson.E, bson.D) stand for
// themselves. Where every read and write goes by, documents are appended instead: see build.
func fields(parts ...any) bson.D {
	made := make(bson.D, 0, len(parts))
	for i := 0; i < len(parts); i++ {
		switch part := parts[i].(type) {
		case bson.E:
			made = append(made, part)
		case bson.D:
			made = append(made, part...)
		default:
			i++
			made = append(made, bson.E{Key: part.(string), Value: encodable(parts[i])})
		}
	}
	return made
}

// encodable makes a value of a message one that the driver encodes.
func encodable(value any) any {
	switch v := value.(type) {
	case bsoncore.Value:
		return rawValue(v)
	case bsoncore.Document:
		return bson.Raw(v)
	case []bsoncore.Value:
		return bson.RawValue{Type: bson.TypeArray, Value: bsoncore.BuildArray(nil, v...)}
	}
	return value
}

// when makes fields that are there only if that is so.
func when(so bool, parts ...any) bson.D {
	if !so {
		return nil
	}
	return fields(parts...)
}

// document encodes fields of plain values and of what came in a message, which cannot fail.
func document(parts ...any) bsoncore.Document {
	raw, err := bson.Marshal(fields(parts...))
	if err != nil {
		panic(err)
	}
	return raw
}

// encode makes the answer of a handler.
func encode(parts ...any) (bsoncore.Document, error) {
	return bson.Marshal(fields(fields(parts...), "ok", 1.0))
}

// appendFields appends the elements of a document.
func appendFields(dst []byte, parts ...any) []byte {
	return appendWithout(dst, document(parts...), nil)
}

// withField is a document with another value in a field, or with one more field.
func withField(doc bsoncore.Document, name string, value any) bsoncore.Document {
	return build(func(dst []byte) []byte { return appendFields(appendWithout(dst, doc, nil, name), name, value) })
}

var okReply = document("ok", 1.0)

// stageOf makes a stage of a pipeline.
func stageOf(name string, operand any) bsoncore.Value { return documentValue(document(name, operand)) }

// fieldsOf are a document's fields but those of drop, and those named here.
func fieldsOf(doc bsoncore.Document, drop nameSet, named ...string) bson.D {
	var kept bson.D
	for e := range elements(doc) {
		if name := string(e.name); !drop[name] && !slices.Contains(named, name) {
			kept = append(kept, bson.E{Key: name, Value: rawValue(e.value)})
		}
	}
	return kept
}

// given are the fields of those names that a document has.
func given(doc bsoncore.Document, names ...string) bson.D {
	var found bson.D
	for _, name := range names {
		if v := field(doc, name); v.Type != 0 {
			found = append(found, bson.E{Key: name, Value: rawValue(v)})
		}
	}
	return found
}
