package devmongos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
	"golang.org/x/sync/singleflight"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

// A database is an entry of config.databases.
type database struct {
	name    string
	primary topology.ShardID
	version bsoncore.Document // databaseVersion as commands carry it
}

// A route says where a namespace lives. It is immutable; a newer one replaces it.
type route struct {
	ns string
	db *database
	// table is nil if the collection is not sharded, or does not exist.
	table *shardkey.Table
	// accepted has the shards that have executed something by this route.
	accepted sync.Map
}

// shards lists the shards that hold the namespace.
func (rt *route) shards() []topology.ShardID {
	if rt.table == nil {
		return []topology.ShardID{rt.db.primary}
	}
	return rt.table.Shards()
}

// A catalogue caches where databases, collections and shards are. Nothing in it expires: whoever is told by a shard that an entry
// is stale forgets it, and the next one to need it reads it again.
type catalogue struct {
	*backend
	core    *core
	configs *replicaSet

	mu        sync.Mutex // guards following
	databases map[string]*database
	routes    map[string]*route
	shards    map[topology.ShardID]*replicaSet

	// loading has the reads under way by namespace, so that a hundred clients told the same read once.
	loading singleflight.Group
}

func newCatalogue(c *core, configs *replicaSet) *catalogue {
	return &catalogue{
		backend: c.backend, core: c, configs: configs, databases: map[string]*database{}, routes: map[string]*route{},
		shards: map[topology.ShardID]*replicaSet{},
	}
}

func (c *catalogue) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.shards {
		s.close()
	}
	clear(c.shards)
}

// route returns where the namespace lives; errNoDatabase if its database does not exist.
func (c *catalogue) route(ctx context.Context, db, collection string) (*route, error) {
	ns := db + "." + collection
	c.mu.Lock()
	rt := c.routes[ns]
	c.mu.Unlock()
	if rt != nil {
		return rt, nil
	}
	select {
	case read := <-c.loading.DoChan(ns, func() (any, error) { return c.load(ns, db) }):
		rt, _ = read.Val.(*route)
		return rt, read.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// load reads a route in the router's own context: the others who wait for it are not to fail when the first one leaves.
func (c *catalogue) load(ns, name string) (*route, error) {
	ctx, cancel := context.WithTimeout(c.base, c.budget)
	defer cancel()
	db, err := c.database(ctx, name)
	if err != nil {
		return nil, err
	}
	var table *shardkey.Table
	for range attempts(ctx, c.budget) {
		if table, err = c.readTable(ctx, ns); !errors.Is(err, shardkey.ErrInconsistentChunks) {
			break
		}
		// A migration committed in the middle of the read.
	}
	if err != nil {
		return nil, err
	}
	chunks := 0
	if table != nil {
		chunks = len(table.Chunks())
	}
	c.log.Debug("routing table read", "ns", ns, "primary", db.primary, "chunks", chunks)
	rt := &route{ns: ns, db: db, table: table}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.routes[ns] = rt
	return rt, nil
}

// readTable returns nil for a collection that is not sharded.
func (c *catalogue) readTable(ctx context.Context, ns string) (*shardkey.Table, error) {
	entry, err := c.configs.findOne(ctx, "collections", "_id", ns)
	if errors.Is(err, errNoDocument) || err == nil && boolField(entry, "dropped") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	uuid := field(entry, "uuid")
	if uuid.Type != bsoncore.TypeBinary {
		return nil, fmt.Errorf("read config.collections: %s has no uuid", ns)
	}
	chunks, err := c.configs.findAll(ctx, "chunks", "uuid", uuid)
	if err != nil {
		return nil, err
	}
	return shardkey.NewTable(bson.Raw(entry), chunks)
}

// database returns the entry of a database; errNoDatabase if there is none, which is not cached.
func (c *catalogue) database(ctx context.Context, name string) (*database, error) {
	c.mu.Lock()
	db := c.databases[name]
	c.mu.Unlock()
	if db != nil {
		return db, nil
	}
	entry, err := c.configs.findOne(ctx, "databases", "_id", name)
	if errors.Is(err, errNoDocument) {
		return nil, errNoDatabase
	}
	if err != nil {
		return nil, err
	}
	db = &database{name: name, primary: topology.ShardID(stringField(entry, "primary")), version: documentField(entry, "version")}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.databases[name] = db
	return db, nil
}

// createDatabase makes sure that the database exists. It may exist already.
func (c *catalogue) createDatabase(ctx context.Context, name string) error {
	_, err := c.configs.tell(ctx, "admin", fields("_configsvrCreateDatabase", name, majority))
	return err
}

// forget drops a route that a shard called stale. A database told to be stale (code 249) takes all its routes along.
func (c *catalogue) forget(rt *route, code int32) {
	c.log.Debug("routing table stale", "ns", rt.ns, "code", code)
	if code == codeStaleDbVersion {
		c.forgetDatabase(rt.db.name)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.routes[rt.ns] == rt { // else somebody has read it again already
		delete(c.routes, rt.ns)
	}
}

// forgetDatabase drops all that is known of a database, for example after it was dropped.
func (c *catalogue) forgetDatabase(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.databases, name)
	maps.DeleteFunc(c.routes, func(_ string, rt *route) bool { return rt.db.name == name })
}

// forgetCollection drops what is known of one namespace.
func (c *catalogue) forgetCollection(ns string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.routes, ns)
}

// forgetAll drops all databases and routes, and keeps the shards.
func (c *catalogue) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.databases)
	clear(c.routes)
}

// shard returns the replica set of a shard.
func (c *catalogue) shard(ctx context.Context, id topology.ShardID) (*replicaSet, error) {
	c.mu.Lock()
	s := c.shards[id]
	c.mu.Unlock()
	if s != nil {
		return s, nil
	}
	if err := c.loadShards(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s = c.shards[id]; s == nil {
		return nil, refuse(codeShardNotFound, "shard %s does not exist", id)
	}
	return s, nil
}

// allShards lists the shards of the cluster as the config servers have them now.
func (c *catalogue) allShards(ctx context.Context) ([]topology.ShardID, error) {
	entries, err := c.configs.findAll(ctx, "shards")
	if err != nil {
		return nil, err
	}
	ids := make([]topology.ShardID, len(entries))
	for i, e := range entries {
		ids[i] = topology.ShardID(stringField(bsoncore.Document(e), "_id"))
	}
	return ids, nil
}

// reachable lists the shards to send a broadcast to: all that were known at the last look, and those of the route, which may be newer.
func (c *catalogue) reachable(rt *route) []topology.ShardID {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := slices.Collect(maps.Keys(c.shards))
	for _, id := range rt.shards() {
		if c.shards[id] == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// members lists the members of all shards.
func (c *catalogue) members() []*member {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*member
	for _, s := range c.shards {
		all = append(all, s.list()...)
	}
	return all
}

// loadShards reads config.shards, starts to watch those that are new and lets go of those that were removed.
func (c *catalogue) loadShards(ctx context.Context) error {
	entries, err := c.configs.findAll(ctx, "shards")
	if err != nil {
		return err
	}
	c.leave(ctx, c.takeShards(entries)...)
	return nil
}

// leave lets go of the sets of shards that were removed. Nobody watches their members from now on, so whoever still waits for one that has fallen
// silent would wait for good: those who do so here lose their connections, those in the core begin anew, and both read where everything is now.
func (c *catalogue) leave(ctx context.Context, sets ...*replicaSet) {
	if len(sets) == 0 {
		return
	}
	for _, s := range sets {
		s.close()
	}
	c.forgetAll()
	c.core.reset()
	ctx, cancel := context.WithTimeout(ctx, c.budget)
	defer cancel()
	if _, err := c.core.admin(ctx, "flushRouterConfig", 1); err != nil {
		c.log.Warn("the core may not know yet that a shard was removed", "error", err)
	}
}

// takeShards returns the sets that are no shards any more.
func (c *catalogue) takeShards(entries []bson.Raw) (left []*replicaSet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	listed := map[topology.ShardID]bool{}
	for _, raw := range entries {
		e := bsoncore.Document(raw)
		id := topology.ShardID(stringField(e, "_id"))
		listed[id] = true
		if c.shards[id] == nil {
			c.shards[id] = newReplicaSet(c.core, stringField(e, "host"))
		}
	}
	for id, set := range c.shards {
		if !listed[id] {
			delete(c.shards, id)
			left = append(left, set)
		}
	}
	return left
}

// movedSince tells that a chunk has moved at that time or later.
func (rt *route) movedSince(at uint64) bool {
	if rt.table == nil {
		return false
	}
	moved := rt.table.LastMove()
	return uint64(moved.T)<<32|uint64(moved.I) >= at
}

// onPrimaryOf sends a command that may be repeated to a shard's primary.
func (c *catalogue) onPrimaryOf(ctx context.Context, shard topology.ShardID, body bsoncore.Document) (reply, error) {
	set, err := c.shard(ctx, shard)
	if err != nil {
		return reply{}, err
	}
	return set.onPrimary(ctx, command{body: body}, true)
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

// noteAnswer remembers that the shard knows the namespace as the route says.
func (rt *route) noteAnswer(shard topology.ShardID, rep reply, err error) {
	if err == nil && staleOf(rep.doc) == 0 {
		rt.accepted.LoadOrStore(shard, true)
	}
}
