package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/catalog"
)

// The environment of a child process that applies a plan and dies on the way: where, with which cluster, and towards which world.
const (
	killAtEnv    = "GEOSHARD_TEST_KILL_AT"
	killURIEnv   = "GEOSHARD_TEST_KILL_URI"
	killWorldEnv = "GEOSHARD_TEST_KILL_WORLD"
)

// The child is this test binary again. It is not a test: it has to die without a word.
func init() {
	if at := os.Getenv(killAtEnv); at != "" {
		if err := applyAndDie(at); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// killWorlds are two worlds. On the way from one to the other, every kind of change is made.
var killWorlds = [2]string{
	killWorld("s1", "report", "[{zone: KA, values: [LON]}, {zone: KB, values: [NYC]}]"),
	killWorld("s2", "reject", "[{zone: KC, values: [LON]}, {zone: KB, values: [NYC]}, {zone: KA, values: [SYD]}]"),
}

func killWorld(shardOfKC, unknown, ranges string) string {
	return `version: 1
datacenters: {HERE: {name: Here}}
shards:
  s0: {members: [{dc: HERE, priority: 1}]}
  s1: {members: [{dc: HERE, priority: 1}]}
  s2: {members: [{dc: HERE, priority: 1}]}
zones:
  KA: {shards: [s0]}
  KB: {shards: [s1]}
  KC: {shards: [` + shardOfKC + `]}
namespaces:
  killed.carts: {key: {dc: 1, id: 1}, zoneBy: dc, onlyRanges: true, unknown: ` + unknown + `, ranges: ` + ranges + `}
  killed.stock: {key: {dc: 1, id: hashed}, zoneBy: dc, onlyRanges: true, ranges: [{zone: KA, values: [LON]}]}
`
}

var killedCollections = []string{"killed.carts", "killed.stock"}

var killApproval = zones.ApplyOptions{AutoApprove: true, Force: true}

// planFor plans the way from a state to a world.
func planFor(ctx context.Context, c *catalog.Catalog, state *zones.State, world string) (*zones.Plan, error) {
	want, err := topology.Parse("world.yaml", []byte(world))
	if err != nil {
		return nil, err
	}
	applied, err := c.Journal().LastApplied(ctx)
	if err != nil {
		return nil, err
	}
	return zones.NewPlan(want, state, applied, zones.PlanOptions{Shard: true, Prune: true}, time.Now())
}

// A killer kills this process at the n-th command that is sent while it is armed: before the command leaves, after its answer has come, or while it is under way.
type killer struct {
	armed atomic.Bool
	sent  atomic.Int64
	n     int64
	when  string
	id    atomic.Int64 // the request that is to be answered
}

func (k *killer) monitor() *event.CommandMonitor {
	answered := func(id int64) {
		if k.when == "after" && id != 0 && id == k.id.Load() {
			die()
		}
	}
	return &event.CommandMonitor{
		Started: func(_ context.Context, e *event.CommandStartedEvent) {
			if !k.armed.Load() || k.sent.Add(1) != k.n {
				return
			}
			switch k.when {
			case "before":
				die()
			case "during":
				// A loopback command takes about so long: some of them arrive, some do not, some are being done.
				time.AfterFunc(time.Duration(e.RequestID%8)*200*time.Microsecond, die)
			default:
				k.id.Store(e.RequestID)
			}
		},
		Succeeded: func(_ context.Context, e *event.CommandSucceededEvent) { answered(e.RequestID) },
		Failed:    func(_ context.Context, e *event.CommandFailedEvent) { answered(e.RequestID) },
	}
}

// die ends the process as kill -9 does, and does not return.
func die() {
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill()
	}
	select {}
}

func applyAndDie(at string) error {
	k := &killer{}
	if _, err := fmt.Sscanf(at, "%d %s", &k.n, &k.when); err != nil {
		return fmt.Errorf("%s=%q: %w", killAtEnv, at, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := catalog.Open(ctx, catalog.Options{URI: os.Getenv(killURIEnv), Client: options.Client().SetMonitor(k.monitor())})
	if err != nil {
		return err
	}
	state, err := c.Outline().Read(ctx, killedCollections)
	if err != nil {
		return err
	}
	plan, err := planFor(ctx, c, state, os.Getenv(killWorldEnv))
	if err != nil {
		return err
	}
	k.armed.Store(true)
	_, err = zones.Apply(ctx, plan, c.ApplyDeps(catalog.LockOptions{}), killApproval)
	fmt.Printf("%d steps, %d commands\n", len(plan.Steps), k.sent.Load())
	return err
}

// interrupted is the cluster that the children are let loose on.
type interrupted struct {
	*catalog.Catalog
	uri string
	// hashes are of the states in which an apply that nobody kills leaves the two worlds.
	hashes [2]string
}

const killDocuments = 90

func newInterrupted(t *testing.T) *interrupted {
	s := &interrupted{Catalog: open(t)}
	var err error
	if s.uri, err = clustertest.Alone(t).URI(clustertest.SmallDC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.leave(t) })
	s.goTo(t, 0)
	fill(t, s.Catalog, "killed.carts", map[any]int{"LON": killDocuments / 3, "NYC": killDocuments / 3, "SYD": killDocuments / 3})
	for _, world := range []int{1, 0} {
		s.goTo(t, world)
		s.hashes[world] = s.state(t).Hash()
	}
	return s
}

// leave takes everything away that other tests would meet.
func (s *interrupted) leave(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, db := range []string{"killed", "geoshard"} {
		if err := s.Client().Database(db).Drop(ctx); err != nil {
			t.Errorf("drop %s: %v", db, err)
		}
	}
	for _, zone := range []topology.ZoneID{"KA", "KB", "KC"} {
		for _, shard := range []topology.ShardID{"s0", "s1", "s2"} {
			if err := s.Perform(ctx, zones.RemoveShardFromZone{Shard: shard, Zone: zone}); err != nil {
				t.Error(err)
			}
		}
	}
}

func (s *interrupted) state(t *testing.T) *zones.State {
	t.Helper()
	state, err := s.Outline().Read(t.Context(), killedCollections)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func (s *interrupted) plan(t *testing.T, world int) *zones.Plan {
	t.Helper()
	return s.planOf(t, s.state(t), world)
}

func (s *interrupted) planOf(t *testing.T, state *zones.State, world int) *zones.Plan {
	t.Helper()
	plan, err := planFor(t.Context(), s.Catalog, state, killWorlds[world])
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// goTo applies a world without a kill.
func (s *interrupted) goTo(t *testing.T, world int) {
	t.Helper()
	if _, err := zones.Apply(t.Context(), s.plan(t, world), s.ApplyDeps(catalog.LockOptions{}), killApproval); err != nil {
		t.Fatal(err)
	}
}

// child runs an apply to a world in a process of its own that is killed at that point. It reports whether it lived so long.
func (s *interrupted) child(t *testing.T, world, n int, when string) (killed bool) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", killAtEnv, n, when), killURIEnv+"="+s.uri, killWorldEnv+"="+killWorlds[world])
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Logf("an apply that is not killed, to world %d: %s", world, strings.TrimSpace(string(out)))
		return false
	}
	if !strings.Contains(err.Error(), "killed") {
		t.Fatalf("child: %v\n%s", err, out)
	}
	return true
}

// expire does to the lease what time does.
func (s *interrupted) expire(t *testing.T) {
	t.Helper()
	past := bson.D{{Key: "$set", Value: bson.D{{Key: "expires", Value: time.Now().Add(-time.Second)}}}}
	if _, err := s.Client().Database("geoshard").Collection("locks").UpdateMany(t.Context(), bson.D{}, past); err != nil {
		t.Fatal(err)
	}
}

// check looks that nothing is left of a kill.
func (s *interrupted) check(t *testing.T, world int) {
	t.Helper()
	state := s.state(t)
	if state.Hash() != s.hashes[world] {
		t.Errorf("the state is not that of an apply that nobody killed: %+v", state)
	}
	for _, c := range state.Collections {
		if c.NoBalance {
			t.Errorf("%s: the balancer still leaves it alone", c.Name)
		}
	}
	if plan := s.planOf(t, state, world); !plan.Empty() {
		t.Errorf("planned again: got %v, want nothing to do", plan.Steps)
	}
	n, err := s.Client().Database("killed").Collection("carts").CountDocuments(t.Context(), bson.D{})
	if err != nil || n != killDocuments {
		t.Errorf("got %d documents, %v, want %d", n, err, killDocuments)
	}
	if open, err := s.Journal().Unfinished(t.Context()); err != nil || len(open) > 0 {
		t.Errorf("got unfinished runs %v, %v, want none", open, err)
	}
	if err := s.Client().Database("geoshard").Collection("locks").FindOne(t.Context(), bson.D{}).Err(); !errors.Is(err, mongo.ErrNoDocuments) {
		t.Errorf("lease: got %v, want none", err)
	}
}

// skipped tells kills that ordinary runs leave out: while a command is under way, and after its answer, but for every fifth and every third. What the cluster has been told after one
// command is what it has been told before the next.
func skipped(n int, when string) bool {
	every := map[string]int{"before": 1, "after": 3, "during": 5}[when]
	return n%every != 0 && !testkit.Soak()
}

// The process is killed with SIGKILL before and after every command that an apply sends, and while some of them are under way. The second run, with the same plan or
// with a new one, ends in the same state as an apply that nobody killed.
func TestApplyConvergesAfterSIGKILLAtEveryCommand(t *testing.T) {
	s := newInterrupted(t)
	type way struct {
		world int
		when  string
	}
	ended := map[way]bool{}
	points, late, began := map[string]int{}, 0, time.Now()
	for n := 1; len(ended) < 6; n++ {
		for _, when := range []string{"before", "after", "during"} {
			if skipped(n, when) || ended[way{0, when}] && ended[way{1, when}] {
				continue
			}
			for _, world := range []int{1, 0} { // there and back, so that each begins where the other ends
				w := way{world, when}
				if world == 1 { // so that it is sharded again
					if err := s.Client().Database("killed").Collection("stock").Drop(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				plan := s.plan(t, world)
				if ended[w] || !s.child(t, world, n, when) {
					ended[w] = true
					s.goTo(t, world)
					continue
				}
				points[when]++
				s.expire(t)
				if n%2 == 0 {
					plan = s.plan(t, world)
				}
				_, err := zones.Apply(t.Context(), plan, s.ApplyDeps(catalog.LockOptions{}), killApproval)
				if when == "during" && errors.Is(err, zones.ErrStateChanged) {
					// What was under way arrived after the new plan was made, which is refused then, as it has to be.
					late++
					_, err = zones.Apply(t.Context(), s.plan(t, world), s.ApplyDeps(catalog.LockOptions{}), killApproval)
				}
				if err != nil {
					t.Errorf("second run: %v", err)
				}
				if s.check(t, world); t.Failed() {
					t.Fatalf("killed %s command %d on the way to world %d, new plan: %t", when, n, world, n%2 == 0)
				}
			}
		}
	}
	t.Logf("%d kill points before a command, %d after one, %d during one (%d of them arrived late), in %s", points["before"], points["after"], points["during"], late, time.Since(began).Round(time.Second))
	for when, want := range map[string]int{"before": 100, "after": 30, "during": 20} {
		if points[when] < want {
			t.Errorf("%s a command: got %d kill points, want %d or more", when, points[when], want)
		}
	}
}
