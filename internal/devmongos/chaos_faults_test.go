package devmongos_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

// moveWithin bounds one move of a chunk.
const moveWithin = time.Minute

// A mover moves chunks of some collections in turn until its context ends, and counts what it did.
type mover struct {
	cluster    *testCluster
	namespaces []string
	logf       func(string, ...any)

	// moving is held while a chunk moves.
	moving sync.Mutex

	mu       sync.Mutex // guards following
	moves    map[string]int
	refusals map[string]int
}

func newMover(c *testCluster, logf func(string, ...any), namespaces ...string) *mover {
	return &mover{cluster: c, namespaces: namespaces, logf: logf, moves: map[string]int{}, refusals: map[string]int{}}
}

// run moves a random chunk to a random other shard, over and over. A move that meets a killed primary, a transaction that is open for long or an unfinished
// move is refused; that is no fault of anybody.
func (m *mover) run(ctx context.Context, c chance) {
	for i := 0; ctx.Err() == nil; i++ {
		ns := m.namespaces[i%len(m.namespaces)]
		if err := m.move(ctx, c, ns); err != nil {
			m.refuse(ctx, err)
			continue
		}
		m.mu.Lock()
		m.moves[ns]++
		m.mu.Unlock()
	}
}

func (m *mover) move(ctx context.Context, c chance, ns string) error {
	chunk, err := m.anyChunk(ctx, c, ns)
	if err != nil {
		return err
	}
	to := string(pickOf(c, m.cluster.shards))
	for to == chunk.Shard {
		to = string(pickOf(c, m.cluster.shards))
	}
	command := d("moveRange", ns, "min", chunk.Min, "toShard", to)
	if c.percent(50) {
		command = d("moveChunk", ns, "bounds", bson.A{chunk.Min, chunk.Max}, "to", to)
	}
	m.moving.Lock()
	defer m.moving.Unlock()
	ctx, cancel := context.WithTimeout(ctx, moveWithin)
	defer cancel()
	return m.cluster.admin(ctx, command)
}

func (m *mover) refuse(ctx context.Context, err error) {
	// In its last milliseconds the driver does not even try: nothing was refused then.
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	code := codeOf(err)
	if m.refusals[code]++; m.refusals[code] == 1 {
		m.logf("move refused: %v", err)
	}
}

func (m *mover) moved(ns string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.moves[ns]
}

// goesOn waits until a chunk of each collection has moved once more.
func (m *mover) goesOn(t *testing.T) {
	t.Helper()
	for _, ns := range m.namespaces {
		before := m.moved(ns)
		testkit.Eventually(t, testkit.Patience, "a chunk of "+ns+" moves", func() bool { return m.moved(ns) > before })
	}
}

type chunk struct {
	Min, Max bson.Raw
	Shard    string
}

func (m *mover) anyChunk(ctx context.Context, c chance, ns string) (chunk, error) {
	config := m.cluster.client.Database("config")
	var collection struct{ UUID bson.Binary }
	if err := config.Collection("collections").FindOne(ctx, d("_id", ns)).Decode(&collection); err != nil {
		return chunk{}, err
	}
	cursor, err := config.Collection("chunks").Find(ctx, d("uuid", collection.UUID))
	if err != nil {
		return chunk{}, err
	}
	var chunks []chunk
	if err := cursor.All(ctx, &chunks); err != nil {
		return chunk{}, err
	}
	if len(chunks) == 0 {
		return chunk{}, fmt.Errorf("%s has no chunks", ns)
	}
	return pickOf(c, chunks), nil
}

// The shards wait otherwise than by default, so that nobody waits for long here.
const (
	// lifetime is how long a shard keeps a transaction whose router has died: by default a minute, in which others would wait for its locks.
	lifetime = 10 * time.Second
	// lockWait is how long a move waits for the transactions that are open: by default half a second, and then it is refused.
	lockWait = 10 * time.Second
)

// A rampage is a crowd of clients, and what happens to their cluster.
type rampage struct {
	*crowd
	cluster *testCluster
	mover   *mover
	ledger  *ledger
	record  *bankRecord
	chance  chance
}

// round breaks one thing after the other. Between two faults every client has gone on and chunks have moved.
func (r *rampage) round(t *testing.T) {
	first := r.chance.IntN(len(r.cluster.shards))
	shard := func(i int) int { return (first + i) % len(r.cluster.shards) }

	for _, s := range r.cluster.shards {
		for _, m := range r.cluster.membersOf(t, s) {
			r.tune(t, m.Name)
		}
	}
	r.goOn(t, "in peace")
	r.mover.goesOn(t)
	r.killRouter(t)

	killed, _ := clustertest.KillPrimary(t, r.cluster, r.cluster.shards[shard(0)])
	r.goOn(t, "after a primary was killed")
	r.revive(t, killed.Name)
	r.mover.goesOn(t)

	// A paused process keeps its connections open and answers nothing. When writers and readers have gone on, none waits for it any more: it comes back to
	// find itself replaced. The bank has to wait for that, as behind a mongos: the shard that coordinates a commit asks the paused one without end.
	paused := r.pausePrimary(t, r.cluster.shards[shard(1)])
	r.goOn(t, "while a primary is paused", "writer", "reader", "causal session")
	r.revive(t, paused.Name)
	r.goOn(t, "after a primary was paused")

	r.cut(t)
	r.goOn(t, "after a link was cut")
	r.mover.goesOn(t)
}

// pausePrimary pauses a shard's primary while no chunk moves, and returns it when another has taken over. A move that is in its critical section then stays
// there: it asks the paused member without end, and whoever writes to the collection waits for it, behind a mongos as here.
func (r *rampage) pausePrimary(t *testing.T, s topology.ShardID) cluster.Member {
	t.Helper()
	r.mover.moving.Lock()
	defer r.mover.moving.Unlock()
	paused := clustertest.AwaitPrimary(t, r.cluster, s, "")
	if err := r.cluster.Pause(t.Context(), paused.Name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // also when the test fails here: the crowd does not end before
		if err := r.cluster.Start(context.WithoutCancel(t.Context()), paused.Name); err != nil {
			t.Error(err)
		}
	})
	clustertest.AwaitPrimary(t, r.cluster, s, paused.Name)
	return paused
}

// tune has a member wait as lifetime and lockWait say, until it ends.
func (r *rampage) tune(t *testing.T, member string) {
	t.Helper()
	client := connect(t, r.cluster.memberURI(t, member))
	command := d("setParameter", 1, "transactionLifetimeLimitSeconds", int32(lifetime.Seconds()), "migrationLockAcquisitionMaxWaitMS", int32(lockWait.Milliseconds()))
	// A primary that finds itself replaced closes its connections.
	testkit.EventuallyNil(t, testkit.Patience, text(command)+" on "+member, func(ctx context.Context) error { return client.Database("admin").RunCommand(ctx, command).Err() })
}

// revive brings a member back.
func (r *rampage) revive(t *testing.T, member string) {
	t.Helper()
	clustertest.Revive(t, r.cluster, member)
	r.tune(t, member)
}

// killRouter kills a router and starts it again, under its clients and its open transactions.
func (r *rampage) killRouter(t *testing.T) {
	router := "router/" + string(pickOf(r.chance, worldDatacenters[1:])) // the first one is the mover's
	r.ledger.routerDies.Store(true)
	r.record.routerDies.Store(true)
	if err := r.cluster.Kill(t.Context(), router); err != nil {
		t.Fatal(err)
	}
	clustertest.Revive(t, r.cluster, router)
	r.goOn(t, "after "+router+" was killed")
	r.ledger.routerDies.Store(false)
	r.record.routerDies.Store(false)
}

// cut cuts the link of two random datacenters for a moment. Every shard keeps a majority that is connected; the routers of the two do not reach each other's
// primaries meanwhile.
func (r *rampage) cut(t *testing.T) {
	i := r.chance.IntN(len(worldDatacenters))
	a, b := worldDatacenters[i], worldDatacenters[(i+1)%len(worldDatacenters)]
	if err := cluster.Cut(t.Context(), r.cluster, a, b); err != nil {
		t.Fatal(err)
	}
	testkit.Pause(t.Context(), time.Duration(500+r.chance.IntN(2500))*time.Millisecond)
	if err := r.cluster.Heal(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("cut %s from %s for a moment", a, b)
}
