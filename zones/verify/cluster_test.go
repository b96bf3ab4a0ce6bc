package verify_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/verify"
)

// declared is three datacenters, each the home of a shard and a copy of all.
const declared = `version: 1
datacenters:
  NYC: {name: New York}
  LON: {name: London}
  SYD: {name: Sydney}
links:
  - {between: [NYC, LON], rtt: 76ms}
  - {between: [NYC, SYD], rtt: 200ms}
  - {between: [LON, SYD], rtt: 265ms}
shards:
  nyc: {members: [{dc: NYC, priority: 10}, {dc: LON, priority: 5}, {dc: SYD, priority: 0}]}
  lon: {members: [{dc: LON, priority: 10}, {dc: NYC, priority: 5}, {dc: SYD, priority: 0}]}
  syd: {members: [{dc: SYD, priority: 10}, {dc: LON, priority: 5}, {dc: NYC, priority: 0}]}
zones:
  NYC: {shards: [nyc]}
  LON: {shards: [lon]}
  SYD: {shards: [syd]}
`

var (
	datacenters = []topology.DatacenterID{"NYC", "LON", "SYD"}
	shards      = []topology.ShardID{"nyc", "lon", "syd"}
)

func TestMain(m *testing.M) { os.Exit(clustertest.Main(m)) }

// world is the cluster of this test binary. It asks for logins, as those do where a proof is wanted.
var world = clustertest.World{YAML: declared, Options: local.Options{Name: "verify", Auth: true}}

// An opened is the cluster with a client of its router.
type opened struct {
	*local.Cluster
	router *mongo.Client
}

func start(t testing.TB) opened {
	t.Helper()
	c := world.Start(t)
	uri, err := c.SecretURI("NYC")
	return opened{c, connect(t, uri, err)}
}

func connect(t testing.TB, uri string, err error) *mongo.Client {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client
}

// member connects to one member directly.
func (s opened) member(t testing.TB, name string) *mongo.Client {
	t.Helper()
	uri, err := s.SecretMemberURI(name)
	return connect(t, uri, err)
}

// primary connects to the member that is primary of a shard while nothing is broken.
func (s opened) primary(t testing.TB, shard topology.ShardID) *mongo.Client {
	t.Helper()
	return s.member(t, string(shard)+"/"+strings.ToUpper(string(shard)))
}

// login is how members of the cluster are connected to.
func (s opened) login(t testing.TB) *options.ClientOptions {
	t.Helper()
	uri, err := s.SecretMemberURI("nyc/NYC")
	if err != nil {
		t.Fatal(err)
	}
	return options.Client().ApplyURI(uri)
}

// admin runs an administrative command through the router.
func (s opened) admin(t testing.TB, cmd bson.D) {
	t.Helper()
	if err := s.router.Database("admin").RunCommand(t.Context(), cmd).Err(); err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
}

// declare is the cluster's topology with namespaces of its own.
func (s opened) declare(namespaces ...topology.Namespace) *topology.Topology {
	w := *s.Topology()
	w.Namespaces = namespaces
	return &w
}

// carts is a namespace whose zones are those of the same name as its values.
func carts(name string) topology.Namespace {
	return topology.Namespace{Name: name, Key: topology.Key{{Name: "dc"}, {Name: "id"}}, ZoneBy: "dc", Unknown: topology.UnknownReport}
}

// place shards a collection by {dc, id} with a tight range for each datacenter.
func (s opened) place(t testing.TB, ns string, second any) {
	t.Helper()
	for i, dc := range datacenters {
		s.admin(t, bson.D{{Key: "addShardToZone", Value: shards[i]}, {Key: "zone", Value: dc}})
		s.admin(t, bson.D{{Key: "updateZoneKeyRange", Value: ns}, {Key: "min", Value: key(string(dc), bson.MinKey{})},
			{Key: "max", Value: key(string(dc)+"\x00", bson.MinKey{})}, {Key: "zone", Value: dc}})
	}
	s.admin(t, bson.D{{Key: "shardCollection", Value: ns}, {Key: "key", Value: key(1, second)}})
}

func key(dc, id any) bson.D { return bson.D{{Key: "dc", Value: dc}, {Key: "id", Value: id}} }

func (s opened) insert(t testing.TB, client *mongo.Client, ns string, docs ...any) {
	t.Helper()
	db, coll, _ := strings.Cut(ns, ".")
	// Every member has them when this returns, so that all of them can be counted. The driver repeats it if the shard elects a primary just then.
	all := options.Collection().SetWriteConcern(&writeconcern.WriteConcern{W: 3})
	if _, err := client.Database(db).Collection(coll, all).InsertMany(t.Context(), docs); err != nil {
		t.Fatalf("insert into %s: %v", ns, err)
	}
}

func (s opened) verify(t testing.TB, w *topology.Topology, o verify.Options) *verify.Report {
	t.Helper()
	if o.ShardClient == nil {
		o.ShardClient = s.login(t)
	}
	r, err := verify.Verify(t.Context(), s.router, w, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", *r)
	return r
}
