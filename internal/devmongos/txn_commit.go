package devmongos

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
)

// commit commits as a mongos does: without the two phases where at most one shard wrote, through MongoDB's coordinator on the first
// participant otherwise. It may be repeated until it is answered. The reply has no document if there was nothing to commit.
func (x *transaction) commit(ctx context.Context, concern bson.D) (reply, error) {
	reading, writing := x.roles()
	switch {
	case len(x.participants) == 0:
		return reply{}, nil
	case len(writing) > 1:
		return x.coordinate(ctx, x.participants[0].shard, concern)
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

// roles parts the participants into those that only read and those that wrote.
func (x *transaction) roles() (reading, writing []*participant) {
	for _, p := range x.participants {
		if p.readOnly {
			reading = append(reading, p)
		} else {
			writing = append(writing, p)
		}
	}
	return reading, writing
}

// commitOn tells participants to commit on their own, side by side, and returns the first failure, or else the last answer.
func (x *transaction) commitOn(ctx context.Context, concern bson.D, list []*participant) (reply, error) {
	return x.tell(ctx, list, "commitTransaction", concern)
}

func (x *transaction) tell(ctx context.Context, list []*participant, name string, concern bson.D) (reply, error) {
	body := document(name, 1, concern, x.identity(), "$db", "admin")
	replies, errs := sideBySide(list, func(p *participant) (reply, error) { return x.catalog.onPrimaryOf(ctx, p.shard, body) })
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

// coordinate has a shard, the first participant, run MongoDB's two-phase commit over all of them.
func (x *transaction) coordinate(ctx context.Context, shard topology.ShardID, concern bson.D) (reply, error) {
	participants := bson.A{}
	for _, p := range x.participants {
		participants = append(participants, fields("shardId", p.shard))
	}
	body := document("coordinateCommitTransaction", 1, "participants", participants, concern, x.identity(), "$db", "admin")
	return x.catalog.onPrimaryOf(ctx, shard, body)
}

// abandon ends a transaction whose commit was answered with NoSuchTransaction. Where a coordinator was told to commit, only it may tell
// the participants: they may be prepared.
func (x *transaction) abandon(ctx context.Context) {
	if _, writing := x.roles(); len(writing) > 1 {
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
	rep, err := x.tell(ctx, list, "abortTransaction", nil)
	if err != nil {
		x.catalog.log.Debug("transaction not aborted everywhere", "error", err)
		return
	}
	rep.buf.release()
}
