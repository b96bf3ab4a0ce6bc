package devmongos

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// commit commits as a mongos does: without the two phases where at most one shard wrote, through MongoDB's coordinator on the first
// participant otherwise. It may be repeated until it is answered. The reply has no document if there was nothing to commit.
func (x *transaction) commit(ctx context.Context, concern []byte) (reply, error) {
	var reading, writing []*participant
	for _, p := range x.participants {
		if p.readOnly {
			reading = append(reading, p)
		} else {
			writing = append(writing, p)
		}
	}
	switch {
	case len(x.participants) == 0:
		return reply{}, nil
	case len(writing) > 1:
		return x.coordinate(ctx, concern)
	case len(writing) == 0:
		return x.commitOn(ctx, concern, reading)
	}
	if len(reading) > 0 && !x.settledReads {
		// If one of these has lost its part, nothing was written yet. Once the writer was told to commit, they are not asked
		// again: that a restarted one knows nothing would not mean that the transaction failed.
		if rep, err := x.commitOn(ctx, concern, reading); err != nil || codeOf(rep.doc) != 0 {
			return rep, err
		}
		x.settledReads = true
	}
	return x.commitOn(ctx, concern, writing)
}

// commitOn tells participants to commit on their own, side by side, and returns the first failure, or else the last answer.
func (x *transaction) commitOn(ctx context.Context, concern []byte, list []*participant) (reply, error) {
	return x.tell(ctx, list, build(func(dst []byte) []byte {
		dst = bsoncore.AppendInt32Element(dst, "commitTransaction", 1)
		dst = x.appendIdentity(append(dst, concern...))
		return bsoncore.AppendStringElement(dst, "$db", "admin")
	}))
}

func (x *transaction) tell(ctx context.Context, list []*participant, body bsoncore.Document) (reply, error) {
	replies, errs := make([]reply, len(list)), make([]error, len(list))
	var others sync.WaitGroup
	for i, p := range list {
		others.Go(func() { replies[i], errs[i] = x.catalog.onPrimaryOf(ctx, p.shard, body) })
	}
	others.Wait()
	if err := errors.Join(errs...); err != nil {
		return reply{}, err
	}
	for _, rep := range replies[1:] {
		if codeOf(rep.doc) != 0 {
			return rep, nil
		}
	}
	return replies[0], nil
}

// coordinate has the first participant run MongoDB's two-phase commit over all of them.
func (x *transaction) coordinate(ctx context.Context, concern []byte) (reply, error) {
	return x.catalog.onPrimaryOf(ctx, x.participants[0].shard, x.coordinateCommand(concern, x.participants))
}

func (x *transaction) coordinateCommand(concern []byte, list []*participant) bsoncore.Document {
	shards := make([]bsoncore.Value, len(list))
	for i, p := range list {
		shards[i] = documentValue(build(func(dst []byte) []byte { return bsoncore.AppendStringElement(dst, "shardId", string(p.shard)) }))
	}
	return build(func(dst []byte) []byte {
		dst = bsoncore.AppendInt32Element(dst, "coordinateCommitTransaction", 1)
		dst = bsoncore.BuildArrayElement(dst, "participants", shards...)
		dst = x.appendIdentity(append(dst, concern...))
		return bsoncore.AppendStringElement(dst, "$db", "admin")
	})
}

// abandon ends a transaction whose commit was answered with NoSuchTransaction. Where a coordinator was told to commit, only it may tell
// the participants: they may be prepared.
func (x *transaction) abandon(ctx context.Context) {
	writing := 0
	for _, p := range x.participants {
		if !p.readOnly {
			writing++
		}
	}
	if writing > 1 {
		x.state = txnAborted
		return
	}
	x.abort(ctx)
}

// abortTimeout is how long an abort waits for shards that do not answer; they abort on their own when the lifetime is over.
const abortTimeout = 2 * time.Second

// abort gives the transaction up and tells the participants. Best effort: those that do not answer abort by themselves when the
// transaction's lifetime is over.
func (x *transaction) abort(ctx context.Context) {
	x.mu.Lock()
	x.state = txnAborted
	list := x.participants
	x.mu.Unlock()
	if len(list) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, abortTimeout)
	defer cancel()
	rep, err := x.tell(ctx, list, build(func(dst []byte) []byte {
		dst = bsoncore.AppendInt32Element(dst, "abortTransaction", 1)
		dst = x.appendIdentity(dst)
		return bsoncore.AppendStringElement(dst, "$db", "admin")
	}))
	if err != nil {
		x.catalog.log.Debug("transaction not aborted everywhere", "error", err)
		return
	}
	rep.buf.release()
}
