package devmongos_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/internal/devmongos"
	"github.com/geoshard/geoshard/internal/mongobin"
)

// startPlain starts a plain mongod and connects to it as a driver does.
func startPlain(t testing.TB) *mongo.Client {
	t.Helper()
	return startPlainServer(t).client
}

// A plainServer is a mongod that knows nothing of sharding, as a replica set of one member.
type plainServer struct {
	client  *mongo.Client
	address string
}

// startPlainServer starts one. It ends with the test.
func startPlainServer(t testing.TB) plainServer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir, address := t.TempDir(), freeAddress(t)
	log := filepath.Join(dir, "mongod.log")
	_, port, _ := net.SplitHostPort(address)
	tools, err := mongobin.Ensure(ctx, mongobin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command(tools.Mongod, "--dbpath", dir, "--port", port, "--bind_ip", "127.0.0.1", "--replSet", "plain", "--logpath", log,
		"--wiredTigerCacheSizeGB", "1", "--oplogSize", "256", "--setParameter", "diagnosticDataCollectionEnabled=false")
	devmongos.EndWithParent(server)
	if err := server.Start(); err != nil {
		t.Fatalf("start a plain mongod: %v", err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	initiate(ctx, t, address)
	client := connect(t, fmt.Sprintf("mongodb://%s/?replicaSet=plain", address))
	if err := client.Ping(ctx, nil); err != nil {
		text, _ := os.ReadFile(log)
		t.Fatalf("ping the plain mongod: %v\n%s", err, short(string(text)))
	}
	return plainServer{client, address}
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
