package devmongos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/internal/mongobin"
	"github.com/geoshard/geoshard/internal/testkit"
)

// A smallCluster is one config server, three shards and a router core of one mongod each, with a router in this process. It
// lives below the layer that starts real clusters (cluster/clustertest imports this package), so that a fault of the router is found here.
type smallCluster struct {
	dir, mongod string
	config      string // set name/address
	core        string
	shards      map[string]*shardSet
	router      string // address for clients

	mu        sync.Mutex // guards following
	processes []*exec.Cmd
}

type shardSet struct {
	name    string
	members []string
	byAddr  map[string]*exec.Cmd
}

// startWithin bounds the start of a cluster on a machine that is busy with other tests.
const startWithin = 3 * time.Minute

// startSmall starts a cluster whose shards have that many members, for a test that breaks it; it ends with the test.
func startSmall(t *testing.T, members int) *smallCluster {
	t.Helper()
	c := &smallCluster{dir: t.TempDir(), shards: map[string]*shardSet{}}
	t.Cleanup(c.killAll)
	ctx, cancel := context.WithTimeout(t.Context(), startWithin)
	defer cancel()
	if err := c.start(ctx, members); err != nil {
		t.Fatalf("start a small cluster: %v", err)
	}
	log := &routerLog{}
	stop, err := c.startRouter(ctx, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("router ended: %v", err)
		}
		log.show(t)
	})
	return c
}

func (c *smallCluster) start(ctx context.Context, members int) error {
	tools, err := mongobin.Find(ctx, mongobin.Options{})
	if err != nil {
		return err
	}
	c.mongod = tools.Mongod
	if c.core, err = freePort(); err != nil {
		return err
	}
	if c.router, err = freePort(); err != nil {
		return err
	}
	if _, err := c.spawn("router-test", c.core, "--shardsvr"); err != nil {
		return err
	}
	var config *shardSet
	all, setting := errgroup.WithContext(ctx)
	all.Go(func() (err error) {
		config, err = c.startSet(setting, "config", "--configsvr", 1)
		return err
	})
	sets := make([]*shardSet, 3)
	for i := range sets {
		all.Go(func() (err error) {
			sets[i], err = c.startSet(setting, fmt.Sprintf("s%d", i), "--shardsvr", members)
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return err
	}
	c.config = "config/" + config.members[0]
	admin, err := directTo(config.members[0])
	if err != nil {
		return err
	}
	defer func() { _ = admin.Disconnect(context.Background()) }()
	for _, s := range sets {
		c.shards[s.name] = s
		cmd := bson.D{{Key: "_configsvrAddShard", Value: s.name + "/" + s.members[0]}, {Key: "name", Value: s.name}, majority}
		if err := untilOK(ctx, admin, cmd); err != nil {
			return err
		}
	}
	return untilOK(ctx, admin, bson.D{{Key: "_configsvrBalancerStop", Value: 1}})
}

// startSet starts a replica set and waits for its primary.
func (c *smallCluster) startSet(ctx context.Context, name, role string, members int) (*shardSet, error) {
	s := &shardSet{name: name, byAddr: map[string]*exec.Cmd{}}
	var list bson.A
	for i := range members {
		address, err := freePort()
		if err != nil {
			return nil, err
		}
		s.members = append(s.members, address)
		if s.byAddr[address], err = c.spawn(name, address, role); err != nil {
			return nil, err
		}
		list = append(list, bson.D{{Key: "_id", Value: i}, {Key: "host", Value: address}, {Key: "priority", Value: members - i}})
	}
	client, err := directTo(s.members[0])
	if err != nil {
		return nil, err
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	config := bson.D{{Key: "_id", Value: name}, {Key: "members", Value: list}, {Key: "settings", Value: bson.D{{Key: "electionTimeoutMillis", Value: 2000}}}}
	if role == "--configsvr" {
		config = append(config, bson.E{Key: "configsvr", Value: true})
	}
	if err := untilOK(ctx, client, bson.D{{Key: "replSetInitiate", Value: config}}); err != nil {
		return nil, err
	}
	return s, testkit.Await(ctx, "a primary of "+name, func(ctx context.Context) error {
		var hello struct {
			Primary bool `bson:"isWritablePrimary"`
		}
		err := client.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello)
		if err == nil && !hello.Primary {
			err = errors.New("it is no primary yet")
		}
		return err
	})
}

func (c *smallCluster) spawn(set, address, role string) (*exec.Cmd, error) {
	_, port, _ := net.SplitHostPort(address)
	path := filepath.Join(c.dir, port)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	cmd := exec.Command(c.mongod, role, "--replSet", set, "--port", port, "--dbpath", path, "--logpath", filepath.Join(path, "log"),
		"--bind_ip", "127.0.0.1", "--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64",
		"--setParameter", "diagnosticDataCollectionEnabled=false", "--setParameter", "orphanCleanupDelaySecs=1")
	EndWithParent(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.processes = append(c.processes, cmd)
	return cmd, nil
}

func (c *smallCluster) killAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.processes {
		_ = p.Process.Kill()
		_ = p.Wait()
	}
}

// untilOK repeats a command that a server may refuse for a while: one that starts, or one that moves another chunk.
func untilOK(ctx context.Context, client *mongo.Client, cmd bson.D) error {
	return testkit.Await(ctx, cmd[0].Key, func(ctx context.Context) error { return client.Database("admin").RunCommand(ctx, cmd).Err() })
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func directTo(address string) (*mongo.Client, error) {
	return mongo.Connect(options.Client().ApplyURI("mongodb://" + address + "/?directConnection=true"))
}

// client connects to the router, as an application does.
func (c *smallCluster) client(t testing.TB, edits ...func(*options.ClientOptions)) *mongo.Client {
	t.Helper()
	o := options.Client().ApplyURI("mongodb://" + c.router + "/")
	for _, e := range edits {
		e(o)
	}
	client, err := mongo.Connect(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client
}

// direct connects to the primary of a shard, past the router.
func (c *smallCluster) direct(t *testing.T, shard string) *mongo.Client {
	t.Helper()
	client, err := directTo(c.primaryOf(t, shard))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client
}

// configAdmin connects to the config server.
func (c *smallCluster) configAdmin(t testing.TB) *mongo.Client {
	t.Helper()
	client, err := directTo(c.config[len("config/"):])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client
}

// shard makes a sharded collection on k with three chunks: below 0 on s0, 0 to 99 on s1, 100 and more on s2. It speaks to the
// servers directly, so that it depends on no command of the router.
func (c *smallCluster) shard(t *testing.T, db, collection string) {
	t.Helper()
	ctx := t.Context()
	config, ns := c.configAdmin(t), db+"."+collection
	run := func(on *mongo.Client, name string, cmd bson.D) {
		t.Helper()
		if err := on.Database(name).RunCommand(ctx, append(cmd, majority)).Err(); err != nil {
			t.Fatalf("%v: %v", cmd, err)
		}
	}
	run(config, "admin", bson.D{{Key: "_configsvrCreateDatabase", Value: db}, {Key: "primaryShardId", Value: "s0"}})
	edges := []any{bson.MinKey{}, 0, 100, bson.MaxKey{}}
	for i := range 3 {
		zone := fmt.Sprintf("z%d", i)
		run(config, "admin", bson.D{{Key: "_configsvrAddShardToZone", Value: fmt.Sprintf("s%d", i)}, {Key: "zone", Value: zone}})
		run(config, "admin", bson.D{{Key: "_configsvrUpdateZoneKeyRange", Value: ns}, {Key: "min", Value: bson.D{{Key: "k", Value: edges[i]}}},
			{Key: "max", Value: bson.D{{Key: "k", Value: edges[i+1]}}}, {Key: "zone", Value: zone}})
	}
	var entry struct {
		Primary string
		Version bson.Raw
	}
	if err := config.Database("config").Collection("databases").FindOne(ctx, bson.D{{Key: "_id", Value: db}}).Decode(&entry); err != nil {
		t.Fatal(err)
	}
	run(c.direct(t, entry.Primary), db, bson.D{{Key: "_shardsvrCreateCollection", Value: collection}, {Key: "shardKey", Value: bson.D{{Key: "k", Value: 1}}},
		{Key: "unique", Value: false}, {Key: "databaseVersion", Value: entry.Version}})
}

// move moves the chunk that starts at k (nil: the lowest) to another shard.
func (c *smallCluster) move(t testing.TB, ns string, k any, to string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	if k == nil {
		k = bson.MinKey{}
	}
	cmd := bson.D{{Key: "_configsvrMoveRange", Value: ns}, {Key: "min", Value: bson.D{{Key: "k", Value: k}}}, {Key: "toShard", Value: to},
		{Key: "waitForDelete", Value: false}, {Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}}}}
	if err := untilOK(ctx, c.configAdmin(t), cmd); err != nil {
		t.Fatalf("move %v of %s to %s: %v", k, ns, to, err)
	}
}

// primaryOf is the address of a shard's primary, as a member that answers knows it.
func (c *smallCluster) primaryOf(t *testing.T, shard string) (primary string) {
	t.Helper()
	testkit.EventuallyNil(t, testkit.Patience, "a member of "+shard+" knows its primary", func(ctx context.Context) error {
		var failed error
		for _, address := range c.shards[shard].members {
			client, err := directTo(address)
			if err != nil {
				t.Fatal(err)
			}
			var hello struct{ Primary string }
			once, cancel := context.WithTimeout(ctx, testkit.Patience/10)
			err = client.Database("admin").RunCommand(once, d("hello", 1)).Decode(&hello)
			cancel()
			_ = client.Disconnect(context.Background())
			if err == nil && hello.Primary != "" {
				primary = hello.Primary
				return nil
			}
			failed = errors.Join(failed, fmt.Errorf("%s: primary %q: %w", address, hello.Primary, err))
		}
		return failed
	})
	return primary
}
