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

// listingCommands read and build what every shard has its own copy of, or the primary shard has for all.
var listingCommands = map[string]handler{
	"createIndexes":   (*router).createIndexes,
	"listIndexes":     (*router).listIndexes,
	"listCollections": (*router).listCollections,
}

// A shardAnswer is what one shard said; it is held by the request.
type shardAnswer struct {
	shard topology.ShardID
	doc   bsoncore.Document
}

// onOwners sends a command to every shard that holds part of a collection, with the version that makes a shard refuse if it does not
// any more; then all is done again by the new routing table, so the command must be one that may be repeated. The answers are sorted by
// shard. The first answer with ok: 0 is the error, a *replyError.
func (r *router) onOwners(ctx context.Context, req *request, db, collection string, cmd bson.D) ([]shardAnswer, error) {
	budget, cancel := context.WithTimeout(ctx, r.cfg.FailoverBudget)
	defer cancel()
	var pace pacer
	for {
		rt, err := r.catalog.route(ctx, db, collection)
		if err != nil {
			return nil, err
		}
		answers, err := r.onRoute(ctx, req, rt, cmd)
		var answered *replyError
		if !errors.As(err, &answered) || !isStale(codeOf(answered.doc)) {
			return answers, err
		}
		r.catalog.forget(rt, codeOf(answered.doc))
		if !pace.wait(budget) {
			return nil, err
		}
	}
}

func (r *router) onRoute(ctx context.Context, req *request, rt *route, cmd bson.D) ([]shardAnswer, error) {
	return r.onEach(ctx, req, rt.shards(), rt.db.name, func(shard topology.ShardID) bson.D {
		versions := bson.Raw(build(func(dst []byte) []byte { return appendVersions(dst, rt, shard) }))
		full := slices.Clone(cmd)
		for e := range elements(bsoncore.Document(versions)) {
			full = append(full, bson.E{Key: string(e.name), Value: rawValue(e.value)})
		}
		return full
	})
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
		shown := edit(nil, a.doc, isInternalField, nil)
		raw = append(raw, bson.E{Key: string(a.shard), Value: bson.Raw(shown)})
	}
	return bson.E{Key: "raw", Value: raw}
}

// createIndexes builds on every shard that holds part of the collection; shards that get their first chunk later copy the indexes.
// The collection and its database are created if need be.
func (r *router) createIndexes(ctx context.Context, req *request) (bsoncore.Document, error) {
	db, collection, err := req.namespace()
	if err != nil {
		return nil, err
	}
	cmd := slices.Concat(bson.D{{Key: "createIndexes", Value: collection}}, req.arguments(), bson.D{majority})
	if isConfigDatabase(db) {
		return r.administer(ctx, req, db, cmd)
	}
	if err := r.ensureDatabase(ctx, db); err != nil {
		return nil, err
	}
	answers, err := r.onOwners(ctx, req, db, collection, cmd)
	if err != nil {
		return nil, err
	}
	return encode(bson.D{rawAnswers(answers)})
}

// listIndexes asks one of the shards that hold part of the collection: all of them have the same.
func (r *router) listIndexes(ctx context.Context, req *request) (bsoncore.Document, error) {
	db, collection, err := req.namespace()
	if err != nil {
		return nil, err
	}
	if isConfigDatabase(db) {
		return r.listOnConfig(ctx, req, db+"."+collection)
	}
	rep, err := r.runSingle(ctx, req, single{
		db: db, collection: collection, repeatable: true,
		choose: func(rt *route) (topology.ShardID, error) { return rt.shards()[0], nil },
		body:   func(dst []byte) []byte { return appendListing(dst, req.body) },
	})
	if errors.Is(err, errNoDatabase) {
		return nil, refuse(codeNamespaceNotFound, "ns does not exist: %s.%s", db, collection)
	}
	if err != nil {
		return nil, err
	}
	r.cursors.adopt(rep.doc, rep.host, cursorNamespace(rep.doc, db+"."+collection))
	return rep.doc, nil
}

// listOnConfig lists what the config servers have.
func (r *router) listOnConfig(ctx context.Context, req *request, ns string) (bsoncore.Document, error) {
	body := build(func(dst []byte) []byte { return appendListing(dst, req.body) })
	rep, err := r.configs.onPrimary(ctx, command{body: body}, true)
	if err != nil {
		return nil, err
	}
	req.hold(rep)
	r.cursors.adopt(rep.doc, rep.host, cursorNamespace(rep.doc, ns))
	return rep.doc, nil
}

// appendListing appends a client's listing for a member, with its session, in which the cursor then lives.
func appendListing(dst []byte, body bsoncore.Document) []byte {
	for e := range elements(body) {
		if name := string(e.name); name == "$db" || name == "lsid" || !isGeneric(name) {
			dst = append(dst, e.raw...)
		}
	}
	return dst
}

// cursorNamespace is the namespace under which the client will ask for more, which for listings is a made-up one.
func cursorNamespace(answer bsoncore.Document, fallback string) string {
	if ns := stringField(documentField(answer, "cursor"), "ns"); ns != "" {
		return ns
	}
	return fallback
}

// listCollections asks the primary shard, which knows all collections of its database, sharded ones too.
func (r *router) listCollections(ctx context.Context, req *request) (bsoncore.Document, error) {
	ns := req.db + ".$cmd.listCollections"
	if isConfigDatabase(req.db) {
		return r.listOnConfig(ctx, req, ns)
	}
	listing := bson.D{{Key: "listCollections", Value: 1}}
	if lsid := field(req.body, "lsid"); lsid.Type != 0 {
		listing = append(listing, bson.E{Key: "lsid", Value: rawValue(lsid)})
	}
	rep, err := r.onDatabase(ctx, req, req.db, req.db, slices.Concat(listing, req.arguments()))
	if errors.Is(err, errNoDatabase) {
		return encode(bson.D{{Key: "cursor", Value: bson.D{
			{Key: "id", Value: int64(0)}, {Key: "ns", Value: ns}, {Key: "firstBatch", Value: bson.A{}},
		}}})
	}
	if err != nil {
		return nil, err
	}
	r.cursors.adopt(rep.doc, rep.host, cursorNamespace(rep.doc, ns))
	return rep.doc, nil
}
