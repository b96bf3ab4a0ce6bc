package devmongos

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/topology"
)

// scatter sends a read to the shards that a filter concerns, in the transaction, and opens a cursor over their answers. When a shard turns it
// away, all of them are asked anew, by the newer route: reading twice does no harm inside a transaction.
func (r *statements) scatter(ctx context.Context, req *request, filter bsoncore.Document, body func(dst []byte) []byte) (*mergedCursor, error) {
	var failure error
	for range attempts(ctx, r.budget) {
		rt, err := r.route(ctx, req.db, req.collection)
		if err != nil {
			return nil, err
		}
		m := &mergedCursor{txn: req.txn, db: req.db, coll: req.collection, limit: -1}
		if failure = r.open(ctx, m, req, rt, targetsOf(rt, filter, req.collation), body); failure == nil {
			return m, nil
		}
		m.kill(ctx)
		stale := staleError(failure)
		if stale == 0 {
			break
		}
		if r.forget(rt, stale); req.txn.lost() {
			break
		}
	}
	return nil, failure
}

func (r *statements) open(ctx context.Context, m *mergedCursor, req *request, rt *route, shards []topology.ShardID, body func(dst []byte) []byte) error {
	replies, errs := sideBySide(shards, func(shard topology.ShardID) (reply, error) {
		doc := build(func(dst []byte) []byte { return appendVersions(body(dst), rt, shard) })
		return r.execute(ctx, req, rt, shard, command{body: doc}, false)
	})
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
