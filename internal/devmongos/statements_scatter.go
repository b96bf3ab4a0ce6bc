package devmongos

import (
	"context"
	"errors"
	"sync"

	"github.com/geoshard/geoshard/topology"
)

// scatter sends a read to shards of the transaction and opens a cursor over their answers. When a shard turns it away, all of them are
// asked anew, by the newer route: reading twice does no harm inside a transaction.
func (r *statements) scatter(ctx context.Context, req *request,
	choose func(rt *route) []topology.ShardID, body func(dst []byte) []byte,
) (*mergedCursor, error) {
	budget, cancel := context.WithTimeout(ctx, r.budget)
	defer cancel()
	var pace pacer
	for {
		rt, err := r.route(ctx, req.db, req.collection)
		if err != nil {
			return nil, err
		}
		m := &mergedCursor{txn: req.txn, db: req.db, coll: req.collection, limit: -1}
		failure := r.open(ctx, m, req, rt, choose(rt), body)
		if failure == nil {
			return m, nil
		}
		m.kill(ctx)
		stale := staleError(failure)
		if stale == 0 {
			return nil, failure
		}
		r.forget(rt, stale)
		if req.txn.lost() || !pace.wait(budget) {
			return nil, failure
		}
	}
}

func (r *statements) open(ctx context.Context, m *mergedCursor, req *request, rt *route, shards []topology.ShardID, body func(dst []byte) []byte) error {
	replies, errs := make([]reply, len(shards)), make([]error, len(shards))
	var all sync.WaitGroup
	for i, shard := range shards {
		all.Go(func() {
			doc := build(func(dst []byte) []byte { return appendVersions(body(dst), rt, shard) })
			replies[i], errs[i] = r.execute(ctx, req, rt, shard, command{body: doc}, false)
		})
	}
	all.Wait()
	failure := errors.Join(errs...)
	for i, rep := range replies {
		switch {
		case errs[i] != nil:
		case codeOf(rep.doc) != 0:
			if req.hold(rep); failure == nil {
				failure = &replyError{rep.doc}
			}
		default:
			req.note(rep)
			m.add(shards[i], rep)
		}
	}
	return failure
}
