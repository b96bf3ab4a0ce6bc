package container_test

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/container"
	"github.com/geoshard/geoshard/internal/dockertest"
)

func TestTheDocumentedExampleRuns(t *testing.T) {
	t.Parallel()
	dockertest.Image(t, dockertest.Client(t)) // from here on the environment names it
	OrdersOutliveADatacenter(t)
}

// The rest of this file, up to the last test, is in docs/containers.md, word for word.

func OrdersOutliveADatacenter(t *testing.T) {
	ctx := t.Context()
	c, err := container.Run(ctx,
		container.WithPreset("nyc-lon-syd"),
		container.WithImage(cmp.Or(os.Getenv("GEOSHARD_TEST_IMAGE"), "mongo:8")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })

	uri, err := c.URI("LON") // the query router of London's clients
	if err != nil {
		t.Fatal(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	orders := client.Database("shop").Collection("orders", options.Collection().SetWriteConcern(writeconcern.Majority()))

	if _, err := orders.InsertOne(ctx, bson.D{{Key: "_id", Value: "before"}}); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Isolate(ctx, c, "NYC"); err != nil { // New York is cut off; London and Sydney are a majority
		t.Fatal(err)
	}
	// Until there are new primaries, of a shard and of the config servers, an application tries again: here for a minute.
	for until := time.Now().Add(time.Minute); ; {
		_, err := orders.InsertOne(ctx, bson.D{{Key: "_id", Value: "during"}})
		if err == nil || mongo.IsDuplicateKeyError(err) { // an attempt without an answer may have been carried out
			break
		}
		if time.Now().After(until) {
			t.Fatal(err)
		}
	}
	if err := c.Heal(ctx); err != nil {
		t.Fatal(err)
	}
	n, err := orders.CountDocuments(ctx, bson.D{})
	if err != nil || n != 2 {
		t.Fatalf("got %d orders (%v), want both", n, err)
	}
}

// What is documented is what runs.
func TestTheDocumentedExampleIsThisOne(t *testing.T) {
	here, err := os.ReadFile("usage_test.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "containers.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(here), "word for word.\n\n")
	example, _, _ = strings.Cut(example, "\n// What is documented")
	example = strings.Replace(example, "func Orders", "func TestOrders", 1)
	if len(example) < 500 || !strings.Contains(string(page), example) {
		t.Errorf("docs/containers.md does not hold this example:\n%s", example)
	}
}
