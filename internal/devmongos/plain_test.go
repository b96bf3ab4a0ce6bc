package devmongos_test

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

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/internal/devmongos"
	"github.com/geoshard/geoshard/internal/mongobin"
	"github.com/geoshard/geoshard/internal/testkit"
)

// A plainServer is a mongod that knows nothing of sharding, as a replica set of one member. Tests share it.
type plainServer struct {
	client  *mongo.Client
	address string

	once   sync.Once
	server *exec.Cmd
	dir    string
}

// plain is the reference that the cluster is compared with, twin a second one that is compared with it.
var plain, twin plainServer

// startPlain returns plain, and starts it on first use.
func startPlain(t testing.TB) *plainServer {
	t.Helper()
	return plain.start(t)
}

// startTwin returns twin, and starts it on first use.
func startTwin(t testing.TB) *plainServer {
	t.Helper()
	return twin.start(t)
}

func (p *plainServer) start(t testing.TB) *plainServer {
	t.Helper()
	p.once.Do(func() { p.launch(t) })
	if p.client == nil {
		t.Fatal("the plain mongod did not start")
	}
	return p
}

func (p *plainServer) launch(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	tools, err := mongobin.Ensure(ctx, mongobin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if p.dir, err = os.MkdirTemp("", "geoshard-plain-"); err != nil { // not the test's: it outlives the first one
		t.Fatal(err)
	}
	p.address = freeAddress(t)
	log := filepath.Join(p.dir, "mongod.log")
	_, port, _ := net.SplitHostPort(p.address)
	p.server = exec.Command(tools.Mongod, "--dbpath", p.dir, "--port", port, "--bind_ip", "127.0.0.1", "--replSet", "plain", "--logpath", log,
		"--wiredTigerCacheSizeGB", "1", "--oplogSize", "256", "--setParameter", "diagnosticDataCollectionEnabled=false")
	devmongos.EndWithParent(p.server)
	if err := p.server.Start(); err != nil {
		t.Fatalf("start a plain mongod: %v", err)
	}
	initiate(ctx, t, p.address)
	client, err := mongo.Connect(options.Client().ApplyURI(fmt.Sprintf("mongodb://%s/?replicaSet=plain", p.address)))
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Ping(ctx, nil); err != nil {
		text, _ := os.ReadFile(log)
		t.Fatalf("ping the plain mongod: %v\n%s", err, short(string(text)))
	}
	p.client = client
}

// closePlain ends the plain servers that were started.
func closePlain() error {
	var problems []error
	for _, p := range []*plainServer{&plain, &twin} {
		if p.client != nil {
			_ = p.client.Disconnect(context.Background())
		}
		if p.server != nil && p.server.Process != nil {
			problems = append(problems, p.server.Process.Kill())
			_ = p.server.Wait()
		}
		if p.dir != "" {
			problems = append(problems, os.RemoveAll(p.dir))
		}
	}
	return errors.Join(problems...)
}

func initiate(ctx context.Context, t testing.TB, address string) {
	t.Helper()
	direct := connect(t, fmt.Sprintf("mongodb://%s/?directConnection=true", address))
	config := bson.D{{Key: "_id", Value: "plain"}, {Key: "members", Value: bson.A{bson.D{{Key: "_id", Value: 0}, {Key: "host", Value: address}}}}}
	if err := direct.Database("admin").RunCommand(ctx, bson.D{{Key: "replSetInitiate", Value: config}}).Err(); err != nil {
		t.Fatalf("initiate the plain replica set: %v", err)
	}
}

func connect(t testing.TB, uri string) *mongo.Client {
	t.Helper()
	return connectWith(t, options.Client().ApplyURI(uri))
}

func connectWith(t testing.TB, o *options.ClientOptions) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client
}

// freeAddress is a port that nobody listens on now.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
