package consistency_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

func TestMain(m *testing.M) { os.Exit(clustertest.Main(m)) }

// real is the cluster of the tests on real processes: a shard of three members and one of five, both at home in New York. The five are so placed that Sydney
// alone is a majority. Members are killed and datacenters cut off, so it is this package's own.
var real = clustertest.World{
	YAML: `version: 1
datacenters:
  NYC: {name: New York}
  LON: {name: London, role: passive}
  SYD: {name: Sydney, role: passive}
links:
  - {between: [NYC, LON], rtt: 20ms}
  - {between: [NYC, SYD], rtt: 50ms}
  - {between: [LON, SYD], rtt: 66ms}
shards:
  three: {members: [{dc: NYC, priority: 10}, {dc: LON, priority: 5}, {dc: SYD, priority: 0}]}
  five: {members: [{dc: NYC, priority: 10}, {dc: LON, priority: 5}, {dc: SYD, priority: 1}, {dc: SYD, priority: 1}, {dc: SYD, priority: 1}]}
`,
	Options: local.Options{Name: "consistency", OplogSizeMB: 256, WANScale: 1},
}

// A world is a running cluster with what tests do to it.
type world struct {
	*local.Cluster
}

// TestRealCluster has everything that needs three datacenters, on one cluster.
func TestRealCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: -short leaves out what needs a cluster of three datacenters")
	}
	t.Parallel() // another test has a cluster of its own
	w := &world{real.Start(t)}
	// Side by side where they leave each other alone: first what needs a cluster in peace, then what harms three and what lags in five.
	for _, group := range []map[string]func(*testing.T, *world){
		{"forecast": measured, "staleness": tooStale, "snapshot": wholeSums},
		{"token": tokens, "witness": witnessed},
		{"failovers": failovers},
		{"rollback": rolledBack}, // last: it breaks the network
	} {
		t.Run("group", func(t *testing.T) {
			for name, test := range group {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					test(t, w)
				})
			}
		})
	}
}

// routed connects to the query router of a datacenter.
func (w *world) routed(t testing.TB, dc topology.DatacenterID, p consistency.Profile, witness *consistency.Witness) *mongo.Client {
	t.Helper()
	uri, err := w.URI(dc)
	if err != nil {
		t.Fatal(err)
	}
	return w.connect(t, dc, p.ClientOptions(dc).ApplyURI(uri), witness)
}

// direct connects to the members of a shard as to a replica set, from a datacenter, past all routers.
func (w *world) direct(t testing.TB, shard topology.ShardID, dc topology.DatacenterID, p consistency.Profile, witness *consistency.Witness) *mongo.Client {
	t.Helper()
	return w.connect(t, dc, p.ClientOptions(dc).ApplyURI(setURI(w.members(t), shard)), witness)
}

// members asks the cluster until it answers: on a busy machine a single look may time out.
func (w *world) members(t testing.TB) (status cluster.Status) {
	t.Helper()
	testkit.EventuallyNil(t, testkit.Patience, "the members answer", func(ctx context.Context) (err error) {
		status, err = w.Status(ctx)
		return err
	})
	return status
}

func setURI(status cluster.Status, shard topology.ShardID) string {
	var hosts []string
	for _, m := range status.Members {
		if m.Shard == shard {
			hosts = append(hosts, m.Host)
		}
	}
	return fmt.Sprintf("mongodb://%s/?replicaSet=%s", strings.Join(hosts, ","), shard)
}

func (w *world) connect(t testing.TB, dc topology.DatacenterID, o *options.ClientOptions, witness *consistency.Witness) *mongo.Client {
	t.Helper()
	if o.Dialer == nil {
		dialer, err := w.Dialer(dc)
		if err != nil {
			t.Fatal(err)
		}
		o.SetDialer(dialer)
	}
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
func (w *world) at(t testing.TB, client *mongo.Client, shard topology.ShardID) *mongo.Database {
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
	var all errgroup.Group
	for i := range n {
		all.Go(func() error { return work(i) })
	}
	return all.Wait()
}
