package devmongos

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// A shard answers the getMore of a snapshot cursor without waiting for transactions that it has prepared by the snapshot's time and that are not
// decided yet there, although its find and aggregate do wait (measured on 6.0.5: getMore ignores prepare conflicts). So a reader could see one half of a
// two-phase commit. The core opens cursors with empty first batches and reads by getMore, as mongos does: before it may begin, the primaries have to
// have no such transaction any more.

// settlePrepared does it on the primary; if that is lost on the way, on the next one from the beginning: what the first had committed may be prepared
// there again.
func (s *replicaSet) settlePrepared(ctx context.Context, at uint64) error {
	budget, cancel := context.WithTimeout(ctx, s.core.budget)
	defer cancel()
	var pace pacer
	for {
		primary, err := s.waitPrimary(budget)
		if err != nil {
			return s.noPrimary(ctx, nil)
		}
		err = primary.settlePrepared(budget, at)
		var answered *replyError
		var transport *transportError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &transport):
			primary.suspect(true)
		case errors.As(err, &answered) && isNotPrimary(codeOf(answered.doc)):
			primary.suspect(false)
		default:
			return err
		}
		if !pace.wait(budget) {
			return err
		}
	}
}

// settlePrepared asks one member. First a majority read at that time: when it is answered, whatever was to be prepared by then is. Last a majority
// read at the time of the last look: then the decisions that it saw survive an election.
func (m *member) settlePrepared(ctx context.Context, at uint64) error {
	if _, err := m.readAfter(ctx, at); err != nil {
		return err
	}
	waiting, seen, err := m.prepared(ctx)
	var pace pacer
	for err == nil && len(waiting) > 0 {
		if !pace.wait(ctx) {
			return refuse(codeSnapshotUnavailable, "%d transactions on %s were prepared before the time of the snapshot and are not decided", len(waiting), m.address)
		}
		var now map[preparedID]bool
		if now, seen, err = m.prepared(ctx); err != nil {
			break
		}
		for id := range waiting {
			if !now[id] {
				delete(waiting, id)
			}
		}
	}
	if err == nil {
		_, err = m.readAfter(ctx, seen)
	}
	return err
}

// A preparedID tells transactions apart: session and number, as bytes.
type preparedID string

// prepared lists the member's transactions that are prepared and not decided, and the time of the answer.
func (m *member) prepared(ctx context.Context) (ids map[preparedID]bool, at uint64, err error) {
	answer, err := m.tell(ctx, preparedCommand)
	if err != nil {
		return nil, 0, err
	}
	cursor := documentField(answer, "cursor")
	if id, _ := intField(cursor, "id"); id != 0 {
		return nil, 0, fmt.Errorf("list prepared transactions of %s: more than one batch", m.address)
	}
	ids = map[preparedID]bool{}
	for _, v := range arrayValues(field(cursor, "firstBatch")) {
		ids[preparedID(v.Data)] = true
	}
	return ids, timeOf(field(answer, "operationTime")), nil
}

var preparedCommand = mustDocument(bson.D{
	{Key: "aggregate", Value: 1},
	{Key: "pipeline", Value: bson.A{
		bson.D{{Key: "$currentOp", Value: bson.D{{Key: "allUsers", Value: true}, {Key: "idleSessions", Value: true}}}},
		bson.D{{Key: "$match", Value: bson.D{{Key: "transaction.timePreparedMicros", Value: bson.D{{Key: "$exists", Value: true}}}}}},
		bson.D{{Key: "$project", Value: bson.D{{Key: "lsid.id", Value: 1}, {Key: "transaction.parameters.txnNumber", Value: 1}}}},
	}},
	{Key: "cursor", Value: bson.D{{Key: "batchSize", Value: 10_000}}},
	{Key: "$db", Value: "admin"},
}).Data

// readAfter waits until the majority has everything up to a time, by a read of next to nothing.
func (m *member) readAfter(ctx context.Context, at uint64) (bsoncore.Document, error) {
	return m.tell(ctx, build(func(dst []byte) []byte {
		dst = bsoncore.AppendStringElement(dst, "find", "system.version")
		dst = bsoncore.AppendInt32Element(dst, "limit", 1)
		start, dst := bsoncore.AppendDocumentElementStart(dst, "readConcern")
		dst = bsoncore.AppendStringElement(dst, "level", "majority")
		dst = bsoncore.AppendTimestampElement(dst, "afterClusterTime", uint32(at>>32), uint32(at))
		dst = endDocument(dst, start)
		return bsoncore.AppendStringElement(dst, "$db", "admin")
	}))
}

// tell runs a command on the member; an answer with ok: 0 is a *replyError. The answer is the caller's.
func (m *member) tell(ctx context.Context, body bsoncore.Document) (bsoncore.Document, error) {
	rep, err := m.run(ctx, command{body: body})
	if err != nil {
		return nil, err
	}
	defer rep.buf.release()
	return answerOf(reply{doc: bytes.Clone(rep.doc)}, nil)
}
