package catalog_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/catalog"
	"github.com/geoshard/geoshard/zones/plan"
)

// Another tool changes a range between plan and apply, as mongosh does. The apply finds it, names it, and changes nothing.
func TestApplyFindsWhatAnotherToolChanged(t *testing.T) {
	t.Parallel()
	s := newSwinging(t, "drifting")
	plan := s.plan(t, 1)
	lon := bson.D{{Key: "dc", Value: "LON"}, {Key: "id", Value: lowest}}
	end := bson.D{{Key: "dc", Value: "LON\x00"}, {Key: "id", Value: lowest}}
	for _, zone := range []any{nil, s.zone("B")} {
		cmd := bson.D{{Key: "updateZoneKeyRange", Value: s.carts()}, {Key: "min", Value: lon}, {Key: "max", Value: end}, {Key: "zone", Value: zone}}
		if err := s.Client().Database("admin").RunCommand(t.Context(), cmd).Err(); err != nil {
			t.Fatal(err)
		}
	}
	before := s.state(t).Hash()
	_, err := apply.Apply(t.Context(), plan, s.deps(s.Catalog, catalog.LockOptions{}), killApproval)
	if !errors.Is(err, apply.ErrStateChanged) {
		t.Fatalf("got %v, want ErrStateChanged", err)
	}
	for _, want := range []string{
		"is gone: " + s.carts() + `: {dc: "LON", id: MinKey} to {dc: "LON\u0000", id: MinKey} in ` + s.zone("A"),
		"is new: " + s.carts() + `: {dc: "LON", id: MinKey} to {dc: "LON\u0000", id: MinKey} in ` + s.zone("B"),
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want %q in it", err, want)
		}
	}
	if after := s.state(t).Hash(); after != before {
		t.Error("something was changed")
	}

	// A new plan tells the drift from what is wanted anew, and puts both right.
	plan = s.plan(t, 0)
	if plan.Empty() {
		t.Fatal("the drift was not found")
	}
	for _, step := range plan.Steps {
		if step.Cause != zones.CauseDrift {
			t.Errorf("%s: got cause %s, want drift", step.Change, step.Cause)
		}
	}
	s.goTo(t, 0)
	s.check(t, 0)
}

// A secondApply is a performer that applies the plan a second time, from elsewhere, in the middle of the first apply.
type secondApply struct {
	apply.Performer
	do   func()
	once sync.Once
}

func (p *secondApply) Perform(ctx context.Context, c zones.Change) error {
	p.once.Do(p.do)
	return p.Performer.Perform(ctx, c)
}

func TestOneOfTwoAppliesAtOnceWins(t *testing.T) {
	t.Parallel()
	s := newSwinging(t, "racing")
	plan := s.plan(t, 1)
	elsewhere := open(t)
	var second error
	deps := s.deps(s.Catalog, catalog.LockOptions{Owner: "ann"})
	deps.Performer = &secondApply{Performer: s.Catalog, do: func() {
		_, second = apply.Apply(t.Context(), plan, s.deps(elsewhere, catalog.LockOptions{Owner: "bob"}), killApproval)
	}}
	if _, err := apply.Apply(t.Context(), plan, deps, killApproval); err != nil {
		t.Errorf("first: got %v, want success", err)
	}
	var locked *apply.LockedError
	if !errors.As(second, &locked) || !errors.Is(second, apply.ErrLocked) {
		t.Fatalf("second: got %v, want ErrLocked", second)
	}
	if locked.Holder.Owner != "ann" || locked.Holder.Host == "" || locked.Holder.Since.IsZero() || !strings.Contains(locked.Hint(), "expires by itself") {
		t.Errorf("got %v, hint %q, want holder, host, time and the way out", locked, locked.Hint())
	}
	s.check(t, 1)
}

// Whoever was cut off and comes back after somebody else has taken over changes nothing more.
func TestAnApplyThatWasTakenOverStops(t *testing.T) {
	t.Parallel()
	s := newSwinging(t, "overtaken")
	plan := s.plan(t, 1)
	elsewhere := open(t)
	var second error
	deps := s.deps(s.Catalog, catalog.LockOptions{})
	deps.Performer = &secondApply{Performer: s.Catalog, do: func() {
		s.expire(t)
		_, second = apply.Apply(t.Context(), plan, s.deps(elsewhere, catalog.LockOptions{}), killApproval)
	}}
	_, err := apply.Apply(t.Context(), plan, deps, killApproval)
	if !errors.Is(err, apply.ErrLeaseLost) {
		t.Errorf("first: got %v, want ErrLeaseLost", err)
	}
	if second != nil {
		t.Errorf("second: got %v, want success", second)
	}
	s.check(t, 1)
}

func TestRollbackRestoresTheJournalledLayout(t *testing.T) {
	t.Parallel()
	s := newSwinging(t, "rolled")
	s.goTo(t, 1)
	// Two worlds there and back: the rollback of the rollback leads forth again.
	for i, world := range []int{0, 1, 0} {
		want, err := topology.Parse("world.yaml", []byte(s.world(world)))
		if err != nil {
			t.Fatal(err)
		}
		last, err := s.deps(s.Catalog, catalog.LockOptions{}).Journal.LastDone(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		plan := plan.Undo(last, want, s.state(t), 0, time.Now())
		if _, err := apply.Apply(t.Context(), plan, s.deps(s.Catalog, catalog.LockOptions{}), killApproval); err != nil {
			t.Fatalf("rollback %d: %v", i+1, err)
		}
		s.check(t, world)
		if t.Failed() {
			t.Fatalf("after rollback %d, of %v", i+1, plan.Steps)
		}
	}
}

// cleanJournal removes what the test writes into the journal.
func cleanJournal(t *testing.T, c *catalog.Catalog) {
	t.Cleanup(func() {
		if err := c.Client().Database("geoshard").Drop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// What the journal is given comes back, with keys of dotted fields, bounds of all types, and steps that are marked.
func TestJournalKeepsRuns(t *testing.T) {
	c := open(t)
	cleanJournal(t, c)
	raw := func(low, high any) bson.Raw {
		doc, err := bson.Marshal(bson.D{{Key: "at.dc", Value: low}, {Key: "$id", Value: high}})
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	layout := zones.Layout{
		Zones: []zones.ZoneShards{{Zone: "A", Shards: []topology.ShardID{"s0", "s1"}}},
		Collections: []zones.Placement{{
			Collection: "shop.carts", Key: topology.Key{{Name: "at.dc"}, {Name: "$id", Hashed: true}},
			Ranges: []zones.Range{{Min: raw("A\x00", lowest), Max: raw(int64(7), bson.NewObjectID()), Zone: "A"}, {Min: raw(1.5, bson.NewDateTimeFromTime(time.Now())), Max: raw(highest, highest), Zone: "A"}},
			Reject: raw("x", 1),
		}},
	}
	run := zones.Run{
		ID: "1", Plan: "p", StateHash: "h", Status: zones.RunGoing, Owner: "ann", Token: "t1", Started: time.Now().UTC().Truncate(time.Millisecond),
		Before: layout, After: zones.Layout{}, Holds: []string{},
		Steps: []zones.RunStep{{Step: "+ one", Hash: "1", Status: zones.StepWaiting}, {Step: "- two", Hash: "2", Status: zones.StepWaiting}},
	}
	j := c.Journal()
	if last, err := j.LastDone(t.Context()); err != nil || last != nil {
		t.Errorf("last applied: got %v, %v, want none", last, err)
	}
	if err := j.Begin(t.Context(), run, nil); err != nil {
		t.Fatal(err)
	}
	run.Steps[0].Status, run.Steps[1].Status, run.Holds = zones.StepDone, zones.StepStarted, []string{"shop.carts"}
	if err := j.Mark(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	open, err := j.Unfinished(t.Context())
	if diff := cmp.Diff([]zones.Run{run}, open); err != nil || diff != "" {
		t.Fatalf("unfinished: %v, want -, got +:\n%s", err, diff)
	}

	// Somebody else takes over: the first is locked out.
	theirs := run
	theirs.Token = "t2"
	if err := j.Begin(t.Context(), theirs, nil); err != nil {
		t.Fatal(err)
	}
	if err := j.Mark(t.Context(), run); !errors.Is(err, apply.ErrLeaseLost) {
		t.Errorf("mark of the first: got %v, want ErrLeaseLost", err)
	}
	next := run
	next.ID, next.Token, next.Started = "2", "t3", run.Started.Add(time.Second)
	if err := j.Begin(t.Context(), next, []string{"1"}); err != nil {
		t.Fatal(err)
	}
	if err := j.Mark(t.Context(), theirs); !errors.Is(err, apply.ErrLeaseLost) {
		t.Errorf("mark of a replaced run: got %v, want ErrLeaseLost", err)
	}
	next.Status, next.After = zones.RunDone, layout
	if err := j.Mark(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if open, err := j.Unfinished(t.Context()); err != nil || len(open) > 0 {
		t.Errorf("unfinished: got %v, %v, want none", open, err)
	}
	last, err := j.LastDone(t.Context())
	if err != nil || last == nil || last.ID != "2" || last.Ended.IsZero() {
		t.Errorf("last done: got %+v, %v, want run 2 with its end", last, err)
	}
	if runs, err := j.Runs(t.Context(), 5); err != nil || len(runs) != 2 || runs[0].ID != "2" || runs[1].Status != zones.RunReplaced {
		t.Errorf("runs: got %+v, %v, want 2 and the replaced 1", runs, err)
	}
}
