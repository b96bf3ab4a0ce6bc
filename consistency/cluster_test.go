package consistency_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/topology"
)

func TestMain(m *testing.M) { os.Exit(clustertest.Main(m)) }

// amount is the count of a soak, or a slice of it.
func amount(few, soak int) int {
	if os.Getenv("GEOSHARD_SOAK") == "1" {
		return soak
	}
	return few
}

// theWorld is the declared world of the tests on real processes: a shard of three members and one of five, both at home in New York. The
// five are so placed that Sydney alone is a majority.
const theWorld = `version: 1
datacenters:
  NYC: {name: New York}
  LON: {name: London, role: passive}
  SYD: {name: Sydney, role: passive}
links:
  - {between: [NYC, LON], rtt: 20ms}
  - {between: [NYC, SYD], rtt: 50ms}
  - {between: [LON, SYD], rtt: 66ms}
shards:
  three: {members: [{dc: NYC, priority: 10}, {dc: LON, priority: 5}, {dc: SYD, priority: 1}]}
  five: {members: [{dc: NYC, priority: 10}, {dc: LON, priority: 5}, {dc: SYD, priority: 1}, {dc: SYD, priority: 1}, {dc: SYD, priority: 1}]}
`

// electionTimeout leaves a primary that is cut off time to acknowledge a write, also on a busy machine.
const electionTimeout = 6 * time.Second

// A world is a running cluster with what tests do to it.
type world struct {
	*local.Cluster
}

// TestRealCluster starts one cluster for everything that needs three datacenters.
func TestRealCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: -short leaves out what needs a cluster of three datacenters")
	}
	declared, err := topology.Parse("world.yaml", []byte(theWorld))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	began := time.Now()
	c, err := local.Start(ctx, local.Options{Name: "consistency", Topology: declared, Dir: t.TempDir(), OplogSizeMB: 256, ElectionTimeout: electionTimeout})
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	t.Logf("cluster ready after %s", time.Since(began).Round(10*time.Millisecond))
	w := &world{c}
	t.Run("forecast", func(t *testing.T) { measured(t, w) })
	t.Run("token", func(t *testing.T) { tokens(t, w) })
	t.Run("witness", func(t *testing.T) { witnessed(t, w) })
	t.Run("rollback", func(t *testing.T) { rolledBack(t, w) }) // last: it breaks the network
}

// routed connects to the query router of a datacenter.
func (w *world) routed(t *testing.T, dc topology.DatacenterID, p consistency.Profile, witness *consistency.Witness) *mongo.Client {
	t.Helper()
	uri, err := w.URI(dc)
	if err != nil {
		t.Fatal(err)
	}
	return w.connect(t, dc, p.ClientOptions(dc).ApplyURI(uri), witness)
}

// direct connects to the members of a shard as to a replica set, from a datacenter, past all routers.
func (w *world) direct(t *testing.T, shard topology.ShardID, dc topology.DatacenterID, p consistency.Profile, witness *consistency.Witness) *mongo.Client {
	t.Helper()
	status, err := w.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var hosts []string
	for _, m := range status.Members {
		if m.Shard == shard {
			hosts = append(hosts, m.Host)
		}
	}
	uri := fmt.Sprintf("mongodb://%s/?replicaSet=%s", strings.Join(hosts, ","), shard)
	return w.connect(t, dc, p.ClientOptions(dc).ApplyURI(uri), witness)
}

func (w *world) connect(t *testing.T, dc topology.DatacenterID, o *options.ClientOptions, witness *consistency.Witness) *mongo.Client {
	t.Helper()
	dialer, err := w.Dialer(dc)
	if err != nil {
		t.Fatal(err)
	}
	o.SetDialer(dialer)
	if witness != nil {
		witness.Attach(o)
	}
	client, err := mongo.Connect(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client
}

// at puts a database onto a shard and returns it.
func (w *world) at(t *testing.T, client *mongo.Client, shard topology.ShardID) *mongo.Database {
	t.Helper()
	name := "consistency_" + string(shard)
	err := client.Database("admin").RunCommand(t.Context(), bson.D{{Key: "enableSharding", Value: name}, {Key: "primaryShard", Value: string(shard)}}).Err()
	if err != nil {
		t.Fatal(err)
	}
	return client.Database(name)
}

func lookup(t testing.TB, name string) consistency.Profile {
	t.Helper()
	p, err := consistency.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// inParallel runs the same work several times side by side and returns the first error.
func inParallel(n int, work func(i int) error) error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = work(i) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
