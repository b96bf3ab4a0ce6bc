package clients_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/internal/mongobin"
)

// startTimeout bounds the start of a replica set or a cluster on a busy machine.
const startTimeout = 3 * time.Minute

// plainName is the name of the plain replica sets.
const plainName = "plain"

// A plainSet is a replica set that knows nothing of sharding: what the clients see there is what they have to see through a query router.
type plainSet struct {
	hosts   []string
	servers map[string]*exec.Cmd
}

// startPlain starts a replica set with the given number of members, which ends with the test.
func startPlain(t *testing.T, members int) *plainSet {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	tools, err := mongobin.Ensure(ctx, mongobin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &plainSet{servers: map[string]*exec.Cmd{}}
	for range members {
		s.start(t, tools.Mongod)
	}
	s.initiate(ctx, t)
	return s
}

func (s *plainSet) start(t *testing.T, mongod string) {
	t.Helper()
	dir, host := t.TempDir(), freeAddress(t)
	_, port, _ := net.SplitHostPort(host)
	server := exec.Command(mongod, "--dbpath", dir, "--port", port, "--bind_ip", "127.0.0.1", "--replSet", plainName, "--logpath", filepath.Join(dir, "log"),
		"--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "256", "--setParameter", "diagnosticDataCollectionEnabled=false")
	if err := server.Start(); err != nil {
		t.Fatalf("start a plain mongod: %v", err)
	}
	kill := sync.OnceFunc(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	t.Cleanup(kill)
	s.hosts = append(s.hosts, host)
	s.servers[host] = server
}

// initiate makes the members one set and returns when its primary takes writes.
func (s *plainSet) initiate(ctx context.Context, t *testing.T) {
	t.Helper()
	members := bson.A{}
	for i, host := range s.hosts {
		// Two of three stand for election, so that no vote is split.
		members = append(members, bson.D{{Key: "_id", Value: i}, {Key: "host", Value: host}, {Key: "priority", Value: max(0, 2-i)}})
	}
	config := bson.D{{Key: "_id", Value: plainName}, {Key: "members", Value: members}, {Key: "settings", Value: bson.D{{Key: "electionTimeoutMillis", Value: 2000}}}}
	for _, host := range s.hosts {
		// Initiating asks every member, and fails if one does not listen yet.
		if err := dial(t, "mongodb://"+host+"/?directConnection=true").Ping(ctx, nil); err != nil {
			t.Fatalf("wait for %s: %v", host, err)
		}
	}
	direct := dial(t, "mongodb://"+s.hosts[0]+"/?directConnection=true")
	if err := direct.Database("admin").RunCommand(ctx, bson.D{{Key: "replSetInitiate", Value: config}}).Err(); err != nil {
		t.Fatalf("initiate the plain replica set: %v", err)
	}
	if err := dial(t, s.URI()).Ping(ctx, nil); err != nil {
		t.Fatalf("wait for a primary of the plain replica set: %v", err)
	}
}

// URI is the set's connection string.
func (s *plainSet) URI() string {
	return fmt.Sprintf("mongodb://%s/?replicaSet=%s", strings.Join(s.hosts, ","), plainName)
}

// primary returns the host of the member that is primary now.
func (s *plainSet) primary(ctx context.Context, t *testing.T) string {
	t.Helper()
	var hello struct{ Primary string }
	if err := dial(t, s.URI()).Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		t.Fatalf("ask for the primary: %v", err)
	}
	return hello.Primary
}

// killPrimary ends the primary with SIGKILL, and returns when another member is primary.
func (s *plainSet) killPrimary(ctx context.Context, t *testing.T) {
	t.Helper()
	killed := s.primary(ctx, t)
	server := s.servers[killed]
	if server == nil {
		t.Fatalf("the primary %q is none of %v", killed, s.hosts)
	}
	if err := server.Process.Kill(); err != nil {
		t.Fatalf("kill %s: %v", killed, err)
	}
	if now := s.primary(ctx, t); now == killed {
		t.Fatalf("%s is still primary after it was killed", killed)
	}
	t.Logf("killed the primary %s", killed)
}

func dial(t *testing.T, uri string) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(startTimeout))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Saying goodbye to a member that was killed would wait for it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Second)
		defer cancel()
		_ = client.Disconnect(ctx)
	})
	return client
}

// freeAddress is one that nobody listens on now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// enabled reads a switch from the environment.
func enabled(variable string) bool { return os.Getenv(variable) == "1" }
