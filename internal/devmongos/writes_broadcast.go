package devmongos

import (
	"context"
	"slices"

	"github.com/geoshard/geoshard/topology"
)

// broadcast executes one statement that concerns several shards, or may come to concern another one. It is on its own in its round.
func (w *writer) broadcast(ctx context.Context, rt *route, item int, far reach) (stale int32, err error) {
	switch {
	case far == reachOne:
		return w.moveOne(ctx, rt, item)
	case far == reachMany && w.req.txn != nil:
		return w.broadcastInTransaction(ctx, rt, item)
	case far == reachMany:
		return 0, w.broadcastMany(ctx, rt, item)
	}
	return w.broadcastByID(ctx, rt, item)
}

// toEach makes a sub-batch of one statement for each shard.
func toEach(shards []topology.ShardID, item int) []subBatch {
	batches := make([]subBatch, len(shards))
	for i, s := range shards {
		batches[i] = subBatch{shard: s, items: []int{item}}
	}
	return batches
}

// broadcastInTransaction sends a multi-write to the owners, each with its version: what they answer is final only with the transaction, and
// each reads at a moment of its own, so none may be asked for a part that is not its own. A shard that was out of date joins again; the
// others are not asked twice.
func (w *writer) broadcastInTransaction(ctx context.Context, rt *route, item int) (stale int32, err error) {
	batches := slices.DeleteFunc(toEach(rt.shards(), item), func(to subBatch) bool {
		return slices.ContainsFunc(w.half, func(b subBatch) bool { return b.shard == to.shard })
	})
	w.send(ctx, rt, batches)
	for _, b := range batches {
		if code := staleOf(b.reply.doc); code != 0 {
			stale = code
		} else {
			w.half = append(w.half, b)
		}
	}
	if stale != 0 {
		return stale, nil
	}
	answered := w.half
	w.half = nil
	return 0, w.mergeBroadcast(answered, item)
}

// broadcastMany sends a multi-write to all shards, with the version that none of them checks: if one could turn it away, the
// others' part would be done twice. All shards, not only the owners, since chunks may be moving.
func (w *writer) broadcastMany(ctx context.Context, rt *route, item int) error {
	batches := toEach(w.reachable(rt), item)
	for i := range batches {
		batches[i].ignored = true
	}
	w.send(ctx, rt, batches)
	return w.mergeBroadcast(batches, item)
}

// broadcastByID asks the owners for the one document with an _id, each with its version. Whatever happens to the others, a shard that
// had the document settles the statement; if none had it and one was stale, all are asked again.
func (w *writer) broadcastByID(ctx context.Context, rt *route, item int) (stale int32, err error) {
	batches := toEach(rt.shards(), item)
	w.send(ctx, rt, batches)
	answered := batches[:0:0]
	for _, b := range batches {
		if code := staleOf(b.reply.doc); code != 0 {
			stale = code
			continue
		}
		if intField(b.reply.doc, "n") > 0 {
			w.result.absorb(&b)
			w.settle([]int{item})
			return 0, nil
		}
		answered = append(answered, b)
	}
	if stale != 0 {
		return stale, nil
	}
	return 0, w.mergeBroadcast(answered, item)
}

// mergeBroadcast adds up the answers to one statement: it has failed if one shard failed, and has that error once.
func (w *writer) mergeBroadcast(batches []subBatch, item int) error {
	failed := false
	for i := range batches {
		b := &batches[i]
		_, err := answerOf(b.reply, b.err)
		switch {
		case err != nil && (len(w.statements) == 1 || w.req.txnNumber):
			return err
		case err != nil && !failed:
			w.result.refuse(item, err)
			failed = true
		case err == nil:
			errorsBefore := len(w.result.errors)
			w.result.absorb(b)
			if failed {
				w.result.errors = w.result.errors[:errorsBefore]
			}
			failed = failed || len(w.result.errors) > errorsBefore
		}
	}
	w.settle([]int{item})
	if failed && w.ordered {
		w.pending = nil
	}
	return nil
}
