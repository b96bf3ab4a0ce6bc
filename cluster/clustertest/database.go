package clustertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// databaseWithin bounds one thing that is done with a database, such as to drop it.
const databaseWithin = time.Minute

// Claim takes a database whose name is part of what a test says, and drops it at the test's end. Where it has collections already the test ends at once and leaves
// them alone: they are somebody's, or a test was killed.
func Claim(t testing.TB, uri, database string) {
	t.Helper()
	err := withDatabase(uri, database, func(ctx context.Context, db *mongo.Database) error {
		found, err := db.ListCollectionNames(ctx, bson.D{})
		if err == nil && len(found) > 0 {
			err = fmt.Errorf("it has the collections %s: drop it if it is no longer needed", strings.Join(found, ", "))
		}
		return err
	})
	if err != nil {
		t.Fatalf("claim the database %s: %v", database, err)
	}
	t.Cleanup(func() {
		err := withDatabase(uri, database, func(ctx context.Context, db *mongo.Database) error { return db.Drop(ctx) })
		if err != nil {
			t.Errorf("drop the database %s: %v", database, err)
		}
	})
}

// withDatabase does one thing with a database on a connection of its own: a test's client may be closed by then.
func withDatabase(uri, name string, do func(context.Context, *mongo.Database) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), databaseWithin)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, client.Database(name)), client.Disconnect(ctx))
}
