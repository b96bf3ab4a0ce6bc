//go:build unix

package devmongos

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/internal/testkit"
)

// A shard whose members fall silent after it was drained, and which is removed then, keeps nobody waiting: what the router and its core still
// believe of it is found out in the time of a failover.
func TestSilentShardIsRemoved(t *testing.T) {
	c := startSmall(t, 1)
	client := c.client(t)
	ctx := t.Context()
	admin := client.Database("admin")
	c.shard(t, "removal", "c")
	coll := client.Database("removal").Collection("c")
	fill(t, coll, -1, 1, 101)
	all := func(ctx context.Context) error {
		cursor, err := coll.Find(ctx, bson.D{})
		if err != nil {
			return err
		}
		var docs []bson.D
		return cursor.All(ctx, &docs)
	}
	if err := all(ctx); err != nil {
		t.Fatal(err)
	}
	run := func(cmd bson.D) (state string) {
		t.Helper()
		var answer struct{ State string }
		if err := admin.RunCommand(ctx, cmd).Decode(&answer); err != nil {
			t.Fatalf("%v: %v", cmd, err)
		}
		return answer.State
	}
	run(bson.D{{Key: "addShardToZone", Value: "s0"}, {Key: "zone", Value: "z2"}})
	run(bson.D{{Key: "removeShardFromZone", Value: "s2"}, {Key: "zone", Value: "z2"}})
	c.move(t, "removal.c", 100, "s0")
	run(bson.D{{Key: "removeShard", Value: "s2"}})
	for _, p := range c.shards["s2"].byAddr {
		if err := p.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	testkit.EventuallyNil(t, testkit.Patience, "s2 is removed", func(context.Context) error {
		if state := run(bson.D{{Key: "removeShard", Value: "s2"}}); state != "completed" {
			return errors.New(state)
		}
		return nil
	})
	for _, try := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"find through the core", all},
		{"find at the new owner", func(ctx context.Context) error { return coll.FindOne(ctx, d("k", 101)).Err() }},
		{"insert", func(ctx context.Context) error { _, err := coll.InsertOne(ctx, d("k", 150)); return err }},
		{"update many", func(ctx context.Context) error {
			_, err := coll.UpdateMany(ctx, bson.D{}, d("$set", d("x", 1)))
			return err
		}},
		{"count", func(ctx context.Context) error { _, err := coll.CountDocuments(ctx, bson.D{}); return err }},
		{"aggregate", func(ctx context.Context) error {
			cursor, err := coll.Aggregate(ctx, mongo.Pipeline{{{Key: "$group", Value: d("_id", "$k")}}})
			if err != nil {
				return err
			}
			return cursor.Close(ctx)
		}},
		{"list databases", func(ctx context.Context) error { _, err := client.ListDatabaseNames(ctx, bson.D{}); return err }},
	} {
		began := time.Now()
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		err := try.run(ctx)
		cancel()
		if err != nil {
			t.Errorf("%s: %v after %v", try.name, err, time.Since(began).Round(time.Millisecond))
		}
	}
}
