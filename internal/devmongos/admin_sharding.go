package devmongos

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

// sharding answers what administers the cluster.
type sharding struct{ *router }

func (r *sharding) commands() map[string]handler {
	rows := map[string]handler{
		"removeShard":                    r.removeShard,
		"enableSharding":                 r.enableSharding,
		"shardCollection":                r.shardCollection,
		"refineCollectionShardKey":       r.refineCollectionShardKey,
		"reshardCollection":              r.reshardCollection,
		"movePrimary":                    r.movePrimary,
		"setDefaultRWConcern":            r.setDefaultRWConcern,
		"setFeatureCompatibilityVersion": r.setFeatureCompatibilityVersion,
		"listShards":                     r.listShards,
		"getShardVersion":                r.getShardVersion,
		"flushRouterConfig":              r.flushRouterConfig,
	}
	// The config servers execute these under another name, with the client's arguments.
	for name, internal := range map[string]string{
		"addShard":                 "_configsvrAddShard",
		"addShardToZone":           "_configsvrAddShardToZone",
		"removeShardFromZone":      "_configsvrRemoveShardFromZone",
		"updateZoneKeyRange":       "_configsvrUpdateZoneKeyRange",
		"abortReshardCollection":   "_configsvrAbortReshardCollection",
		"cleanupReshardCollection": "_configsvrCleanupReshardCollection",
	} {
		rows[name] = r.configCommand(internal, majority)
	}
	for name, internal := range map[string]string{
		"balancerStart":                "_configsvrBalancerStart",
		"balancerStop":                 "_configsvrBalancerStop",
		"balancerStatus":               "_configsvrBalancerStatus",
		"balancerCollectionStatus":     "_configsvrBalancerCollectionStatus",
		"configureCollectionBalancing": "_configsvrConfigureCollectionBalancing",
		"getDefaultRWConcern":          "getDefaultRWConcern",
		"getShardMap":                  "getShardMap",
	} {
		rows[name] = r.configCommand(internal)
	}
	return adminOnly(rows)
}

// removeShard begins to drain a shard, tells how that goes on, and in the end removes the shard: one state per call.
func (r *sharding) removeShard(ctx context.Context, req *request) (bsoncore.Document, error) {
	answer, err := r.configCommand("_configsvrRemoveShard", majority)(ctx, req)
	if err == nil && stringField(answer, "state") == "completed" {
		r.forgetShard(ctx, topology.ShardID(stringField(req.body, req.name)))
	}
	return answer, err
}

// enableSharding creates the database; since 6.0 there is no more to it.
func (r *sharding) enableSharding(ctx context.Context, req *request) (bsoncore.Document, error) {
	shard := field(req.body, "primaryShard")
	cmd := fields("_configsvrCreateDatabase", req.target(), majority, when(shard.Type != 0, "primaryShardId", shard))
	if _, err := r.administer(ctx, req, "admin", cmd); err != nil {
		return nil, err
	}
	r.forgetDatabase(stringField(req.body, req.name))
	return okReply, nil
}

// shardCollection creates the database and the collection too if need be. With zone ranges already defined the primary shard places
// every chunk in its zone at once.
func (r *sharding) shardCollection(ctx context.Context, req *request) (bsoncore.Document, error) {
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
	cmd := fields("_shardsvrCreateCollection", collection, majority)
	for _, arg := range req.arguments() {
		if arg.Key == "key" {
			arg.Key = "shardKey"
		}
		cmd = append(cmd, arg)
	}
	ns := db + "." + collection
	if _, err := r.change(ctx, req, db, db, cmd, ns); err != nil {
		return nil, err
	}
	return encode("collectionsharded", ns)
}

// refuseTimeSeries keeps time series collections unsharded: their documents live in buckets by another name, under versions of their
// own, and the router would never get one written.
func (r *sharding) refuseTimeSeries(ctx context.Context, req *request, db, collection string) error {
	rep, err := r.onDatabase(ctx, req, db, db, fields("listCollections", 1, "filter", fields("name", collection, "type", "timeseries")))
	if err != nil {
		return err
	}
	if len(batchOf(rep.doc, "firstBatch")) > 0 || field(req.body, "timeseries").Type != 0 {
		return refuse(codeIllegalOperation, "the development query router cannot shard time series collections: leave %s.%s unsharded", db, collection)
	}
	return nil
}

func (r *sharding) refineCollectionShardKey(ctx context.Context, req *request) (bsoncore.Document, error) {
	db, collection, err := req.targetNamespace()
	if err != nil {
		return nil, err
	}
	return r.reshape(ctx, req, db, db, fields("_shardsvrRefineCollectionShardKey", collection, "newShardKey", field(req.body, "key"), majority))
}

// reshardCollection takes five minutes at least, however small the collection: the server's own minimum.
func (r *sharding) reshardCollection(ctx context.Context, req *request) (bsoncore.Document, error) {
	db, _, err := req.targetNamespace()
	if err != nil {
		return nil, err
	}
	return r.reshape(ctx, req, db, "admin", req.as("_shardsvrReshardCollection", majority))
}

func (r *sharding) movePrimary(ctx context.Context, req *request) (bsoncore.Document, error) {
	db := stringField(req.body, req.name)
	return r.reshape(ctx, req, db, "admin", fields("_shardsvrMovePrimary", db, "to", field(req.body, "to"), majority))
}

// reshape runs a command after which all that is known of the database may be wrong.
func (r *sharding) reshape(ctx context.Context, req *request, db, runOn string, cmd bson.D) (bsoncore.Document, error) {
	doc, err := r.change(ctx, req, db, runOn, cmd, db)
	return doc, withoutDatabase(err, refuse(codeNamespaceNotFound, "database %s not found", db))
}

func (r *sharding) setDefaultRWConcern(ctx context.Context, req *request) (bsoncore.Document, error) {
	defer r.defaults.forget()
	return r.configCommand("setDefaultRWConcern", majority)(ctx, req)
}

// setFeatureCompatibilityVersion is carried from the config servers to the shards, but not to the core, which is none.
func (r *sharding) setFeatureCompatibilityVersion(ctx context.Context, req *request) (bsoncore.Document, error) {
	answer, err := r.configCommand("setFeatureCompatibilityVersion", majority)(ctx, req)
	if err != nil {
		return nil, err
	}
	return answer, r.core.raise(ctx)
}

func (r *sharding) listShards(ctx context.Context, _ *request) (bsoncore.Document, error) {
	shards, err := r.configs.findAll(ctx, "shards")
	if err != nil {
		return nil, err
	}
	return encode("shards", shards)
}

// getShardVersion tells the version of the routing table in use.
func (r *sharding) getShardVersion(ctx context.Context, req *request) (bsoncore.Document, error) {
	rt, err := r.shardedRoute(ctx, req)
	if err != nil {
		return nil, err
	}
	var newest shardkey.Version
	for _, shard := range rt.table.Shards() {
		if v := rt.table.Version(shard); v.Placement.Compare(newest.Placement) >= 0 {
			newest = v
		}
	}
	return encode("version", newest.Placement, "versionEpoch", newest.Epoch, "versionTimestamp", newest.Timestamp)
}

// flushRouterConfig forgets a collection, a database or all.
func (r *sharding) flushRouterConfig(ctx context.Context, req *request) (bsoncore.Document, error) {
	ns := stringField(req.body, req.name)
	if ns == "" {
		r.forgetAll()
		_, err := r.core.admin(ctx, "flushRouterConfig", 1)
		return okReply, err
	}
	return okReply, r.changed(ctx, ns)
}
