package devmongos

import (
	"bytes"
	"iter"
	"strconv"

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

func intField(doc bsoncore.Document, name string) (int64, bool) {
	v := field(doc, name)
	if !v.IsNumber() {
		return 0, false
	}
	return v.AsInt64OK()
}

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

// edit appends doc to dst without the fields that drop names; extra appends further elements.
func edit(dst []byte, doc bsoncore.Document, drop func(name string) bool, extra func(dst []byte) []byte) bsoncore.Document {
	start, dst := bsoncore.AppendDocumentStart(dst)
	dst = appendWithout(dst, doc, drop)
	if extra != nil {
		dst = extra(dst)
	}
	return endDocument(dst, start)
}

// appendWithout appends the fields of doc but those that drop names.
func appendWithout(dst []byte, doc bsoncore.Document, drop func(name string) bool) []byte {
	for e := range elements(doc) {
		if !drop(string(e.name)) {
			dst = append(dst, e.raw...)
		}
	}
	return dst
}

// appendRenamed appends e under another name.
func appendRenamed(dst []byte, name string, e element) []byte {
	return bsoncore.AppendValueElement(dst, name, e.value)
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

// firstBatch lists the documents of an answer {cursor: {firstBatch: […]}}.
func firstBatch(answer bsoncore.Document) []bsoncore.Value {
	return arrayValues(field(documentField(answer, "cursor"), "firstBatch"))
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

// A stageList is a pipeline being made.
type stageList struct{ stages []bsoncore.Value }

func (l *stageList) add(name string, v bsoncore.Value) {
	stage := build(func(dst []byte) []byte { return bsoncore.AppendValueElement(dst, name, v) })
	l.stages = append(l.stages, bsoncore.Value{Type: bsoncore.TypeEmbeddedDocument, Data: stage})
}

func int64Value(n int64) bsoncore.Value {
	return bsoncore.Value{Type: bsoncore.TypeInt64, Data: bsoncore.AppendInt64(nil, n)}
}

func stringValue(s string) bsoncore.Value {
	return bsoncore.Value{Type: bsoncore.TypeString, Data: bsoncore.AppendString(nil, s)}
}

func documentValue(d bsoncore.Document) bsoncore.Value {
	return bsoncore.Value{Type: bsoncore.TypeEmbeddedDocument, Data: d}
}

// mustDocument encodes a document of plain values and of what came in a message, which cannot fail.
func mustDocument(d bson.D) bsoncore.Value {
	raw, err := bson.Marshal(d)
	if err != nil {
		panic(err)
	}
	return documentValue(raw)
}

func compareValues(a, b bsoncore.Value) int {
	return shardkey.Compare(bson.RawValue{Type: bson.Type(a.Type), Value: a.Data}, bson.RawValue{Type: bson.Type(b.Type), Value: b.Data})
}

// documentOf makes a document of encoded elements.
func documentOf(elements []byte) bsoncore.Document {
	return build(func(dst []byte) []byte { return append(dst, elements...) })
}

func rawValue(v bsoncore.Value) bson.RawValue {
	return bson.RawValue{Type: bson.Type(v.Type), Value: v.Data}
}

// encode makes the answer of a handler.
func encode(answer bson.D) (bsoncore.Document, error) {
	doc, err := bson.Marshal(append(answer, bson.E{Key: "ok", Value: 1.0}))
	return doc, err
}

func arrayKey(n int) string { return strconv.Itoa(n) }

var okReply = build(func(dst []byte) []byte { return bsoncore.AppendDoubleElement(dst, "ok", 1) })

// fieldsOf are a document's fields, all but one.
func fieldsOf(doc bsoncore.Document, without string) bson.D {
	var fields bson.D
	for e := range elements(doc) {
		if name := string(e.name); name != without {
			fields = append(fields, bson.E{Key: name, Value: rawValue(e.value)})
		}
	}
	return fields
}
