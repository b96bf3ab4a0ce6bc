package containers

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

const (
	port = "27017"
	// startTimeout bounds the start of one mongod in a container.
	startTimeout = time.Minute
	// electionTimeout is the set's own; short, so that the test of a failover is.
	electionTimeout = 2 * time.Second
	// settleTimeout bounds the wait for a primary: several elections on a busy machine.
	settleTimeout = time.Minute
)

// A replicaSet is a set of containers that know each other by their names in Docker's network.
type replicaSet struct {
	api   client.APIClient
	ids   map[string]string // member -> container
	ports map[string]string // member -> address on this machine
}

// DialContext connects to a member by the name that the set knows it by. The driver asks it for every connection.
func (s *replicaSet) DialContext(ctx context.Context, proto, address string) (net.Conn, error) {
	here, ok := s.ports[address]
	if !ok {
		return nil, fmt.Errorf("dial %s: not a member of the set", address)
	}
	return new(net.Dialer).DialContext(ctx, proto, here)
}

// startMember runs one mongod. It is removed when the test ends, in whatever way.
func startMember(ctx context.Context, t *testing.T, api client.APIClient, image string, nw *testcontainers.DockerNetwork, name string) *testcontainers.DockerContainer {
	t.Helper()
	c, err := testcontainers.Run(ctx, image,
		testcontainers.WithCmd("mongod", "--replSet", "rs", "--bind_ip_all", "--port", port,
			"--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64", "--setParameter", "diagnosticDataCollectionEnabled=false"),
		testcontainers.WithLabels(labels()), testcontainers.WithExposedPorts(port+"/tcp"), network.WithNetwork([]string{name}, nw),
		testcontainers.WithWaitStrategyAndDeadline(startTimeout, wait.ForLog("Waiting for connections")))
	if c != nil { // also a container that did not come up is there
		t.Cleanup(func() { removeContainer(t, api, c.GetContainerID()) })
	}
	if err != nil {
		t.Fatalf("start member %s: %v", name, err)
	}
	return c
}

// startReplicaSet starts the members and initiates the set.
func startReplicaSet(t *testing.T, members ...string) *replicaSet {
	t.Helper()
	ctx := t.Context()
	api, image := docker(t)
	start := time.Now()
	defer func() {
		t.Logf("image %s: %d members initiated in %v", image, len(members), time.Since(start).Round(time.Millisecond))
	}()
	nw := newNetwork(ctx, t)
	s := &replicaSet{api: api, ids: map[string]string{}, ports: map[string]string{}}
	var config bson.A
	for i, name := range members {
		c := startMember(ctx, t, api, image, nw, name)
		endpoint, err := c.PortEndpoint(ctx, port+"/tcp", "")
		if err != nil {
			t.Fatalf("port of %s: %v", name, err)
		}
		address := net.JoinHostPort(name, port)
		s.ids[address], s.ports[address] = c.GetContainerID(), endpoint
		config = append(config, bson.D{{Key: "_id", Value: i}, {Key: "host", Value: address}})
	}
	first := s.connect(t, "mongodb://"+net.JoinHostPort(members[0], port)+"/?directConnection=true")
	defer disconnect(t, first) // before that member is killed: it would wait for it to end its sessions there
	err := first.Database("admin").RunCommand(ctx, bson.D{{Key: "replSetInitiate", Value: bson.D{{Key: "_id", Value: "rs"}, {Key: "members", Value: config},
		{Key: "settings", Value: bson.D{{Key: "electionTimeoutMillis", Value: electionTimeout.Milliseconds()}}}}}}).Err()
	if err != nil {
		t.Fatalf("initiate: %v", err)
	}
	return s
}

func (s *replicaSet) connect(t *testing.T, uri string) *mongo.Client {
	t.Helper()
	c, err := mongo.Connect(options.Client().ApplyURI(uri).SetDialer(s).SetServerSelectionTimeout(settleTimeout))
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	return c
}

func disconnect(t *testing.T, c *mongo.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), cleanUpTimeout)
	defer cancel()
	if err := c.Disconnect(ctx); err != nil {
		t.Errorf("disconnect: %v", err)
	}
}

// primary returns the member that accepts writes; the driver waits until there is one.
func primary(ctx context.Context, t *testing.T, c *mongo.Client) string {
	t.Helper()
	var hello struct {
		Me                string `bson:"me"`
		IsWritablePrimary bool   `bson:"isWritablePrimary"`
	}
	if err := c.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil || !hello.IsWritablePrimary {
		t.Fatalf("ask the primary: %+v, %v", hello, err)
	}
	return hello.Me
}

// A set of three elects a primary, acknowledges majority writes, loses the primary's container, elects another one and still has everything.
func TestReplicaSetSurvivesThePrimarysContainer(t *testing.T) {
	s := startReplicaSet(t, "m0", "m1", "m2")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := s.connect(t, "mongodb://m0:27017,m1:27017,m2:27017/?replicaSet=rs")
	defer disconnect(t, c)
	carts := c.Database("shop").Collection("carts", options.Collection().SetWriteConcern(writeconcern.Majority()).SetReadConcern(readconcern.Majority()))

	const each = 100
	insert := func(from int) {
		t.Helper()
		start := time.Now()
		defer func() { t.Logf("%d majority writes in %v", each, time.Since(start).Round(time.Millisecond)) }()
		for i := from; i < from+each; i++ {
			if _, err := carts.InsertOne(ctx, bson.D{{Key: "_id", Value: i}}); err != nil {
				t.Fatalf("insert %d: %v", i, err)
			}
		}
	}
	insert(0)
	before := primary(ctx, t, c)
	t.Logf("primary %s", before)

	if _, err := s.api.ContainerKill(ctx, s.ids[before], client.ContainerKillOptions{Signal: "SIGKILL"}); err != nil {
		t.Fatalf("kill %s: %v", before, err)
	}
	insert(each)
	after := primary(ctx, t, c)
	t.Logf("primary %s", after)
	if after == before {
		t.Errorf("the primary is still %s, whose container was killed", before)
	}
	n, err := carts.CountDocuments(ctx, bson.D{})
	if err != nil || n != 2*each {
		t.Errorf("got %d documents (%v), want each of the %d acknowledged writes once", n, err, 2*each)
	}
}
