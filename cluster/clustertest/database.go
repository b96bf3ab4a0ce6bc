package clustertest

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// dropWithin bounds the dropping of a test's database.
const dropWithin = time.Minute

// Database returns the name of a new database for a test on the shared cluster, and drops it at the test's end. Nobody else has one of that name: neither
// another package, nor whoever owns the cluster.
func Database(t testing.TB) string {
	t.Helper()
	uri, err := Shared(t).URI(SmallDC)
	if err != nil {
		t.Fatal(err)
	}
	return DatabaseAt(t, uri)
}

// DatabaseAt is Database on another cluster.
func DatabaseAt(t testing.TB, uri string) string {
	t.Helper()
	program := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe"), ".test")
	name := "test_" + program + "_" + strings.ToLower(rand.Text()[:12])
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), dropWithin)
		defer cancel()
		client, err := mongo.Connect(options.Client().ApplyURI(uri))
		if err != nil {
			t.Errorf("drop %s: %v", name, err)
			return
		}
		defer func() { _ = client.Disconnect(ctx) }()
		if err := client.Database(name).Drop(ctx); err != nil {
			t.Errorf("drop %s: %v", name, err)
		}
	})
	return name
}
