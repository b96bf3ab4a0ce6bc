package devmongos

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// A writeResult collects the answers of shards to the parts of one write command.
type writeResult struct {
	kind string // insert, update or delete

	n, modified      int64
	upserted, errors []indexed
	retried          []int32
	concernError     bsoncore.Document
	labels           []string
}

// indexed is an entry of writeErrors or upserted with its index in the client's command.
type indexed struct {
	index int
	doc   bsoncore.Document // with whatever index the shard gave it
}

// A rejection is a statement that a shard turned away as none of its own, by its position in the sub-batch.
type rejection struct {
	at   int
	code int32
}

// absorb adds an answer with ok: 1. It returns the statements turned away, and the position of the first real error, -1 if none.
func (w *writeResult) absorb(b *subBatch) (turnedAway []rejection, stopped int) {
	stopped = -1
	for e := range elements(b.reply.doc) {
		switch string(e.name) {
		case "n":
			n, _ := e.value.AsInt64OK()
			w.n += n
		case "nModified":
			n, _ := e.value.AsInt64OK()
			w.modified += n
		case "upserted":
			for at, doc := range entries(e.value) {
				w.upserted = append(w.upserted, indexed{b.items[at], doc})
			}
		case "writeErrors":
			for at, doc := range entries(e.value) {
				if code, _ := intField(doc, "code"); isStale(int32(code)) {
					turnedAway = append(turnedAway, rejection{at, int32(code)})
					continue
				}
				if stopped < 0 {
					stopped = at
				}
				w.errors = append(w.errors, indexed{b.items[at], doc})
			}
		case "retriedStmtIds":
			for _, v := range arrayValues(e.value) {
				id, _ := v.AsInt64OK()
				w.retried = append(w.retried, int32(id))
			}
		case "writeConcernError":
			if w.concernError == nil {
				w.concernError, _ = e.value.DocumentOK()
			}
		case "errorLabels":
			for _, v := range arrayValues(e.value) {
				if l, ok := v.StringValueOK(); ok && !slices.Contains(w.labels, l) {
					w.labels = append(w.labels, l)
				}
			}
		}
	}
	return turnedAway, stopped
}

// entries walks over an array of documents by their field index.
func entries(array bsoncore.Value) func(yield func(int, bsoncore.Document) bool) {
	return func(yield func(int, bsoncore.Document) bool) {
		for _, v := range arrayValues(array) {
			at, ok := intField(v.Data, "index")
			if ok && !yield(int(at), v.Data) {
				return
			}
		}
	}
}

// refuse records the error of a statement.
func (w *writeResult) refuse(index int, err error) {
	doc := errorReply(err, false)
	w.errors = append(w.errors, indexed{index, build(func(dst []byte) []byte {
		dst = bsoncore.AppendInt32Element(dst, "code", codeOf(doc))
		return bsoncore.AppendStringElement(dst, "errmsg", stringField(doc, "errmsg"))
	})})
}

// keepFirstError drops all errors but that of the first statement.
func (w *writeResult) keepFirstError() {
	first := slices.MinFunc(w.errors, func(a, b indexed) int { return a.index - b.index })
	w.errors = []indexed{first}
}

// document is the answer to the client.
func (w *writeResult) document() bsoncore.Document {
	return build(func(dst []byte) []byte {
		dst = bsoncore.AppendInt32Element(dst, "n", int32(w.n))
		if w.kind == "update" {
			dst = bsoncore.AppendInt32Element(dst, "nModified", int32(w.modified))
		}
		dst = appendIndexed(dst, "upserted", w.upserted)
		dst = appendIndexed(dst, "writeErrors", w.errors)
		if len(w.retried) > 0 {
			start, array := bsoncore.AppendArrayElementStart(dst, "retriedStmtIds")
			for n, id := range w.retried {
				array = bsoncore.AppendInt32Element(array, arrayKey(n), id)
			}
			dst = endDocument(array, start)
		}
		if w.concernError != nil {
			dst = bsoncore.AppendDocumentElement(dst, "writeConcernError", w.concernError)
		}
		dst = appendLabels(dst, w.labels)
		return bsoncore.AppendDoubleElement(dst, "ok", 1)
	})
}

// appendIndexed appends the array sorted by index, with each entry's index being that in the client's command.
func appendIndexed(dst []byte, name string, list []indexed) []byte {
	if len(list) == 0 {
		return dst
	}
	slices.SortStableFunc(list, func(a, b indexed) int { return a.index - b.index })
	start, dst := bsoncore.AppendArrayElementStart(dst, name)
	for n, entry := range list {
		at, array := bsoncore.AppendDocumentElementStart(dst, arrayKey(n))
		array = bsoncore.AppendInt32Element(array, "index", int32(entry.index))
		for e := range elements(entry.doc) {
			if string(e.name) != "index" {
				array = append(array, e.raw...)
			}
		}
		dst = endDocument(array, at)
	}
	return endDocument(dst, start)
}
