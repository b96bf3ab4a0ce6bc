package devmongos

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// A shard answers the getMore of a snapshot cursor without waiting for transactions that it has prepared by the snapshot's time and that are not
// decided yet there, although its find and aggregate do wait (measured on 6.0.5: getMore ignores prepare conflicts). So a reader could see one half of a
// two-phase commit. The core opens cursors with empty first batches and reads by getMore, as mongos does: before it may begin, the primaries have to
// have no such transaction any more.

// settlePrepared does it on the primary; if that is lost on the way, on the next one from the beginning: what the first had committed may be prepared
// there again.
func (s *replicaSet) settlePrepared(ctx context.Context, at uint64) (err error) {
	for budget := range attempts(ctx, s.core.budget) {
		primary, unelected := s.waitPrimary(budget)
		if unelected != nil {
			return s.noPrimary(ctx, nil)
		}
		err = primary.settlePrepared(budget, at)
		var transport *transportError
		switch {
		case errors.As(err, &transport):
			primary.suspect(true)
		case isNotPrimary(codeOf(answerIn(err))):
			primary.suspect(false)
		default:
			return err
		}
	}
	return err
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
		var now map[string]bool
		now, seen, err = m.prepared(ctx)
		maps.DeleteFunc(waiting, func(id string, _ bool) bool { return !now[id] })
	}
	if err == nil {
		_, err = m.readAfter(ctx, seen)
	}
	return err
}

// prepared lists the member's transactions that are prepared and not decided (session and number of each, as bytes), and the time of the answer.
func (m *member) prepared(ctx context.Context) (ids map[string]bool, at uint64, err error) {
	answer, err := m.tell(ctx, preparedCommand)
	if err != nil {
		return nil, 0, err
	}
	if id, _ := cursorID(answer); id != 0 {
		return nil, 0, fmt.Errorf("list prepared transactions of %s: more than one batch", m.address)
	}
	ids = map[string]bool{}
	for _, v := range batchOf(answer, "firstBatch") {
		ids[string(v.Data)] = true
	}
	return ids, timeOf(field(answer, "operationTime")), nil
}

var preparedCommand = document(
	"aggregate", 1,
	"pipeline", bson.A{
		fields("$currentOp", fields("allUsers", true, "idleSessions", true)),
		fields("$match", fields("transaction.timePreparedMicros", fields("$exists", true))),
		fields("$project", fields("lsid.id", 1, "transaction.parameters.txnNumber", 1)),
	},
	"cursor", fields("batchSize", 10_000),
	"$db", "admin",
)

// readAfter waits until the majority has everything up to a time, by a read of next to nothing.
func (m *member) readAfter(ctx context.Context, at uint64) (bsoncore.Document, error) {
	return m.tell(ctx, document(
		"find", "system.version", "limit", 1, "readConcern", fields("level", "majority", "afterClusterTime", timestamp(at)), "$db", "admin",
	))
}

// tell runs a command on the member; an answer with ok: 0 is a *replyError. The answer is the caller's.
func (m *member) tell(ctx context.Context, body bsoncore.Document) (bsoncore.Document, error) {
	return kept(m.run(ctx, command{body: body}))
}
