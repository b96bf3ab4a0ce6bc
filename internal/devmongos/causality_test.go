package devmongos_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

const (
	causalWriters = 16
	// causalLag is what one secondary of each shard is behind. A causal read that meets it waits that long.
	causalLag = 250 * time.Millisecond
	// readsPerWrite follow each write of a session: two of its own document, and two of one that another session writes.
	readsPerWrite = 4
	// looseReads are made without causal sessions: so many that both kinds of violation are among them.
	looseReads = 600
)

// TestCausality reads from secondaries, of which one in each shard lags, in causal sessions: nobody reads less than he wrote or has read
// before. The same through devmongos and on a replica set to which the driver is connected directly; and the same without
// causal sessions, where it must go wrong, or the test could not find anything.
func TestCausality(t *testing.T) {
	ctx := t.Context()
	c := startWorld(t)
	for i, dc := range []topology.DatacenterID{"LON", "SYD", place} { // each is a secondary: the shards' homes are NYC, LON, SYD
		if err := c.SetLag(ctx, fmt.Sprintf("%s/%s", c.shards[i], dc), causalLag); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := c.Heal(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
	c.spreadCausal(ctx, t, "causal", "loose")
	reads := testkit.Count(t, "causal reads on each", 300, 20_000)
	for _, target := range []struct {
		name    string
		clients []*mongo.Client
	}{
		{"devmongos", []*mongo.Client{c.at(t, worldDatacenters[0]), c.at(t, worldDatacenters[1]), c.at(t, worldDatacenters[2])}},
		{"replica set", []*mongo.Client{c.replicaSet(t, c.shards[0])}},
	} {
		t.Run(target.name, func(t *testing.T) {
			without := observe(ctx, t, target.clients, "loose", looseReads, false)
			with := observe(ctx, t, target.clients, "causal", reads, true)
			t.Logf("causal sessions: %s", with)
			t.Logf("without: %s", without)
			if with.reads < reads || with.ownWrites+with.backwards > 0 {
				t.Errorf("causal sessions: %s, want no violation in %d reads", with, reads)
			}
			if without.ownWrites == 0 || without.backwards == 0 {
				t.Errorf("without causal sessions: %s, want violations of both kinds", without)
			}
		})
	}
}

// An observation counts reads and the violations among them.
type observation struct {
	reads int
	// ownWrites are reads that returned less than the session had written, backwards those that returned less than it had read.
	ownWrites, backwards int
	slowest              time.Duration
}

func (o observation) String() string {
	return fmt.Sprintf("%d reads, %d did not see the session's own write, %d went back, slowest %v", o.reads, o.ownWrites, o.backwards, o.slowest.Round(time.Millisecond))
}

// observe makes that many reads by writers side by side, each with documents of its own.
func observe(ctx context.Context, t *testing.T, clients []*mongo.Client, collection string, reads int, causal bool) (sum observation) {
	t.Helper()
	rounds := (reads + causalWriters*readsPerWrite - 1) / (causalWriters * readsPerWrite)
	seedCausal(ctx, t, clients[0], collection)
	c := &causalRun{collection: collection, rounds: rounds, causal: causal}
	var all sync.WaitGroup
	results, failures := make([]observation, causalWriters), make([]error, causalWriters)
	for i := range causalWriters {
		all.Go(func() { results[i], failures[i] = c.session(ctx, clients[i%len(clients)], i) })
	}
	all.Wait()
	if err := errors.Join(failures...); err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		sum.reads += r.reads
		sum.ownWrites += r.ownWrites
		sum.backwards += r.backwards
		sum.slowest = max(sum.slowest, r.slowest)
	}
	return sum
}

// seedCausal gives a collection the documents that sessions write to.
func seedCausal(ctx context.Context, t *testing.T, client *mongo.Client, collection string) *mongo.Collection {
	t.Helper()
	var docs []any
	for i := range causalWriters {
		docs = append(docs, causalDocument(i, 0))
	}
	coll := client.Database("causal").Collection(collection, options.Collection().SetWriteConcern(writeconcern.Majority()))
	if _, err := coll.DeleteMany(ctx, bson.D{}); err != nil {
		t.Fatal(err)
	}
	if _, err := coll.InsertMany(ctx, docs); err != nil {
		t.Fatal(err)
	}
	return coll
}

// causalDocument lies on the shard i mod 3 where there are shards.
func causalDocument(i, n int) bson.D {
	return d("_id", i, "k", int32(i%3*1000+i), "n", n)
}

type causalRun struct {
	collection string
	rounds     int
	causal     bool
}

// session writes the numbers 1, 2, 3… into one document, and reads that and its neighbour's after each.
func (c *causalRun) session(ctx context.Context, client *mongo.Client, id int) (observation, error) {
	session, err := client.StartSession(options.Session().SetCausalConsistency(c.causal))
	if err != nil {
		return observation{}, err
	}
	defer session.EndSession(context.WithoutCancel(ctx))
	ctx = mongo.NewSessionContext(ctx, session)
	coll := client.Database("causal").Collection(c.collection, options.Collection().SetWriteConcern(writeconcern.Majority()).
		SetReadConcern(readconcern.Majority()).SetReadPreference(readpref.Secondary()))
	var seen memory
	neighbour := (id + 1) % causalWriters
	for n := 1; n <= c.rounds; n++ {
		key := causalDocument(id, 0)[:2]
		if err := exactlyOne(coll.UpdateOne(ctx, key, d("$set", d("n", n)))); err != nil {
			return seen.observation, fmt.Errorf("write %d of session %d: %w", n, id, err)
		}
		seen.wrote(id, n)
		for i := range readsPerWrite {
			whose := id
			if i%2 == 1 {
				whose = neighbour
			}
			var got struct{ N int }
			began := time.Now()
			err := coll.FindOne(ctx, causalDocument(whose, 0)[:2]).Decode(&got)
			seen.slowest = max(seen.slowest, time.Since(began))
			if err != nil && !(errors.Is(err, mongo.ErrNoDocuments) && !c.causal) {
				return seen.observation, fmt.Errorf("read of session %d: %w", id, err)
			}
			seen.read(whose, got.N)
		}
	}
	return seen.observation, nil
}

// A memory is what a session knows: the highest numbers that it wrote and read in each document.
type memory struct {
	observation
	written, highest [causalWriters]int
}

func (m *memory) wrote(id, n int) { m.written[id] = n }

func (m *memory) read(id, n int) {
	m.reads++
	if n < m.written[id] {
		m.ownWrites++
	}
	if n < m.highest[id] {
		m.backwards++
	}
	m.highest[id] = max(m.highest[id], n)
}

// spreadCausal shards collections by k, a third on each shard.
func (c *testCluster) spreadCausal(ctx context.Context, t *testing.T, collections ...string) {
	t.Helper()
	must := func(command bson.D) {
		t.Helper()
		if err := c.admin(ctx, command); err != nil {
			t.Fatalf("%s: %v", text(command), err)
		}
	}
	must(d("balancerStop", 1))
	c.dropDatabase(ctx, t, "causal")
	must(d("enableSharding", "causal"))
	for i, shard := range c.shards {
		must(d("addShardToZone", shard, "zone", zoneName(i)))
	}
	for _, name := range collections {
		for i, r := range between("k", bson.MinKey{}, int32(1000), int32(2000), bson.MaxKey{}) {
			must(d("updateZoneKeyRange", "causal."+name, "min", r[0], "max", r[1], "zone", zoneName(i)))
		}
		must(d("shardCollection", "causal."+name, "key", d("k", 1)))
		c.checkSpread(ctx, t, "causal."+name)
	}
}

// replicaSet connects to all members of a shard as a driver does to a replica set, past the routers.
func (c *testCluster) replicaSet(t *testing.T, shard topology.ShardID) *mongo.Client {
	t.Helper()
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var hosts []string
	for _, m := range status.Members {
		if m.Shard == shard {
			hosts = append(hosts, m.Host)
		}
	}
	// Both secondaries are asked, however late one seemed to be when the driver measured: who always asks the same one never reads less than before.
	return connect(t, fmt.Sprintf("mongodb://%s/?replicaSet=%s&localThresholdMS=60000", strings.Join(hosts, ","), shard))
}
