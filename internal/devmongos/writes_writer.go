package devmongos

import (
	"context"
	"errors"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

// A writer executes one insert, update or delete command: it splits the statements by shard, sends them, sends those again that a
// shard turned away because the routing table was out of date, and makes one answer of all.
type writer struct {
	*writes
	req        *request
	statements []bsoncore.Document
	ordered    bool
	concern    bsoncore.Document // the cluster's default write concern

	// pending are the indexes of the statements not yet done, in order.
	pending []int
	result  writeResult
	// half has the answers to a multi-write in a transaction that some shards have made and others not yet.
	half []subBatch
}

func newWriter(all *writes, req *request, statements []bsoncore.Document, concern bsoncore.Document) *writer {
	w := &writer{writes: all, req: req, statements: statements, ordered: true, concern: concern, pending: make([]int, len(statements))}
	if v := field(req.body, "ordered"); v.Type != 0 {
		w.ordered = truth(v)
	}
	for i := range statements {
		w.pending[i] = i
	}
	w.result.kind = req.name
	return w
}

// A subBatch is what one shard is sent: some statements of the command, by their indexes.
type subBatch struct {
	shard topology.ShardID
	items []int
	// ignored sends the version that no shard checks: for multi-writes to all shards.
	ignored bool

	reply reply
	err   error
}

// run sends rounds of sub-batches until every statement is done. An ordered command has one sub-batch per round, an unordered
// one as many as there are shards.
func (w *writer) run(ctx context.Context) (bsoncore.Document, error) {
	budget, cancel := context.WithTimeout(ctx, w.settling(w.req))
	defer cancel()
	var pace pacer
	for len(w.pending) > 0 {
		rt, err := w.routeFor(ctx, w.req.db, w.req.collection, true)
		if err != nil {
			return nil, err
		}
		before := len(w.pending)
		stale, err := w.round(ctx, rt)
		if err != nil {
			return nil, err
		}
		if stale == 0 {
			continue
		}
		w.forget(rt, stale)
		if w.req.txn != nil && w.req.txn.lost() {
			return nil, refuse(stale, "the transaction was begun with an out-of-date routing of %s", rt.ns)
		}
		if len(w.pending) < before {
			pace = pacer{} // there is progress
		}
		if !pace.wait(budget) {
			return nil, refuse(stale, "routing of %s did not settle within %v", rt.ns, w.settling(w.req))
		}
	}
	return w.result.document(), nil
}

// round plans and sends one round; stale is the code of the first sign that the route is out of date, or 0.
func (w *writer) round(ctx context.Context, rt *route) (stale int32, err error) {
	batches, broadcast, far := w.plan(rt)
	w.send(ctx, rt, batches)
	for i := range batches {
		code, err := w.absorb(&batches[i])
		if err != nil {
			return 0, err
		}
		if code != 0 {
			stale = code
		}
	}
	if w.req.txn != nil && len(w.result.errors) > 0 {
		// The transaction is over; whatever else failed at the same time would not have been tried by a single server.
		w.result.keepFirstError()
		w.pending = nil
		return stale, nil
	}
	if broadcast >= 0 && stale == 0 {
		return w.broadcast(ctx, rt, broadcast, far)
	}
	return stale, nil
}

// plan groups the pending statements by shard: for an ordered command the first run of neighbours for the same shard, for an
// unordered one all of them. broadcast is the index of the statement to be sent on its own after these, mostly to several shards; -1 if
// there is none.
// Statements that cannot be sent anywhere are recorded as errors.
func (w *writer) plan(rt *route) (batches []subBatch, broadcast int, far reach) {
	broadcast = -1
	byShard := map[topology.ShardID]int{}
	var refused []int
	for _, i := range w.pending {
		to, err := destinationOf(w.result.kind, w.statements[i], rt)
		if err != nil {
			if w.ordered && len(batches) > 0 {
				break // first those before it
			}
			w.result.refuse(i, err)
			if w.ordered {
				w.pending = nil
				return nil, -1, 0
			}
			refused = append(refused, i)
			continue
		}
		if len(w.half) > 0 && w.half[0].items[0] == i {
			to = destination{reach: reachMany} // as it began, wherever its documents have gone
		}
		if to.reach != reachOne || to.alone {
			if broadcast < 0 && (!w.ordered || len(batches) == 0) {
				broadcast, far = i, to.reach
			}
			if w.ordered {
				break
			}
			continue
		}
		at, known := byShard[to.shard]
		if !known {
			if w.ordered && len(batches) > 0 {
				break
			}
			at = len(batches)
			byShard[to.shard] = at
			batches = append(batches, subBatch{shard: to.shard})
		}
		batches[at].items = append(batches[at].items, i)
	}
	w.settle(refused)
	return batches, broadcast, far
}

// settle takes statements, in order, off the pending ones.
func (w *writer) settle(done []int) {
	w.pending = slices.DeleteFunc(w.pending, func(i int) bool {
		_, found := slices.BinarySearch(done, i)
		return found
	})
}

// send sends sub-batches side by side and waits for all answers.
func (w *writer) send(ctx context.Context, rt *route, batches []subBatch) {
	if len(batches) == 0 {
		return
	}
	var others sync.WaitGroup
	for i := range batches[1:] {
		others.Go(func() { w.sendOne(ctx, rt, &batches[1+i]) })
	}
	w.sendOne(ctx, rt, &batches[0])
	others.Wait()
}

func (w *writer) sendOne(ctx context.Context, rt *route, b *subBatch) {
	cmd := command{name: statementsField[w.result.kind], docs: make([]bsoncore.Document, len(b.items))}
	for n, i := range b.items {
		cmd.docs[n] = w.statements[i]
	}
	cmd.body = build(func(dst []byte) []byte {
		dst = appendWrite(dst, w.req.body, cmd.name, w.concern)
		if w.req.retryable() {
			// Without the numbers of the statements within the client's command the second sub-batch of a command to the same shard would be
			// taken for a repetition of the first, and nothing written.
			dst = appendFields(dst, "stmtIds", b.items)
		}
		if b.ignored && rt.table != nil {
			return appendShardVersion(dst, shardkey.Ignored)
		}
		return appendVersions(dst, rt, b.shard)
	})
	rep, err := w.execute(ctx, w.req, rt, b.shard, cmd, w.req.retryable())
	b.reply, b.err = w.req.hold(rep), err
}

// absorb takes the answer to a sub-batch into the result; stale is the code by which the shard turned statements away, which stay
// pending. An error ends the command.
func (w *writer) absorb(b *subBatch) (stale int32, err error) {
	if _, err := answerOf(b.reply, b.err); staleError(err) != 0 {
		return staleError(err), nil
	} else if err != nil {
		return 0, w.absorbFailure(b, err)
	}
	turnedAway, stopped := w.result.absorb(b)
	done := b.items
	if w.ordered && (stopped >= 0 || len(turnedAway) > 0) {
		// Those after the first error were not tried.
		first := stopped
		if len(turnedAway) > 0 {
			first = turnedAway[0].at
		}
		done = b.items[:first]
	} else if len(turnedAway) > 0 {
		done = without(b.items, turnedAway)
	}
	w.settle(done)
	if len(turnedAway) > 0 {
		return turnedAway[0].code, nil
	}
	if w.ordered && stopped >= 0 {
		w.pending = nil
	}
	return 0, nil
}

// absorbFailure deals with a sub-batch that failed as a whole. If it is all there is, its answer is the client's; a retryable write
// fails as a whole, too, since it may be sent again. Otherwise its statements get the error each, as with a mongos.
func (w *writer) absorbFailure(b *subBatch, err error) error {
	alone := len(b.items) == len(w.statements)
	if w.req.txnNumber || alone || errors.Is(err, context.Canceled) {
		return err
	}
	if w.ordered {
		w.result.refuse(b.items[0], err)
		w.pending = nil
		return nil
	}
	for _, i := range b.items {
		w.result.refuse(i, err)
	}
	w.settle(b.items)
	return nil
}

// without lists the items whose positions were not turned away.
func without(items []int, turnedAway []rejection) []int {
	at := make(map[int]bool, len(turnedAway))
	for _, r := range turnedAway {
		at[r.at] = true
	}
	var rest []int
	for n, i := range items {
		if !at[n] {
			rest = append(rest, i)
		}
	}
	return rest
}
