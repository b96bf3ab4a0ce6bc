package devmongos

import (
	"context"
	"errors"
	"sync"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/topology"
)

// commitTransaction answers the client's commit, also a repeated one.
func (r *router) commitTransaction(ctx context.Context, req *request, x *transaction) (bsoncore.Document, error) {
	if x.state == txnAborted {
		return nil, withTransientLabel(refuse(codeNoSuchTransaction, "Transaction with { txnNumber: %d } has been aborted.", x.number), true)
	}
	concern, err := r.commitConcern(ctx, req)
	if err != nil {
		return nil, err
	}
	x.state = txnCommitting
	rep, err := x.commit(ctx, concern)
	if err != nil {
		return nil, err
	}
	if rep.doc == nil {
		return okReply, nil
	}
	rep = req.holdCore(rep)
	if codeOf(rep.doc) == codeNoSuchTransaction {
		x.abandon(r.base)
	}
	return rep.doc, nil
}

func (r *router) commitConcern(ctx context.Context, req *request) ([]byte, error) {
	_, defaults, err := r.defaults.get(ctx)
	if err != nil {
		return nil, err
	}
	return appendWriteConcern(nil, documentField(req.body, "writeConcern"), defaults), nil
}

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
		others.Go(func() { replies[i], errs[i] = x.router.onPrimaryOf(ctx, p.shard, body) })
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

// onPrimaryOf sends a command that may be repeated to a shard's primary.
func (r *router) onPrimaryOf(ctx context.Context, shard topology.ShardID, body bsoncore.Document) (reply, error) {
	set, err := r.catalog.shard(ctx, shard)
	if err != nil {
		return reply{}, err
	}
	return set.onPrimary(ctx, command{body: body}, true)
}

// coordinate has the first participant run MongoDB's two-phase commit over all of them.
func (x *transaction) coordinate(ctx context.Context, concern []byte) (reply, error) {
	return x.router.onPrimaryOf(ctx, x.participants[0].shard, x.coordinateCommand(concern, x.participants))
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

// recoverCommit answers a commit of a transaction that this router knows nothing of, because it ran on another one, or on this one
// before it was started anew. The shard in the client's token knows the outcome; if there is none yet it aborts.
func (r *router) recoverCommit(ctx context.Context, req *request) (bsoncore.Document, error) {
	token := documentField(req.body, "recoveryToken")
	if token == nil {
		return nil, refuse(50940, "cannot commit with no participants")
	}
	shard := topology.ShardID(stringField(token, "recoveryShardId"))
	if shard == "" {
		return nil, withTransientLabel(refuse(codeNoSuchTransaction,
			"Recovery token is empty, meaning the transaction only performed reads and can be safely retried"), true)
	}
	concern, err := r.commitConcern(ctx, req)
	if err != nil {
		return nil, err
	}
	x := newTransaction(r, req.lsid, req.number)
	rep, err := r.onPrimaryOf(ctx, shard, x.coordinateCommand(concern, nil))
	if err != nil {
		return nil, err
	}
	return req.holdCore(rep).doc, nil
}

func (r *router) abortTransaction(ctx context.Context, x *transaction) (bsoncore.Document, error) {
	switch x.state {
	case txnAborted:
		return nil, withTransientLabel(refuse(codeNoSuchTransaction, "Transaction with { txnNumber: %d } has been aborted.", x.number), true)
	case txnCommitting:
		return nil, refuse(codeTransactionCommitted, "Transaction with { txnNumber: %d } has been committed.", x.number)
	}
	x.abort(ctx)
	return okReply, nil
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
		x.router.log.Debug("transaction not aborted everywhere", "error", err)
		return
	}
	rep.buf.release()
}
