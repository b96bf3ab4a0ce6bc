package consistency_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

// failovers lets counters be incremented in London while New York's primary steps down as planned, and while all of New York is killed with writes of its
// own in flight (S2.38, S2.40). Each time it comes home again, which is one more election.
func failovers(t *testing.T, w *world) {
	arms := []*arm{incrementFrom(t, w, "LON", true), incrementFrom(t, w, "LON", false)}
	for _, a := range arms {
		a.load.GoesOn(t, 10)
	}
	planned := testkit.Count(t, "planned failovers", 1, 20)
	for range planned {
		stepDown(t, w)
		awaitPrimary(t, w, "three", "NYC")
	}
	for _, a := range arms { // until New York's return, which hands over as well
		a.load.GoesOn(t, 10)
		a.inPlanned, a.lastPlanned = a.load.Failed()
	}
	homes := testkit.Count(t, "losses of the home datacenter", 1, 5)
	var lost [2]int
	for round := range homes {
		for i, n := range homeKilled(t, w, round) {
			lost[i] += n
		}
	}
	t.Logf("%d planned failovers and the way home of each, %d losses of the home datacenter", planned, homes)
	for _, a := range arms {
		a.load.Stop()
		sums := a.load.Compare(a.there(t))
		failed, _ := a.load.Failed()
		t.Logf("%-15s increments: %s; %d errors in planned failovers", a.name(), sums, a.inPlanned)
		if err := sums.Err(); err != nil {
			t.Errorf("%s: %v", a.name(), err)
		}
		if a.retries && a.inPlanned > 0 {
			t.Errorf("%s: %d errors in planned failovers, want none: the last was %v", a.name(), a.inPlanned, a.lastPlanned)
		}
		if !a.retries && failed == 0 {
			t.Errorf("%s: no error in any failover: the test shows nothing", a.name())
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
	testkit.EventuallyNil(t, testkit.Patience, "New York hands over", func(ctx context.Context) error { // it refuses while nobody has caught up
		return member.RunCommand(ctx, bson.D{{Key: "replSetStepDown", Value: 5}, {Key: "secondaryCatchUpPeriodSecs", Value: 4}}).Err()
	})
}

// An arm increments counters side by side, with the driver's retries or without.
type arm struct {
	retries     bool
	coll        *mongo.Collection
	load        *testkit.Load
	inPlanned   int // writes that failed in planned failovers
	lastPlanned error
}

func (a *arm) name() string {
	if a.retries {
		return "with retries"
	}
	return "without retries"
}

func incrementFrom(t *testing.T, w *world, dc topology.DatacenterID, retries bool) *arm {
	t.Helper()
	p := lookup(t, "durable")
	p.Timeout, p.NoRetryWrites = time.Minute, !retries // above any election on a busy machine
	name := w.at(t, w.routed(t, dc, p, nil), "three").Name()
	// Through the router: a member of a sharded cluster that is asked past it refuses the first update after each election, as a member not of one would not.
	a := &arm{retries: retries}
	a.coll = w.routed(t, dc, p, nil).Database(name).Collection(strings.ReplaceAll("counts "+a.name(), " ", "_"))
	a.load = testkit.Drive(t, 4, 10*time.Millisecond, func(ctx context.Context, id, _ int) (string, error) {
		_, err := a.coll.UpdateOne(ctx, bson.D{{Key: "_id", Value: id}}, bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 1}}}}, options.UpdateOne().SetUpsert(true))
		return strconv.Itoa(id), err
	})
	return a
}

// there is what the database has.
func (a *arm) there(t *testing.T) map[string]int {
	t.Helper()
	found, err := a.coll.Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var counters []struct {
		ID int `bson:"_id"`
		N  int
	}
	if err := found.All(t.Context(), &counters); err != nil {
		t.Fatal(err)
	}
	all := map[string]int{}
	for _, c := range counters {
		all[strconv.Itoa(c.ID)] = c.N
	}
	return all
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
		wr.GoesOn(t, 100)
	}
	// The network goes a moment before the machines: what is acknowledged in that moment by one member alone is what there is to lose.
	if err := cluster.Isolate(ctx, w, "NYC"); err != nil {
		t.Fatal(err)
	}
	writers[1].cut.Store(true)
	testkit.Eventually(t, testkit.Patience, "writes that began after the cut are acknowledged", func() bool { return writers[1].afterCut.Load() >= 5 })
	home := membersIn(t, w, "NYC")
	if err := inParallel(len(home), func(i int) error { return w.Kill(ctx, home[i]) }); err != nil {
		t.Fatal(err)
	}
	for _, wr := range writers {
		wr.end()
	}
	clustertest.AwaitPrimary(t, w, "three", "three/NYC")
	if err := w.Heal(ctx); err != nil {
		t.Fatal(err)
	}
	clustertest.Revive(t, w, home...)
	awaitPrimary(t, w, "three", "NYC")
	awaitPrimary(t, w, "five", "NYC")
	for i, wr := range writers {
		sums := wr.Compare(wr.there(t, w))
		t.Logf("New York killed (%d processes): %-17s %s", len(home), killedProfiles[i], sums)
		if lost[i] = sums.Lost; sums.Doubled > 0 {
			t.Errorf("%s: %v", killedProfiles[i], sums.Err())
		}
	}
	if lost[0] > 0 {
		t.Errorf("%s: %d acknowledged writes lost, want none", killedProfiles[0], lost[0])
	}
	return lost
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

// A writing inserts until it is ended.
type writing struct {
	*testkit.Load
	collection string
	end        func() // gives up what is under way: its primary is gone

	cut      atomic.Bool  // the primary's datacenter is cut off
	afterCut atomic.Int64 // acknowledged writes that began later than that
}

func writeFrom(t *testing.T, w *world, p consistency.Profile, collection string) *writing {
	t.Helper()
	coll := w.direct(t, "three", "NYC", p, nil).Database("home").Collection(collection)
	ctx, cancel := context.WithCancel(t.Context())
	wr := &writing{collection: collection}
	wr.Load = testkit.Drive(t, 16, time.Millisecond, func(_ context.Context, writer, n int) (string, error) {
		id, cut := fmt.Sprintf("%d-%d", writer, n), wr.cut.Load()
		_, err := coll.InsertOne(ctx, bson.D{{Key: "_id", Value: id}})
		if err == nil && cut {
			wr.afterCut.Add(1)
		}
		return id, err
	})
	wr.end = func() { cancel(); wr.Stop() }
	t.Cleanup(wr.end)
	return wr
}

// there is what the set has, by a linearizable look that only a primary with a majority answers.
func (wr *writing) there(t *testing.T, w *world) map[string]int {
	t.Helper()
	found, err := w.direct(t, "three", "NYC", lookup(t, "strict"), nil).Database("home").Collection(wr.collection).Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = found.Close(context.Background()) }()
	all := map[string]int{}
	for found.Next(t.Context()) {
		all[found.Current.Lookup("_id").StringValue()]++
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
