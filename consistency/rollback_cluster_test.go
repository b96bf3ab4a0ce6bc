package consistency_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

// rolledBack shows what Check warns of. Sydney, with three of five votes, is cut off; New York and London acknowledge a write "in two datacenters";
// Sydney elects a primary without it; the network heals, and the acknowledged write is gone. Majority reads never showed it, local ones did. In
// the set of three the same write stays.
func rolledBack(t *testing.T, w *world) {
	ctx := t.Context()
	p := lookup(t, "multi-datacenter")
	five, three := w.direct(t, "five", "NYC", p, nil), w.direct(t, "three", "NYC", p, nil)
	durable := options.Collection().SetWriteConcern(writeconcern.Majority())
	before := bson.D{{Key: "_id", Value: "before"}}
	for _, client := range []*mongo.Client{five, three} {
		testkit.EventuallyNil(t, testkit.Patience, "a first write", func(ctx context.Context) error { // past the router, the first one after an election is refused
			// Majority reads wait for a collection that a majority does not have yet.
			_, err := client.Database("rollback").Collection("c", durable).ReplaceOne(ctx, before, before, options.Replace().SetUpsert(true))
			return err
		})
	}
	// Their primary steps down when it has missed a majority for the election timeout: a busy machine has to answer before.
	for _, client := range []*mongo.Client{five, three} {
		setElectionTimeout(t, client, 20*time.Second)
	}
	if err := cluster.Isolate(ctx, w, "SYD"); err != nil {
		t.Fatal(err)
	}
	if err := inParallel(2, func(i int) error {
		_, err := []*mongo.Client{five, three}[i].Database("rollback").Collection("c").InsertOne(ctx, bson.D{{Key: "_id", Value: "acknowledged"}})
		return err
	}); err != nil {
		t.Fatalf("the write that shall be rolled back: %v", err)
	}
	saw, asked := seenOf(t, w, "five", "acknowledged", testkit.Count(t, "reads of each kind in each datacenter", 20, 500))
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
	t.Logf("before it was rolled back, it was seen by %v of %v", saw, asked)
	if asked["majority"] == 0 {
		t.Error("no majority read was answered: the test shows nothing")
	}
	if saw["majority"] > 0 {
		t.Errorf("%d majority reads saw a value that was rolled back later", saw["majority"])
	}
	if saw["local"] == 0 {
		t.Error("no local read saw a value that was rolled back later: the test shows nothing")
	}
	for shard, survives := range map[topology.ShardID]bool{"five": false, "three": true} {
		if has := contains(got[shard], "acknowledged"); has != survives {
			t.Errorf("%s: the acknowledged write is there: %v, want %v", shard, has, survives)
		}
		if warned := warns(consistency.Check(p, w.Topology()), shard, "rollback"); warned == survives {
			t.Errorf("%s: Check warns: %v, want %v", shard, warned, !survives)
		}
	}
}

// setElectionTimeout changes it for the set of a client.
func setElectionTimeout(t *testing.T, client *mongo.Client, timeout time.Duration) {
	t.Helper()
	admin := client.Database("admin", options.Database().SetWriteConcern(writeconcern.Majority()))
	var answer struct {
		Config struct {
			Version  int32
			Settings bson.M
			Rest     bson.M `bson:",inline"`
		}
	}
	if err := admin.RunCommand(t.Context(), bson.D{{Key: "replSetGetConfig", Value: 1}}).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	answer.Config.Version++
	answer.Config.Settings["electionTimeoutMillis"] = timeout.Milliseconds()
	if err := admin.RunCommand(t.Context(), bson.D{{Key: "replSetReconfig", Value: answer.Config}}).Err(); err != nil {
		t.Fatalf("an election timeout of %s: %v", timeout, err)
	}
}

// seenOf counts, by read concern, the reads from members in New York and London that are answered, and those that see a document (S2.45). Some are not
// answered: the primary is about to step down.
func seenOf(t *testing.T, w *world, shard topology.ShardID, id string, reads int) (saw, answered map[string]int) {
	t.Helper()
	saw, answered = map[string]int{}, map[string]int{}
	for _, concern := range []string{"local", "majority"} {
		for _, dc := range []topology.DatacenterID{"NYC", "LON"} {
			p := lookup(t, "local-fast")
			p.Read.Concern = concern
			coll := w.direct(t, shard, dc, p, nil).Database("rollback").Collection("c")
			for range reads {
				err := coll.FindOne(t.Context(), bson.D{{Key: "_id", Value: id}}).Err()
				if err == nil {
					saw[concern]++
				}
				if ignoreMissing(err) == nil {
					answered[concern]++
				}
			}
		}
	}
	return saw, answered
}

// awaitPrimary waits until the shard has a primary in the datacenter.
func awaitPrimary(t *testing.T, w *world, shard topology.ShardID, dc topology.DatacenterID) {
	t.Helper()
	clustertest.Await(t, w, fmt.Sprintf("a primary of %s in %s", shard, dc), func(s cluster.Status) bool {
		return slices.ContainsFunc(s.Members, func(m cluster.Member) bool {
			return m.Shard == shard && m.Datacenter == dc && m.Role == cluster.RolePrimary
		})
	})
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
