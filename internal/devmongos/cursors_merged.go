package devmongos

import (
	"bytes"
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/topology"
)

const (
	// defaultFirstBatch is how many documents a server's first batch has at most if nothing is said.
	defaultFirstBatch = 101
	// maxBatchBytes is what a batch may hold besides its first document, so that its message is no larger than a document may be.
	maxBatchBytes = maxDocumentSize - 64<<10
)

// A mergedCursor is a cursor of a transaction over several shards: the core cannot take part in transactions, so the router merges here.
// It is used by the holder of the transaction's turn.
type mergedCursor struct {
	txn     *transaction
	db      string
	coll    string
	streams []*stream
	// directions has 1 or -1 for every field of the sort; empty if there is none.
	directions []int
	// skip and limit are what is still to be left out and to be answered; limit is -1 for no limit.
	skip, limit int64
}

// A stream is the cursor of one shard.
type stream struct {
	shard  topology.ShardID
	id     int64 // 0: nothing more to come
	batch  []bsoncore.Value
	buffer *buffer
}

// open takes the shards' first answers.
func (m *mergedCursor) add(shard topology.ShardID, rep reply) {
	s := &stream{shard: shard}
	s.take(rep, "firstBatch")
	m.streams = append(m.streams, s)
}

func (s *stream) take(rep reply, name string) {
	s.buffer.release()
	s.id, _ = cursorID(rep.doc)
	s.batch, s.buffer = batchOf(rep.doc, name), rep.buf
}

// batch answers the next documents, at most want of them if want is not negative, and whether there may be more.
func (m *mergedCursor) batch(ctx context.Context, req *request, want int64) (docs []bsoncore.Value, more bool, err error) {
	size := 0
	for want != 0 && m.limit != 0 {
		s, err := m.next(ctx, req)
		if err != nil || s == nil {
			return docs, false, err
		}
		doc := s.batch[0]
		if len(docs) > 0 && size+len(doc.Data) > maxBatchBytes {
			return docs, true, nil
		}
		s.batch = s.batch[1:]
		if m.skip > 0 {
			m.skip--
			continue
		}
		if len(m.directions) > 0 {
			doc = documentValue(build(func(dst []byte) []byte { return appendWithout(dst, doc.Data, nil, sortKeyField) }))
		} else {
			doc = documentValue(bytes.Clone(doc.Data)) // its buffer goes with the next batch
		}
		docs = append(docs, doc)
		size += len(doc.Data)
		want--
		if m.limit > 0 {
			m.limit--
		}
	}
	return docs, m.limit != 0 && m.open(), nil
}

// open tells that a shard has or may have something left.
func (m *mergedCursor) open() bool {
	return slices.ContainsFunc(m.streams, func(s *stream) bool { return len(s.batch) > 0 || s.id != 0 })
}

// next returns the stream whose document comes next; nil if there is none. With a sort all streams must have a document to compare.
func (m *mergedCursor) next(ctx context.Context, req *request) (*stream, error) {
	var first *stream
	for _, s := range m.streams {
		for len(s.batch) == 0 && s.id != 0 {
			if err := m.refill(ctx, req, s); err != nil {
				return nil, err
			}
		}
		switch {
		case len(s.batch) == 0:
		case len(m.directions) == 0:
			return s, nil
		case first == nil || m.compare(s.batch[0], first.batch[0]) < 0:
			first = s
		}
	}
	return first, nil
}

func (m *mergedCursor) refill(ctx context.Context, req *request, s *stream) error {
	rep, err := m.txn.send(ctx, s.shard, command{body: document("getMore", s.id, "collection", m.coll, "$db", m.db)})
	if err != nil {
		return err
	}
	if codeOf(rep.doc) != 0 {
		return &replyError{req.hold(rep).doc}
	}
	req.note(rep)
	s.take(rep, "nextBatch")
	return nil
}

// sortKeyField is where the shards put what they sort by: an array with one value for each field of the sort, already made comparable
// if there is a collation.
const sortKeyField = "$sortKey"

func (m *mergedCursor) compare(a, b bsoncore.Value) int {
	left, right := arrayValues(field(a.Data, sortKeyField)), arrayValues(field(b.Data, sortKeyField))
	for i, direction := range m.directions {
		if i >= len(left) || i >= len(right) {
			break
		}
		if c := compareValues(left[i], right[i]); c != 0 {
			return c * direction
		}
	}
	return 0
}

// kill gives up what is left of the cursor on the shards. Best effort: the end of the transaction closes them as well.
func (m *mergedCursor) kill(ctx context.Context) {
	for _, s := range m.streams {
		if s.id != 0 {
			rep, _ := m.txn.send(ctx, s.shard, command{body: document("killCursors", m.coll, "cursors", bson.A{s.id}, "$db", m.db)})
			rep.buf.release()
		}
		s.buffer.release()
		s.buffer, s.batch, s.id = nil, nil, 0
	}
}

// directionsOf reads a sort specification; what is not a number is a $meta, which sorts downwards.
func directionsOf(sort bsoncore.Document) []int {
	var directions []int
	for e := range elements(sort) {
		direction := -1
		if n, ok := e.value.AsInt64OK(); ok && n > 0 {
			direction = 1
		}
		directions = append(directions, direction)
	}
	return directions
}
