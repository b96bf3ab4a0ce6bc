package devmongos

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/topology"
)

// A shardAnswer is what one shard said; it is held by the request.
type shardAnswer struct {
	shard topology.ShardID
	doc   bsoncore.Document
}

// onOwners sends a command to every shard that holds part of a collection, with the version that makes a shard refuse if it does not
// any more; then all is done again by the new routing table, so the command must be one that may be repeated. The answers are sorted by
// shard. The first answer with ok: 0 is the error, a *replyError.
func (r *router) onOwners(ctx context.Context, req *request, db, collection string, cmd bson.D) (answers []shardAnswer, err error) {
	for range attempts(ctx, r.budget) {
		rt, missing := r.route(ctx, db, collection)
		if missing != nil {
			return nil, missing
		}
		answers, err = r.onEach(ctx, req, rt.shards(), db, func(shard topology.ShardID) bson.D {
			versions := build(func(dst []byte) []byte { return appendVersions(dst, rt, shard) })
			return fields(cmd, fieldsOf(versions, nil))
		})
		stale := staleError(err)
		if stale == 0 {
			break
		}
		r.forget(rt, stale)
	}
	return answers, err
}

// onEach sends each shard a command of its own, all at once, and waits for every answer: a shard that is only given up on does what it was told later, after the client has heard of another's refusal
// and perhaps undone the command.
func (r *router) onEach(ctx context.Context, req *request, shards []topology.ShardID, db string, cmd func(topology.ShardID) bson.D) ([]shardAnswer, error) {
	var mu sync.Mutex
	var answers []shardAnswer
	var group errgroup.Group
	for _, shard := range shards {
		group.Go(func() error {
			rep, err := r.onShard(ctx, req, shard, db, cmd(shard))
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			answers = append(answers, shardAnswer{shard, rep.doc})
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(answers, func(a, b shardAnswer) int { return cmp.Compare(a.shard, b.shard) })
	return answers, nil
}

// rawAnswers is the field in which a mongos shows the shards' own answers.
func rawAnswers(answers []shardAnswer) bson.E {
	var raw bson.D
	for _, a := range answers {
		raw = append(raw, bson.E{Key: string(a.shard), Value: fieldsOf(a.doc, internalFields)})
	}
	return bson.E{Key: "raw", Value: raw}
}

// askOwners runs a command with the client's arguments on every shard that holds part of the collection. The route is nil if the database does not exist.
func (r *router) askOwners(ctx context.Context, req *request, name, ns string) ([]shardAnswer, *route, error) {
	db, collection, err := splitNamespace(ns)
	if err != nil {
		return nil, nil, err
	}
	answers, err := r.onOwners(ctx, req, db, collection, req.as(name))
	if errors.Is(err, errNoDatabase) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	rt, err := r.route(ctx, db, collection)
	return answers, rt, err
}
