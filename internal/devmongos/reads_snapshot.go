package devmongos

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/topology"
)

// atOneTime fixes the time of a snapshot read that leaves it open. The core would take its own, which may be from before the last
// change of the collection's chunks, and even from before the client's last write.
func (r *reads) atOneTime(body bsoncore.Document) bsoncore.Document {
	concern := documentField(body, "readConcern")
	if !wantsSnapshot(concern) || field(concern, "atClusterTime").Type != 0 {
		return body
	}
	at := max(r.clock.now(), timeOf(field(concern, "afterClusterTime")))
	return withField(body, "readConcern", snapshotConcern(at))
}

// snapshotRead makes a read for the core one that is at one time on all shards, and waits until its primaries can answer for that time. Of other
// members it asks nothing: that would take a round trip to each, and the primaries are what a snapshot is about.
func (r *reads) snapshotRead(ctx context.Context, req *request, body bsoncore.Document) (bsoncore.Document, error) {
	body = r.atOneTime(body)
	if !req.primary || !wantsSnapshot(req.readConcern) {
		return body, nil
	}
	at := timeOf(field(documentField(body, "readConcern"), "atClusterTime"))
	shards, err := r.snapshotShards(ctx, req, body, at)
	if err != nil {
		return nil, err
	}
	return body, r.settlePrepared(ctx, at, shards)
}

// snapshotShards are those that a read at that time may ask: by the filter, if no chunk has moved since and no other collection is read as well.
func (r *reads) snapshotShards(ctx context.Context, req *request, body bsoncore.Document, at uint64) ([]topology.ShardID, error) {
	var unsettled error
	for budget := range attempts(ctx, r.budget) {
		rt, err := r.route(budget, req.db, req.collection)
		if errors.Is(err, errNoDatabase) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if rt.movedSince(at) || readsOthers(field(body, "pipeline")) {
			return r.allShards(ctx)
		}
		shards := targetsOf(rt, filterOf(body), req.collation)
		outdated, err := r.isOutdated(budget, rt, shards)
		if err != nil || outdated == 0 {
			return shards, err
		}
		r.forget(rt, outdated)
		unsettled = refuse(outdated, "routing of %s did not settle within %v", rt.ns, r.budget)
	}
	return nil, unsettled
}

// isOutdated asks shards whether they still have what the route says; it returns the code of one that has not. Whoever gives a chunk away is
// among those that the route names, so a route that all of them accept leaves nobody out.
func (r *reads) isOutdated(ctx context.Context, rt *route, shards []topology.ShardID) (int32, error) {
	codes := make([]int32, len(shards))
	all, ctx := errgroup.WithContext(ctx)
	for i, shard := range shards {
		all.Go(func() error {
			rep, err := r.onPrimaryOf(ctx, shard, introduction(rt, shard))
			if err != nil {
				return err
			}
			defer rep.buf.release()
			if code := codeOf(rep.doc); code != codeViewOnShard {
				codes[i] = code // stale, or it took too long, because a chunk is just moving
			}
			return nil
		})
	}
	err := all.Wait()
	return cmp.Or(codes...), err
}

// filterOf is what a find, or an aggregate with its first stage, selects by.
func filterOf(body bsoncore.Document) bsoncore.Document {
	if stages := arrayValues(field(body, "pipeline")); len(stages) > 0 {
		return documentField(stages[0].Data, "$match")
	}
	return documentField(body, "filter")
}

// readsOthers tells that a pipeline may read other collections than its own.
func readsOthers(pipeline bsoncore.Value) bool {
	return slices.ContainsFunc([]string{"$lookup", "$graphLookup", "$unionWith"}, func(stage string) bool {
		return bytes.Contains(pipeline.Data, append([]byte(stage), 0))
	})
}

// settlePrepared returns when every transaction that one of the shards had prepared by that time is decided there, for good.
func (r *reads) settlePrepared(ctx context.Context, at uint64, shards []topology.ShardID) error {
	all, ctx := errgroup.WithContext(ctx)
	for _, shard := range shards {
		all.Go(func() error {
			set, err := r.shard(ctx, shard)
			if err != nil {
				return err
			}
			return set.settlePrepared(ctx, at)
		})
	}
	return all.Wait()
}
