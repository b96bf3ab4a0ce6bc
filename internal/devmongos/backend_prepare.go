package devmongos

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/hint"
)

const (
	// prepareBudget covers the start of a mongod, its first election and the config servers' on a loaded machine.
	prepareBudget    = 60 * time.Second
	supportedVersion = "6.0."
	featureVersion   = "6.0"
	// code of replSetInitiate on a member that is one already
	codeAlreadyInitialized = 23
)

// prepare makes the core a sharding-aware one-member replica set that knows the cluster but is no shard of it. Every step
// looks first, so it can be repeated.
func (c *core) prepare(ctx context.Context, configs *replicaSet, connection string) error {
	ctx, cancel := context.WithTimeout(ctx, prepareBudget)
	defer cancel()
	info, err := c.admin(ctx, "buildInfo", 1)
	if err != nil {
		return err
	}
	if v := stringField(info, "version"); !strings.HasPrefix(v, supportedVersion) {
		return hint.New(fmt.Errorf("%w: core runs %s", ErrVersion, v),
			"the development query router works with MongoDB 6.0.x only; use a real mongos with other versions, or set GEOSHARD_MONGOD to a mongod 6.0")
	}
	set, err := c.initiate(ctx)
	if err != nil {
		return err
	}
	if err := c.identify(ctx, set, configs, connection); err != nil {
		return err
	}
	return c.raise(ctx)
}

// initiate makes the core the primary of its own replica set and returns the set's name.
func (c *core) initiate(ctx context.Context) (set string, err error) {
	options, err := c.admin(ctx, "getCmdLineOpts", 1)
	if err != nil {
		return "", err
	}
	replication := documentField(documentField(options, "parsed"), "replication")
	if set = stringField(replication, "replSet"); set == "" {
		set = stringField(replication, "replSetName")
	}
	if set == "" {
		return "", hint.New(errors.New("core is not a member of a replica set"), "start it with --shardsvr --replSet router-<name>")
	}
	_, err = c.admin(ctx, "replSetInitiate", fields("_id", set, "members", bson.A{fields("_id", 0, "host", c.address)}))
	if err != nil && codeOf(answerIn(err)) != codeAlreadyInitialized {
		return "", fmt.Errorf("initiate core: %w", err)
	}
	for range attempts(ctx, prepareBudget) {
		hello, err := c.admin(ctx, "hello", 1)
		if err != nil {
			return "", err
		}
		if boolField(hello, "isWritablePrimary") {
			return set, nil
		}
	}
	return "", fmt.Errorf("wait for core to be primary: %w", ctx.Err())
}

// identify tells the core which cluster it serves.
func (c *core) identify(ctx context.Context, set string, configs *replicaSet, connection string) error {
	version, err := configs.findOne(ctx, "version")
	if err != nil {
		return fmt.Errorf("read the cluster's id: %w", err)
	}
	clusterID, ok := field(version, "clusterId").ObjectIDOK()
	if !ok {
		return errors.New("read the cluster's id: config.version is empty")
	}
	switch _, err := configs.findOne(ctx, "shards", "_id", set); {
	case err == nil:
		return hint.New(fmt.Errorf("%w: it is the shard %s", ErrForeignCore, set), "give the router a core of its own, which is not a shard")
	case !errors.Is(err, errNoDocument):
		return fmt.Errorf("read the cluster's shards: %w", err)
	}
	found, err := c.admin(ctx, "find", "system.version", "filter", fields("_id", "shardIdentity"))
	if err != nil {
		return fmt.Errorf("read the core's identity: %w", err)
	}
	if batch := batchOf(found, "firstBatch"); len(batch) > 0 {
		if has, _ := field(batch[0].Data, "clusterId").ObjectIDOK(); has != clusterID {
			return hint.New(fmt.Errorf("%w: its cluster is %x, ours %x", ErrForeignCore, has, clusterID), "give the router a core with an empty data directory")
		}
		return nil
	}
	identity := fields("shardName", set, "clusterId", bson.ObjectID(clusterID), "configsvrConnectionString", connection)
	if _, err = c.admin(ctx, "_addShard", 1, "shardIdentity", identity); err != nil {
		return fmt.Errorf("tell the core its cluster: %w", err)
	}
	c.log.Info("core joined the cluster", "set", set)
	return nil
}

// raise sets the feature version, which a fresh --shardsvr has at 5.0 and only a real addShard raises: below 6.0 the core
// refuses $lookup from sharded collections.
func (c *core) raise(ctx context.Context) error {
	answer, err := c.admin(ctx, "getParameter", 1, "featureCompatibilityVersion", 1)
	if err != nil {
		return err
	}
	if stringField(documentField(answer, "featureCompatibilityVersion"), "version") == featureVersion {
		return nil
	}
	if _, err = c.admin(ctx, "setFeatureCompatibilityVersion", featureVersion); err != nil {
		return fmt.Errorf("raise the core's feature version: %w", err)
	}
	return nil
}

// admin runs a command on the core's database admin; an answer with ok: 0 is a *replyError.
func (c *core) admin(ctx context.Context, cmd ...any) (bsoncore.Document, error) {
	return answerOf(c.patient(ctx, document(fields(cmd...), "$db", "admin")))
}
