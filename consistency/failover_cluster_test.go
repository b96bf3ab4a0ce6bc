package consistency_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/topology"
)

// failovers lets counters be incremented in London while New York's primary steps down as planned, and while all of New York is killed with writes of its
// own in flight (S2.38, S2.40). Each time it comes home again, which is one more election.
func failovers(t *testing.T, w *world) {
	c := countFrom(t, w, "LON")
	planned := amount(1, 20)
	for range planned {
		stepDown(t, w)
		awaitPrimary(t, w, "three", "NYC")
	}
	inPlanned := c.errors() // until New York's return, which hands over as well
	homes := amount(1, 5)
	var lost [2]int
	for round := range homes {
		for i, n := range homeKilled(t, w, round) {
			lost[i] += n
		}
	}
	c.stop()
	t.Logf("%d planned failovers and the way home of each, %d losses of the home datacenter", planned, homes)
	for _, a := range c.arms {
		total := a.total(t)
		t.Logf("%-15s %5d increments acknowledged, %5d there, %3d errors, %d of them in planned failovers", a.name, a.acknowledged, total, a.failed, inPlanned[a.name])
		if total < a.acknowledged || total > a.acknowledged+a.failed {
			t.Errorf("%s: got %d increments, want %d, and at most %d of unknown outcome more", a.name, total, a.acknowledged, a.failed)
		}
		if a.retries && inPlanned[a.name] > 0 {
			t.Errorf("%s: %d errors in planned failovers, want none: the last was %v", a.name, inPlanned[a.name], a.lastError)
		}
		if !a.retries && a.failed == 0 {
			t.Errorf("%s: no error in any failover: the test shows nothing", a.name)
		}
	}
	if lost[1] == 0 {
		t.Error("no write of local-fast was lost with its datacenter: the test shows nothing")
	}
}

// stepDown makes the primary of three hand over as for maintenance.
func stepDown(t *testing.T, w *world) {
	t.Helper()
	uri, err := w.MemberURI("three/NYC")
	if err != nil {
		t.Fatal(err)
	}
	member := connectTo(t, uri).Database("admin")
	awaitTrue(t, "New York hands over", func() bool { // it refuses while nobody has caught up
		err := member.RunCommand(t.Context(), bson.D{{Key: "replSetStepDown", Value: 5}, {Key: "secondaryCatchUpPeriodSecs", Value: 4}}).Err()
		if err != nil {
			t.Logf("step down: %v", err)
		}
		return err == nil
	})
}

// A counting increments counters in several ways until it is stopped.
type counting struct {
	arms []*arm
	stop func()
}

// An arm is one way to increment.
type arm struct {
	name    string
	retries bool
	coll    *mongo.Collection

	mu                   sync.Mutex
	acknowledged, failed int   // guarded by mu
	lastError            error // guarded by mu
}

func countFrom(t *testing.T, w *world, dc topology.DatacenterID) *counting {
	t.Helper()
	on, off := lookup(t, "durable"), lookup(t, "durable")
	on.Timeout = time.Minute // above any election on a busy machine
	off.Timeout, off.NoRetryWrites = on.Timeout, true
	name := w.at(t, w.routed(t, dc, on, nil), "three").Name()
	// Through the router: a member of a sharded cluster that is asked past it refuses the first update after each election, as a member not of one would not.
	c := &counting{arms: []*arm{
		{name: "with retries", retries: true, coll: w.routed(t, dc, on, nil).Database(name).Collection("counts_on")},
		{name: "without retries", coll: w.routed(t, dc, off, nil).Database(name).Collection("counts_off")},
	}}
	ctx, cancel := context.WithCancel(t.Context())
	var counting sync.WaitGroup
	for _, a := range c.arms {
		for id := range 4 {
			counting.Go(func() { a.count(ctx, id) })
		}
	}
	c.stop = func() { cancel(); counting.Wait() }
	t.Cleanup(c.stop)
	return c
}

// count increments one counter until the context ends; the last increment is finished.
func (a *arm) count(ctx context.Context, id int) {
	every := time.NewTicker(10 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		_, err := a.coll.UpdateOne(context.WithoutCancel(ctx), bson.D{{Key: "_id", Value: id}}, bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 1}}}}, options.UpdateOne().SetUpsert(true))
		a.mu.Lock()
		if err == nil {
			a.acknowledged++
		} else {
			a.failed++
			a.lastError = err
		}
		a.mu.Unlock()
	}
}

func (c *counting) errors() map[string]int {
	all := map[string]int{}
	for _, a := range c.arms {
		a.mu.Lock()
		all[a.name] = a.failed
		a.mu.Unlock()
	}
	return all
}

// total is what the database has.
func (a *arm) total(t *testing.T) int {
	t.Helper()
	found, err := a.coll.Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var counters []struct{ N int }
	if err := found.All(t.Context(), &counters); err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, c := range counters {
		sum += c.N
	}
	return sum
}

// killedProfiles are compared when the home datacenter dies: the first one promises to lose nothing.
var killedProfiles = [2]string{"multi-datacenter", "local-fast"}

// homeKilled writes in New York with two profiles, side by side, and kills all of New York when enough is acknowledged. It returns how many acknowledged
// writes of each are gone for good, after New York has come home.
func homeKilled(t *testing.T, w *world, round int) (lost [2]int) {
	ctx := t.Context()
	var writers [2]*writing
	for i, name := range killedProfiles {
		writers[i] = writeFrom(t, w, lookup(t, name), fmt.Sprintf("%s-%d", name, round))
	}
	for _, wr := range writers {
		wr.await(t, 100)
	}
	// The network goes a moment before the machines: what is acknowledged in that moment by one member alone is what there is to lose.
	if err := w.Isolate(ctx, "NYC"); err != nil {
		t.Fatal(err)
	}
	writers[1].await(t, writers[1].count()+20)
	home := membersIn(t, w, "NYC")
	if err := inParallel(len(home), func(i int) error { return w.Kill(ctx, home[i]) }); err != nil {
		t.Fatal(err)
	}
	for _, wr := range writers {
		wr.stop()
	}
	awaitTrue(t, "a primary of three elsewhere", func() bool {
		primary, ok := w.members(t).Primary("three")
		return ok && primary.Datacenter != "NYC"
	})
	if err := w.Heal(ctx); err != nil {
		t.Fatal(err)
	}
	comeHome(t, w, home)
	awaitPrimary(t, w, "three", "NYC")
	awaitPrimary(t, w, "five", "NYC")
	for i, wr := range writers {
		there := wr.there(t, w)
		for _, id := range wr.acknowledged {
			if !there[id] {
				lost[i]++
			}
		}
		t.Logf("New York killed (%d processes): %-17s %d of %d acknowledged writes lost", len(home), killedProfiles[i], lost[i], len(wr.acknowledged))
	}
	if lost[0] > 0 {
		t.Errorf("%s: %d acknowledged writes lost, want none", killedProfiles[0], lost[0])
	}
	return lost
}

// comeHome starts a datacenter's processes; the router comes last, for it needs the others.
func comeHome(t *testing.T, w *world, home []string) {
	t.Helper()
	var routers, others []string
	for _, name := range home {
		if strings.HasPrefix(name, "router/") {
			routers = append(routers, name)
		} else {
			others = append(others, name)
		}
	}
	for _, group := range [][]string{others, routers} {
		awaitTrue(t, "New York works again", func() bool { // on a busy machine a process may give up
			err := inParallel(len(group), func(i int) error { return w.Start(t.Context(), group[i]) })
			if err != nil {
				t.Logf("start again: %v", err)
			}
			return err == nil
		})
	}
}

func membersIn(t *testing.T, w *world, dc topology.DatacenterID) []string {
	t.Helper()
	var names []string
	for _, m := range w.members(t).Members {
		if m.Datacenter == dc {
			names = append(names, m.Name)
		}
	}
	return names
}

// A writing inserts until it is stopped or its primary is gone.
type writing struct {
	collection string
	stop       func()

	mu           sync.Mutex
	acknowledged []string      // guarded by mu until stopped
	more         chan struct{} // of room one: something was acknowledged
}

func writeFrom(t *testing.T, w *world, p consistency.Profile, collection string) *writing {
	t.Helper()
	coll := w.direct(t, "three", "NYC", p, nil).Database("home").Collection(collection)
	ctx, cancel := context.WithCancel(t.Context())
	wr := &writing{collection: collection, more: make(chan struct{}, 1)}
	var all sync.WaitGroup
	for writer := range 16 {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprintf("%d-%d", writer, n)
				if _, err := coll.InsertOne(ctx, bson.D{{Key: "_id", Value: id}}); err == nil {
					wr.note(id)
				}
			}
		})
	}
	wr.stop = func() { cancel(); all.Wait() }
	t.Cleanup(wr.stop)
	return wr
}

func (wr *writing) note(id string) {
	wr.mu.Lock()
	wr.acknowledged = append(wr.acknowledged, id)
	wr.mu.Unlock()
	select {
	case wr.more <- struct{}{}:
	default:
	}
}

func (wr *writing) count() int {
	wr.mu.Lock()
	defer wr.mu.Unlock()
	return len(wr.acknowledged)
}

func (wr *writing) await(t *testing.T, n int) {
	t.Helper()
	late := time.After(time.Minute)
	for {
		got := wr.count()
		if got >= n {
			return
		}
		select {
		case <-wr.more:
		case <-late:
			t.Fatalf("%s: %d writes acknowledged within a minute, want %d", wr.collection, got, n)
		}
	}
}

// there is what the set has, by a linearizable look that only a primary with a majority answers.
func (wr *writing) there(t *testing.T, w *world) map[string]bool {
	t.Helper()
	found, err := w.direct(t, "three", "NYC", lookup(t, "strict"), nil).Database("home").Collection(wr.collection).Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = found.Close(context.Background()) }()
	all := map[string]bool{}
	for found.Next(t.Context()) {
		all[found.Current.Lookup("_id").StringValue()] = true
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
