package local_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

// tooLong is more than any election without a split vote takes at an election timeout of 2 s.
const tooLong = 5 * time.Second

// An electorate is a way to keep members from splitting the vote.
type electorate struct {
	name string
	// everybody gives those members with data that never stand the priority 1.
	everybody bool
	// spread is the part of the election timeout over which candidacies are spread; 0 = as laid out.
	spread  float64
	timeout time.Duration // 0 = local.DefaultElectionTimeout
}

// asLaidOut is what a user gets.
var asLaidOut = electorate{name: "as laid out"}

// electorates are what is compared: MongoDB's defaults, each of the two remedies, and what a user gets.
var electorates = []electorate{
	{name: "everybody stands", everybody: true, spread: 0.15},
	{name: "everybody stands, spread 0.6", everybody: true, spread: 0.6},
	asLaidOut,
}

// TestFailover kills primaries and measures how long nobody can write, and how many terms it takes to elect another primary. The primaries of all sets of a cluster,
// which have no process in common, are killed at once.
func TestFailover(t *testing.T) {
	if !testkit.Soak() {
		t.Run("nyc-lon-syd", func(t *testing.T) { failovers(t, "nyc-lon-syd", asLaidOut, "") })
		return
	}
	t.Run("outages", foreseenOutages)
	for _, preset := range []string{"nyc-lon-syd", "ogilvy", "ebay", "us-east-west", "yougov"} {
		for _, e := range electorates {
			t.Run(preset+"/"+e.name, func(t *testing.T) { failovers(t, preset, e, "") })
		}
	}
	// What MongoDB's own timeout makes of it, which the warning of `geoshard validate` speaks of.
	t.Run("nyc-lon-syd/everybody stands, 10 s", func(t *testing.T) {
		failovers(t, "nyc-lon-syd", electorate{everybody: true, spread: 0.15, timeout: 10 * time.Second}, "")
	})
	// That sets do not disturb each other: one of them alone.
	t.Run("nyc-lon-syd/everybody stands, nyc alone", func(t *testing.T) {
		failovers(t, "nyc-lon-syd", electorates[0], "nyc")
	})
}

// failovers measures in one world. only = "" kills in all sets.
func failovers(t *testing.T, preset string, e electorate, only string) {
	o := local.Options{Name: "failover", Topology: local.Preset(t, preset), ElectionTimeout: e.timeout}
	c := clustertest.Own(t, local.WithElectionSpread(o, e.spread))
	random := rand.New(rand.NewPCG(testkit.Seed(t), 1))
	var sets []*set
	for _, shard := range o.Topology.Shards {
		if only == "" || only == string(shard.ID) {
			sets = append(sets, connectSet(t, c, string(shard.ID), e.everybody))
		}
	}
	if only == "" {
		sets = append(sets, connectSet(t, c, cluster.ConfigSet, e.everybody))
	}
	kills := testkit.Count(t, "kills", 3, 50)
	var all []failover
	for len(all) < kills {
		clustertest.Await(t, c, "all members up, all primaries at home", func(s cluster.Status) bool { return s.Whole() && configAtHome(s) })
		stop := make(chan struct{})
		var writing, killing sync.WaitGroup
		for _, s := range sets {
			writing.Go(func() { s.keepWriting(t.Context(), stop) })
		}
		testkit.Pause(t.Context(), time.Second+time.Duration(random.Int64N(int64(2*time.Second)))) // any moment between two heartbeats
		close(stop)
		results := make([]failover, len(sets))
		for i, s := range sets {
			killing.Go(func() { results[i] = s.kill(t, c) })
		}
		writing.Wait()
		killing.Wait()
		if t.Failed() {
			return
		}
		for _, r := range results {
			t.Log(r)
		}
		all = append(all, results...)
		for _, s := range sets {
			if err := c.Start(t.Context(), s.home); err != nil {
				t.Fatal(err)
			}
		}
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		t.Logf("load of the machine at the end: %s", load)
	}
	report(t, all)
	if e.name == asLaidOut.name {
		votesAreNotSplit(t, all)
	}
	if !testkit.Soak() { // a soak has foreseenOutages
		w := watchOutages(t, c, local.DefaultElectionTimeout)
		for _, f := range []consistency.Failure{consistency.DatacenterLost, consistency.DatacenterCut} {
			w.soonAndLate(t, f, w.fail(t, f, "NYC"))
		}
		var killed []measured
		for _, f := range all {
			if f.set != cluster.ConfigSet {
				killed = append(killed, measured{Shard: f.set, Fast: f.took, Lasting: testkit.Patience}) // without a second datacenter
			}
		}
		w.soonAndLate(t, consistency.PrimaryKilled, killed)
	}
}

// votesAreNotSplit checks what the layout promises: who stands alone is elected in the first term, and where several stand a second term is rare.
func votesAreNotSplit(t *testing.T, all []failover) {
	among, split := 0, 0
	for _, f := range all {
		switch {
		case f.rivals > 1:
			among++
			if f.terms > 1 {
				split++
			}
		case f.terms != 1:
			t.Errorf("%s: want 1 term, since one member alone may succeed the primary", f)
		}
	}
	if most := 1 + among/25; split > most {
		t.Errorf("%d of %d elections among several took more than one term, want at most %d", split, among, most)
	}
}

// A failover is what one kill led to.
type failover struct {
	set    string
	rivals int           // who stood
	took   time.Duration // from the kill until the next acknowledged write
	terms  int           // how many it took; 1 = the first candidate won
	to     string        // host
}

func (f failover) String() string {
	return fmt.Sprintf("%-7s %6.2f s, terms: %d, to %s", f.set, f.took.Seconds(), f.terms, f.to)
}

// report tells the figures of each set and of all.
func report(t *testing.T, all []failover) {
	by := map[string][]failover{"all": all}
	for _, f := range all {
		by[f.set] = append(by[f.set], f)
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		var took []time.Duration
		slow, terms, split := 0, 0, 0
		for _, f := range by[name] {
			took = append(took, f.took)
			terms = max(terms, f.terms)
			if f.took > tooLong {
				slow++
			}
			if f.terms > 1 {
				split++
			}
		}
		slices.Sort(took)
		at := func(part float64) float64 { return took[int(part*float64(len(took)-1))].Seconds() }
		t.Logf("%-7s kills %d, median %.2f s, p95 %.2f s, max %.2f s, above %s: %d, more than one term: %d, most terms %d",
			name, len(took), at(0.5), at(0.95), at(1), tooLong, slow, split, terms)
	}
}

// A set is a replica set as its clients see it.
type set struct {
	name, home string
	rivals     int // who may succeed the primary
	client     *mongo.Client
}

func connectSet(t *testing.T, c *local.Cluster, name string, everybody bool) *set {
	t.Helper()
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := &set{name: name}
	var hosts []string
	for _, m := range status.Members {
		if of, _, _ := strings.Cut(m.Name, "/"); of != name {
			continue
		}
		hosts = append(hosts, m.Host)
		if m.Home {
			s.home = m.Name
		}
	}
	o := options.Client().ApplyURI("mongodb://" + strings.Join(hosts, ",") + "/?replicaSet=" + name).
		SetWriteConcern(writeconcern.W1()).SetServerSelectionTimeout(testkit.Patience)
	if s.client, err = mongo.Connect(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.client.Disconnect(context.Background()) })
	s.electorate(t, c, everybody)
	return s
}

// electorate counts those that stand when the primary is lost. everybody first gives each member that never stands the priority 1, but arbiters and those in a
// datacenter that only votes.
func (s *set) electorate(t *testing.T, c *local.Cluster, everybody bool) {
	t.Helper()
	admin := s.client.Database("admin")
	var answer struct {
		Config bson.M `bson:"config"`
	}
	if err := admin.RunCommand(t.Context(), bson.D{{Key: "replSetGetConfig", Value: 1}}).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	changed := false
	for _, m := range answer.Config["members"].(bson.A) {
		for i, e := range m.(bson.D) {
			if e.Key == "priority" && e.Value == 0.0 && everybody && !votesOnly(c, m.(bson.D)) {
				m.(bson.D)[i].Value, changed = 1.0, true
			}
			if e.Key == "priority" && m.(bson.D)[i].Value != 0.0 {
				s.rivals++
			}
		}
	}
	s.rivals-- // the primary
	t.Logf("%s: %d may succeed its primary", s.name, s.rivals)
	if !changed {
		return
	}
	answer.Config["version"] = answer.Config["version"].(int32) + 1
	if err := admin.RunCommand(t.Context(), bson.D{{Key: "replSetReconfig", Value: answer.Config}}).Err(); err != nil {
		t.Fatal(err)
	}
}

func votesOnly(c *local.Cluster, member bson.D) bool {
	for _, e := range member {
		switch e.Key {
		case "arbiterOnly":
			if e.Value == true {
				return true
			}
		case "tags":
			for _, tag := range e.Value.(bson.D) {
				for _, dc := range c.Topology().Datacenters {
					if tag.Key == "dc" && tag.Value == string(dc.ID) && dc.Role == topology.RoleVoter {
						return true
					}
				}
			}
		}
	}
	return false
}

func configAtHome(s cluster.Status) bool {
	for _, m := range s.Members {
		if strings.HasPrefix(m.Name, cluster.ConfigSet+"/") && m.Home {
			return m.Role == cluster.RoleConfigPrimary
		}
	}
	return false
}

// write is acknowledged by the primary alone.
func (s *set) write(ctx context.Context) error {
	db := "failover"
	if s.name == cluster.ConfigSet {
		db = "config" // config servers have no other database
	}
	_, err := s.client.Database(db).Collection("failover").UpdateOne(ctx, bson.D{{Key: "_id", Value: 1}},
		bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 1}}}}, options.UpdateOne().SetUpsert(true))
	return err
}

// keepWriting gives members something to copy until stopped: then all of them have heard from the primary when it dies, and their timeouts run out together, which is when
// votes are split.
func (s *set) keepWriting(ctx context.Context, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		_ = s.write(ctx)
		testkit.Pause(ctx, 20*time.Millisecond)
	}
}

// kill ends the primary and waits until somebody else takes a write.
func (s *set) kill(t *testing.T, c *local.Cluster) failover {
	before, err := s.primary(t.Context())
	if err != nil {
		t.Error(err)
		return failover{}
	}
	began := time.Now()
	if err := c.Kill(t.Context(), s.home); err != nil {
		t.Error(err)
		return failover{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	if err := testkit.Await(ctx, "a write to "+s.name, s.write); err != nil {
		t.Error(err)
		return failover{}
	}
	took := time.Since(began)
	after, err := s.primary(t.Context())
	if err != nil {
		t.Error(err)
	}
	return failover{set: s.name, rivals: s.rivals, took: took, terms: after.term - before.term, to: after.host}
}

type primary struct {
	host string
	term int
}

// primary asks the primary for its term, which it tells drivers as the end of its election's ID.
func (s *set) primary(ctx context.Context) (primary, error) {
	var hello struct {
		Me       string        `bson:"me"`
		Election bson.ObjectID `bson:"electionId"`
	}
	err := s.client.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello)
	return primary{hello.Me, int(binary.BigEndian.Uint64(hello.Election[4:]))}, err
}
