package devmongos

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
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
			w.n += number(e.value)
		case "nModified":
			w.modified += number(e.value)
		case "upserted":
			for at, doc := range entries(e.value) {
				w.upserted = append(w.upserted, indexed{b.items[at], doc})
			}
		case "writeErrors":
			for at, doc := range entries(e.value) {
				if code := int32(intField(doc, "code")); isStale(code) {
					turnedAway = append(turnedAway, rejection{at, code})
					continue
				}
				if stopped < 0 {
					stopped = at
				}
				w.errors = append(w.errors, indexed{b.items[at], doc})
			}
		case "retriedStmtIds":
			for _, v := range arrayValues(e.value) {
				w.retried = append(w.retried, int32(number(v)))
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
			at, ok := field(v.Data, "index").AsInt64OK()
			if ok && !yield(int(at), v.Data) {
				return
			}
		}
	}
}

// refuse records the error of a statement.
func (w *writeResult) refuse(index int, err error) {
	doc := errorReply(err, false)
	w.errors = append(w.errors, indexed{index, document("code", codeOf(doc), "errmsg", stringField(doc, "errmsg"))})
}

// keepFirstError drops all errors but that of the first statement.
func (w *writeResult) keepFirstError() {
	first := slices.MinFunc(w.errors, func(a, b indexed) int { return a.index - b.index })
	w.errors = []indexed{first}
}

// document is the answer to the client.
func (w *writeResult) document() bsoncore.Document {
	return document(
		"n", int32(w.n), when(w.kind == "update", "nModified", int32(w.modified)),
		renumbered("upserted", w.upserted), renumbered("writeErrors", w.errors),
		when(len(w.retried) > 0, "retriedStmtIds", w.retried), when(w.concernError != nil, "writeConcernError", w.concernError),
		errorLabels(w.labels), "ok", 1.0,
	)
}

// renumbered is the array sorted by index, with each entry's index being that in the client's command; it is not there if it is empty.
func renumbered(name string, list []indexed) bson.D {
	slices.SortStableFunc(list, func(a, b indexed) int { return a.index - b.index })
	var entries bson.A
	for _, entry := range list {
		entries = append(entries, fields("index", int32(entry.index), fieldsOf(entry.doc, nil, "index")))
	}
	return when(len(list) > 0, name, entries)
}
