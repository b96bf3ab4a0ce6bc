package consistency_test

import (
	"context"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/topology"
)

// rolledBack shows what Check warns of. Sydney, with three of five votes, is cut off; New York and London acknowledge a write "in two datacenters";
// Sydney elects a primary without it; the network heals, and the acknowledged write is gone. In the set of three the same write stays.
func rolledBack(t *testing.T, w *world) {
	ctx := t.Context()
	p := lookup(t, "multi-datacenter")
	p.Timeout = 5 * time.Second
	five, three := w.direct(t, "five", "NYC", p, nil), w.direct(t, "three", "NYC", p, nil)
	for _, client := range []*mongo.Client{five, three} {
		if _, err := client.Database("rollback").Collection("c").InsertOne(ctx, bson.D{{Key: "_id", Value: "before"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Isolate(ctx, "SYD"); err != nil {
		t.Fatal(err)
	}
	for _, client := range []*mongo.Client{five, three} { // the five first: their primary steps down when it has missed a majority for the election timeout
		if _, err := client.Database("rollback").Collection("c").InsertOne(ctx, bson.D{{Key: "_id", Value: "acknowledged"}}); err != nil {
			t.Fatal(err)
		}
	}
	awaitPrimary(t, w, "five", "SYD")
	// The new primary is writable, and the old one's entries are no part of its history, when it has given up asking the others for what it may
	// have missed. Healed before, it would find the write.
	alone := lookup(t, "durable")
	alone.Timeout = time.Minute
	if err := w.direct(t, "five", "SYD", alone, nil).Ping(ctx, readpref.Primary()); err != nil {
		t.Fatal(err)
	}
	if err := w.Heal(ctx); err != nil {
		t.Fatal(err)
	}
	awaitPrimary(t, w, "five", "NYC") // by its priority, once it has caught up
	got := map[topology.ShardID][]string{"five": ids(t, w, "five"), "three": ids(t, w, "three")}
	t.Logf("acknowledged by two datacenters; of five votes there are now %q, of three %q", got["five"], got["three"])
	for shard, survives := range map[topology.ShardID]bool{"five": false, "three": true} {
		if has := contains(got[shard], "acknowledged"); has != survives {
			t.Errorf("%s: the acknowledged write is there: %v, want %v", shard, has, survives)
		}
		if warned := warns(consistency.Check(p, w.Topology()), shard, "rollback"); warned == survives {
			t.Errorf("%s: Check warns: %v, want %v", shard, warned, !survives)
		}
	}
}

// awaitPrimary waits until the shard has exactly one primary and it is in the datacenter.
func awaitPrimary(t *testing.T, w *world, shard topology.ShardID, dc topology.DatacenterID) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		status, err := w.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range status.Members {
			if m.Shard == shard && m.Datacenter == dc && m.Role.String() == "primary" {
				return
			}
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("no primary of %s in %s: %+v", shard, dc, status.Members)
		}
	}
}

func ids(t *testing.T, w *world, shard topology.ShardID) []string {
	t.Helper()
	found, err := w.direct(t, shard, "NYC", lookup(t, "strict"), nil).Database("rollback").Collection("c").Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var docs []struct {
		ID string `bson:"_id"`
	}
	if err := found.All(t.Context(), &docs); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, d := range docs {
		ids = append(ids, d.ID)
	}
	return ids
}
