package catalog_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/catalog"
	"github.com/geoshard/geoshard/zones/plan"
)

// A swinging is two collections that applies take from one of two worlds to the other and back. Its name is in all that it has, journal and lease as well, so that several of them
// share a cluster.
type swinging struct {
	*catalog.Catalog
	name, uri string
	// hashes are of the states in which an apply that nobody kills leaves the two worlds.
	hashes [2]string
}

const swingingDocuments = 90

var killApproval = apply.Options{AutoApprove: true, Force: true}

func newSwinging(t *testing.T, name string) *swinging {
	s := &swinging{Catalog: open(t), name: name}
	var err error
	if s.uri, err = clustertest.Alone(t).URI(clustertest.SmallDC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.leave(t) })
	s.goTo(t, 0)
	fill(t, s.Catalog, s.carts(), map[any]int{"LON": swingingDocuments / 3, "NYC": swingingDocuments / 3, "SYD": swingingDocuments / 3})
	for _, world := range []int{1, 0} {
		s.goTo(t, world)
		s.hashes[world] = s.state(t).Hash()
	}
	return s
}

func (s *swinging) carts() string   { return s.name + ".carts" }
func (s *swinging) journal() string { return s.name + "-journal" }

// zone is one of the zones A, B and C.
func (s *swinging) zone(letter string) string { return letter + "-" + s.name }

// world is one of the two. On the way from one to the other, every kind of change is made.
func (s *swinging) world(i int) string {
	text := strings.NewReplacer("OFC", []string{"s1", "s2"}[i], "REFUSE", []string{"report", "reject"}[i], "RANGES",
		[]string{"[{zone: A-NAME, values: [LON]}, {zone: B-NAME, values: [NYC]}]", "[{zone: C-NAME, values: [LON]}, {zone: B-NAME, values: [NYC]}, {zone: A-NAME, values: [SYD]}]"}[i]).Replace(`version: 1
datacenters: {HERE: {name: Here}}
shards:
  s0: {members: [{dc: HERE, priority: 1}]}
  s1: {members: [{dc: HERE, priority: 1}]}
  s2: {members: [{dc: HERE, priority: 1}]}
zones:
  A-NAME: {shards: [s0]}
  B-NAME: {shards: [s1]}
  C-NAME: {shards: [OFC]}
namespaces:
  NAME.carts: {key: {dc: 1, id: 1}, zoneBy: dc, onlyRanges: true, unknown: REFUSE, ranges: RANGES}
  NAME.stock: {key: {dc: 1, id: hashed}, zoneBy: dc, onlyRanges: true, ranges: [{zone: A-NAME, values: [LON]}]}
`)
	return strings.ReplaceAll(text, "NAME", s.name)
}

// deps are what an apply by way of a catalogue acts through.
func (s *swinging) deps(c *catalog.Catalog, o catalog.LockOptions) apply.Deps {
	deps := c.DepsIn(s.journal(), o)
	deps.Reader = ownZones{deps.Reader, "-" + s.name}
	return deps
}

// ownZones shows nobody else's zones: they come and go, and a state's hash has all zones of a shard.
type ownZones struct {
	zones.Reader
	suffix string
}

func (r ownZones) Read(ctx context.Context, namespaces []string) (*zones.State, error) {
	state, err := r.Reader.Read(ctx, namespaces)
	if err != nil {
		return nil, err
	}
	for i := range state.Shards {
		state.Shards[i].Zones = slices.DeleteFunc(state.Shards[i].Zones, func(z topology.ZoneID) bool { return !strings.HasSuffix(string(z), r.suffix) })
	}
	return state, nil
}

// leave takes everything away that other tests would meet: all of it carries the name.
func (s *swinging) leave(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, db := range []string{s.name, s.journal()} {
		if err := s.Client().Database(db).Drop(ctx); err != nil {
			t.Errorf("drop %s: %v", db, err)
		}
	}
	for _, letter := range []string{"A", "B", "C"} {
		for _, shard := range []topology.ShardID{"s0", "s1", "s2"} {
			if err := s.Perform(ctx, zones.RemoveShardFromZone{Shard: shard, Zone: topology.ZoneID(s.zone(letter))}); err != nil {
				t.Error(err)
			}
		}
	}
}

func (s *swinging) read(ctx context.Context) (*zones.State, error) {
	return s.deps(s.Catalog, catalog.LockOptions{}).Reader.Read(ctx, []string{s.carts(), s.name + ".stock"})
}

func (s *swinging) state(t *testing.T) *zones.State {
	t.Helper()
	state, err := s.read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// planTo plans the way from what there is to a world.
func (s *swinging) planTo(ctx context.Context, world string) (*zones.Plan, error) {
	want, err := topology.Parse("world.yaml", []byte(world))
	if err != nil {
		return nil, err
	}
	state, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	applied, err := plan.LastApplied(ctx, s.deps(s.Catalog, catalog.LockOptions{}).Journal)
	if err != nil {
		return nil, err
	}
	return plan.New(want, state, applied, plan.Options{Shard: true, Prune: true}, time.Now())
}

func (s *swinging) plan(t *testing.T, world int) *zones.Plan {
	t.Helper()
	plan, err := s.planTo(t.Context(), s.world(world))
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func (s *swinging) apply(t *testing.T, plan *zones.Plan) error {
	t.Helper()
	_, err := apply.Apply(t.Context(), plan, s.deps(s.Catalog, catalog.LockOptions{}), killApproval)
	return err
}

// goTo applies a world without a kill.
func (s *swinging) goTo(t *testing.T, world int) {
	t.Helper()
	if err := s.apply(t, s.plan(t, world)); err != nil {
		t.Fatal(err)
	}
}

// begin is done before an apply to a world: on the way to the second, a collection is sharded again.
func (s *swinging) begin(t *testing.T, world int) {
	t.Helper()
	if world == 0 {
		return
	}
	if err := s.Client().Database(s.name).Collection("stock").Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// isKilled lets an apply be killed at a point and a second run go on, and looks that nothing is left of the kill. It reports false when the apply was done before.
func (s *swinging) isKilled(t *testing.T, p killPoint, late *atomic.Int64) bool {
	t.Helper()
	plan := s.plan(t, p.world)
	_, killed := s.child(t, p)
	if killed {
		t.Log(p)
		s.expire(t)
		if p.n%2 == 0 {
			plan = s.plan(t, p.world)
		}
		changes := s.underWay(t)
		err := s.apply(t, plan)
		for refused := 0; refused <= changes && s.cameLate(t, err); refused++ {
			late.Add(1)
			if errors.Is(err, apply.ErrStateChanged) {
				plan = s.plan(t, p.world)
			}
			err = s.apply(t, plan)
		}
		if err != nil {
			t.Errorf("second run, while %d changes were under way: %v", changes, err)
		}
	}
	if s.check(t, p.world); t.Failed() {
		t.Fatalf("killed %s, new plan: %t", p, p.n%2 == 0)
	}
	return killed
}

// cameLate reports whether an apply was refused, as it has to be, because a command of the killed one came into effect late: a change after the plan was made, or a renewal
// of the lease after it was made to expire, which is done again. Of renewals only one is under way at a time.
func (s *swinging) cameLate(t *testing.T, err error) bool {
	t.Helper()
	if errors.Is(err, apply.ErrLocked) {
		s.expire(t)
		return true
	}
	return errors.Is(err, apply.ErrStateChanged)
}

// underWay is how many changes of the state the cluster may still make for a process that was killed: steps are made side by side, and the command of each runs on
// without its client. Each may show twice: a collection that is sharded is there first and sharded then.
func (s *swinging) underWay(t *testing.T) (changes int) {
	t.Helper()
	open, err := s.deps(s.Catalog, catalog.LockOptions{}).Journal.Unfinished(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range open {
		for _, step := range run.Steps {
			if step.Status == zones.StepStarted {
				changes += 2
			}
		}
	}
	return changes
}

// expire does to the lease what time does.
func (s *swinging) expire(t *testing.T) {
	t.Helper()
	past := bson.D{{Key: "$set", Value: bson.D{{Key: "expires", Value: time.Now().Add(-time.Second)}}}}
	if _, err := s.Client().Database(s.journal()).Collection("locks").UpdateMany(t.Context(), bson.D{}, past); err != nil {
		t.Fatal(err)
	}
}

// check looks that nothing is left of a kill.
func (s *swinging) check(t *testing.T, world int) {
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
	if plan := s.plan(t, world); !plan.Empty() {
		t.Errorf("planned again: got %v, want nothing to do", plan.Steps)
	}
	n, err := s.Client().Database(s.name).Collection("carts").CountDocuments(t.Context(), bson.D{})
	if err != nil || n != swingingDocuments {
		t.Errorf("got %d documents, %v, want %d", n, err, swingingDocuments)
	}
	if open, err := s.deps(s.Catalog, catalog.LockOptions{}).Journal.Unfinished(t.Context()); err != nil || len(open) > 0 {
		t.Errorf("got unfinished runs %v, %v, want none", open, err)
	}
	if err := s.Client().Database(s.journal()).Collection("locks").FindOne(t.Context(), bson.D{}).Err(); !errors.Is(err, mongo.ErrNoDocuments) {
		t.Errorf("lease: got %v, want none", err)
	}
}
