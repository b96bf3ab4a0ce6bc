package devmongos

import (
	"context"
	"errors"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/topology"
)

// shardingCommands administer the cluster. Most are executed by the config servers under another name, with the client's arguments.
var shardingCommands = map[string]handler{
	"addShard":                     adminOnly(configCommand("_configsvrAddShard", majority)),
	"removeShard":                  adminOnly((*router).removeShard),
	"addShardToZone":               adminOnly(configCommand("_configsvrAddShardToZone", majority)),
	"removeShardFromZone":          adminOnly(configCommand("_configsvrRemoveShardFromZone", majority)),
	"updateZoneKeyRange":           adminOnly(configCommand("_configsvrUpdateZoneKeyRange", majority)),
	"enableSharding":               adminOnly((*router).enableSharding),
	"shardCollection":              adminOnly((*router).shardCollection),
	"refineCollectionShardKey":     adminOnly((*router).refineCollectionShardKey),
	"reshardCollection":            adminOnly((*router).reshardCollection),
	"abortReshardCollection":       adminOnly(configCommand("_configsvrAbortReshardCollection", majority)),
	"cleanupReshardCollection":     adminOnly(configCommand("_configsvrCleanupReshardCollection", majority)),
	"movePrimary":                  adminOnly((*router).movePrimary),
	"balancerStart":                adminOnly(configCommand("_configsvrBalancerStart")),
	"balancerStop":                 adminOnly(configCommand("_configsvrBalancerStop")),
	"balancerStatus":               adminOnly(configCommand("_configsvrBalancerStatus")),
	"balancerCollectionStatus":     adminOnly(configCommand("_configsvrBalancerCollectionStatus")),
	"configureCollectionBalancing": adminOnly(configCommand("_configsvrConfigureCollectionBalancing")),
	"setDefaultRWConcern":          adminOnly((*router).setDefaultRWConcern),
	"getDefaultRWConcern":          adminOnly(configCommand("getDefaultRWConcern")),
	"listShards":                   adminOnly((*router).listShards),
	"getShardMap":                  adminOnly(configCommand("getShardMap")),
	"getShardVersion":              adminOnly((*router).getShardVersion),
	"flushRouterConfig":            adminOnly((*router).flushRouterConfig),

	"setFeatureCompatibilityVersion": adminOnly((*router).setFeatureCompatibilityVersion),
}

// configCommand makes the handler of a command that the config servers execute under the given name; more is appended.
func configCommand(name string, more ...bson.E) handler {
	return func(r *router, ctx context.Context, req *request) (bsoncore.Document, error) {
		return r.administer(ctx, req, "admin", slices.Concat(bson.D{{Key: name, Value: req.target()}}, req.arguments(), more))
	}
}

// removeShard begins to drain a shard, tells how that goes on, and in the end removes the shard: one state per call.
func (r *router) removeShard(ctx context.Context, req *request) (bsoncore.Document, error) {
	answer, err := configCommand("_configsvrRemoveShard", majority)(r, ctx, req)
	if err == nil && stringField(answer, "state") == "completed" {
		r.catalog.forgetShard(ctx, topology.ShardID(stringField(req.body, req.name)))
	}
	return answer, err
}

// forgetShard lets go of a shard's connections: another replica set may get its name.
func (c *catalogue) forgetShard(ctx context.Context, id topology.ShardID) {
	c.mu.Lock()
	set := c.shards[id]
	delete(c.shards, id)
	c.mu.Unlock()
	if set != nil {
		c.leave(ctx, set)
	}
}

// enableSharding creates the database; since 6.0 there is no more to it.
func (r *router) enableSharding(ctx context.Context, req *request) (bsoncore.Document, error) {
	cmd := bson.D{{Key: "_configsvrCreateDatabase", Value: req.target()}, majority}
	if shard := field(req.body, "primaryShard"); shard.Type != 0 {
		cmd = append(cmd, bson.E{Key: "primaryShardId", Value: rawValue(shard)})
	}
	if _, err := r.administer(ctx, req, "admin", cmd); err != nil {
		return nil, err
	}
	r.catalog.forgetDatabase(stringField(req.body, req.name))
	return okReply, nil
}

// shardCollection creates the database and the collection too if need be. With zone ranges already defined the primary shard places
// every chunk in its zone at once.
func (r *router) shardCollection(ctx context.Context, req *request) (bsoncore.Document, error) {
	db, collection, err := req.targetNamespace()
	if err != nil {
		return nil, err
	}
	if isConfigDatabase(db) {
		return nil, refuse(codeIllegalOperation, "can't shard collections in the %s database", db)
	}
	if err := r.ensureDatabase(ctx, db); err != nil {
		return nil, err
	}
	if err := r.refuseTimeSeries(ctx, req, db, collection); err != nil {
		return nil, err
	}
	cmd := bson.D{{Key: "_shardsvrCreateCollection", Value: collection}, majority}
	for _, arg := range req.arguments() {
		if arg.Key == "key" {
			arg.Key = "shardKey"
		}
		cmd = append(cmd, arg)
	}
	if _, err := r.onDatabase(ctx, req, db, db, cmd); err != nil {
		return nil, err
	}
	if err := r.changed(ctx, db+"."+collection); err != nil {
		return nil, err
	}
	return encode(bson.D{{Key: "collectionsharded", Value: db + "." + collection}})
}

// refuseTimeSeries keeps time series collections unsharded: their documents live in buckets by another name, under versions of their
// own, and the router would never get one written.
func (r *router) refuseTimeSeries(ctx context.Context, req *request, db, collection string) error {
	rep, err := r.onDatabase(ctx, req, db, db, bson.D{
		{Key: "listCollections", Value: 1}, {Key: "filter", Value: bson.D{{Key: "name", Value: collection}, {Key: "type", Value: "timeseries"}}},
	})
	if err != nil {
		return err
	}
	found := arrayValues(field(documentField(rep.doc, "cursor"), "firstBatch"))
	if len(found) > 0 || field(req.body, "timeseries").Type != 0 {
		return refuse(codeIllegalOperation, "the development query router cannot shard time series collections: leave %s.%s unsharded", db, collection)
	}
	return nil
}

func (r *router) refineCollectionShardKey(ctx context.Context, req *request) (bsoncore.Document, error) {
	db, collection, err := req.targetNamespace()
	if err != nil {
		return nil, err
	}
	return r.reshape(ctx, req, db, db, bson.D{
		{Key: "_shardsvrRefineCollectionShardKey", Value: collection},
		{Key: "newShardKey", Value: rawValue(field(req.body, "key"))}, majority,
	})
}

// reshardCollection takes five minutes at least, however small the collection: the server's own minimum.
func (r *router) reshardCollection(ctx context.Context, req *request) (bsoncore.Document, error) {
	db, _, err := req.targetNamespace()
	if err != nil {
		return nil, err
	}
	return r.reshape(ctx, req, db, "admin", slices.Concat(bson.D{{Key: "_shardsvrReshardCollection", Value: req.target()}}, req.arguments(), bson.D{majority}))
}

func (r *router) movePrimary(ctx context.Context, req *request) (bsoncore.Document, error) {
	db := stringField(req.body, req.name)
	return r.reshape(ctx, req, db, "admin", bson.D{
		{Key: "_shardsvrMovePrimary", Value: db}, {Key: "to", Value: rawValue(field(req.body, "to"))}, majority,
	})
}

// reshape runs a command after which all that is known of the database may be wrong.
func (r *router) reshape(ctx context.Context, req *request, db, runOn string, cmd bson.D) (bsoncore.Document, error) {
	rep, err := r.onDatabase(ctx, req, db, runOn, cmd)
	if errors.Is(err, errNoDatabase) {
		return nil, refuse(codeNamespaceNotFound, "database %s not found", db)
	}
	if err != nil {
		return nil, err
	}
	return rep.doc, r.changed(ctx, db)
}

func (r *router) setDefaultRWConcern(ctx context.Context, req *request) (bsoncore.Document, error) {
	defer r.defaults.forget()
	return configCommand("setDefaultRWConcern", majority)(r, ctx, req)
}

// setFeatureCompatibilityVersion is carried from the config servers to the shards, but not to the core, which is none.
func (r *router) setFeatureCompatibilityVersion(ctx context.Context, req *request) (bsoncore.Document, error) {
	answer, err := configCommand("setFeatureCompatibilityVersion", majority)(r, ctx, req)
	if err != nil {
		return nil, err
	}
	return answer, r.raiseCore(ctx)
}

func (r *router) listShards(ctx context.Context, _ *request) (bsoncore.Document, error) {
	shards, err := r.findAll(ctx, "config", "shards", bson.D{})
	if err != nil {
		return nil, err
	}
	return encode(bson.D{{Key: "shards", Value: shards}})
}

// getShardVersion tells the version of the routing table in use.
func (r *router) getShardVersion(ctx context.Context, req *request) (bsoncore.Document, error) {
	rt, err := r.shardedRoute(ctx, req)
	if err != nil {
		return nil, err
	}
	newest := rt.table.Version(rt.table.Shards()[0])
	for _, shard := range rt.table.Shards() {
		if v := rt.table.Version(shard); v.Placement.Compare(newest.Placement) > 0 {
			newest = v
		}
	}
	return encode(bson.D{
		{Key: "version", Value: newest.Placement}, {Key: "versionEpoch", Value: newest.Epoch}, {Key: "versionTimestamp", Value: newest.Timestamp},
	})
}

// shardedRoute is the route of the collection that the command's first field names in full.
func (r *router) shardedRoute(ctx context.Context, req *request) (*route, error) {
	db, collection, err := req.targetNamespace()
	if err != nil {
		return nil, err
	}
	rt, err := r.catalog.route(ctx, db, collection)
	switch {
	case errors.Is(err, errNoDatabase) || err == nil && rt.table == nil:
		return nil, refuse(codeNamespaceNotSharded, "Collection %s.%s is not sharded.", db, collection)
	case err != nil:
		return nil, err
	}
	return rt, nil
}

// flushRouterConfig forgets a collection, a database or all.
func (r *router) flushRouterConfig(ctx context.Context, req *request) (bsoncore.Document, error) {
	ns := stringField(req.body, req.name)
	if ns == "" {
		r.catalog.forgetAll()
		_, err := r.askCore(ctx, bson.D{{Key: "flushRouterConfig", Value: 1}})
		return okReply, err
	}
	return okReply, r.changed(ctx, ns)
}
