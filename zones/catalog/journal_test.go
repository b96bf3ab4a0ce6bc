package catalog_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/catalog"
)

// runOf is a run whose layouts have that many ranges before and after, in three collections.
func runOf(t testing.TB, id string, ranges int) zones.Run {
	t.Helper()
	run := zones.Run{
		ID: id, Plan: "p", StateHash: "h", Status: zones.RunGoing, Owner: "ann", Token: "t1", Started: time.Now().UTC().Truncate(time.Millisecond), Holds: []string{}, Steps: []zones.RunStep{},
	}
	for _, layout := range []*zones.Layout{&run.Before, &run.After} {
		layout.Zones = []zones.ZoneShards{{Zone: "A", Shards: []topology.ShardID{"s0", "s1"}}, {Zone: "B", Shards: []topology.ShardID{"s2"}}}
		for c := range 3 {
			layout.Collections = append(layout.Collections, zones.Placement{Collection: fmt.Sprintf("shop.c%d", c), Key: byDC, Reject: key(t, "x", c)})
		}
		for i := range ranges {
			p := &layout.Collections[i*3/ranges]
			p.Ranges = append(p.Ranges, zones.Range{Min: key(t, i, lowest), Max: key(t, i+1, lowest), Zone: "A"})
			run.Steps = append(run.Steps, zones.RunStep{Step: fmt.Sprintf("- %s: range %d of A", p.Collection, i), Hash: fmt.Sprintf("%064d", i), Status: zones.StepWaiting})
		}
	}
	return run
}

// However a run is cut, it comes back whole, and no part is much greater than it may be.
func TestRunsAreCutAndJoined(t *testing.T) {
	cuts := 0
	for _, ranges := range []int{0, 1, 2, 7, 100} {
		for _, limit := range []int{1, 300, 1000, 5000, 1 << 20} {
			run := runOf(t, "r", ranges)
			back, sizes := catalog.CutAndJoin(t, run, limit)
			if diff := cmp.Diff(run, back); diff != "" {
				t.Errorf("%d ranges in parts of %d: want -, got +:\n%s", ranges, limit, diff)
			}
			for _, size := range sizes {
				if size > 2*limit+600 { // the smallest thing may be greater than the limit
					t.Errorf("%d ranges in parts of %d: a part has %d bytes", ranges, limit, size)
				}
			}
			cuts += len(sizes)
		}
	}
	t.Logf("%d parts", cuts)
}

// A run that is more than a document holds is journalled, marked, interrupted and found again.
func TestTheJournalHoldsMoreThanADocument(t *testing.T) {
	c := open(t)
	cleanJournal(t, c)
	ranges := testkit.Count(t, "ranges", 12_000, 100_000)
	run := runOf(t, "big", ranges)
	for i := range run.Steps { // a document's worth needs fewer of them so
		run.Steps[i].Step += strings.Repeat(" and so on", 60)
	}
	whole, err := bson.Marshal(run)
	if err != nil || len(whole) <= 16<<20 {
		t.Fatalf("the run has %d bytes, %v, want more than a document may have", len(whole), err)
	}
	j, began := c.Journal(), time.Now()
	if err := j.Begin(t.Context(), run, nil); err != nil {
		t.Fatal(err)
	}
	begin := time.Since(began)
	for i := range run.Steps[:ranges] {
		run.Steps[i].Status = zones.StepDone
	}
	run.Steps[ranges] = zones.RunStep{Step: run.Steps[ranges].Step, Hash: run.Steps[ranges].Hash, Status: zones.StepFailed, Error: "not primary"}
	run.Status, run.Error, run.Holds = zones.RunFailed, "not primary", []string{"shop.c1"}
	began = time.Now()
	if err := j.Mark(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	mark := time.Since(began)
	began = time.Now()
	open, err := j.Unfinished(t.Context())
	if err != nil || len(open) != 1 || open[0].Ended.IsZero() {
		t.Fatalf("got %d runs, %v, want the one with its end", len(open), err)
	}
	open[0].Ended = time.Time{}
	if !reflect.DeepEqual(run, open[0]) {
		t.Error("the run came back otherwise") // the difference would fill the screen
	}
	parts, err := c.Client().Database("geoshard").Collection("journalParts").CountDocuments(t.Context(), bson.D{})
	if err != nil || parts < 2 {
		t.Errorf("got %d parts, %v, want several", parts, err)
	}
	t.Logf("%d ranges before and after, %d steps, %d MB: %d parts, written in %s, read in %s, marked in %s", ranges, len(run.Steps), len(whole)>>20, parts, begin.Round(time.Millisecond),
		time.Since(began).Round(time.Millisecond), mark.Round(time.Millisecond))

	if _, err := c.Client().Database("geoshard").Collection("journalParts").DeleteOne(t.Context(), bson.D{}); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Unfinished(t.Context()); err == nil {
		t.Error("a run without one of its parts was read")
	} else {
		t.Log(err)
	}
}

// What an earlier program wrote, all in one document, is read, taken over, and goes on.
func TestRunsOfAnEarlierProgramGoOn(t *testing.T) {
	c := open(t)
	cleanJournal(t, c)
	run := runOf(t, "old", 3)
	run.Steps[0].Status, run.Steps[1].Status = zones.StepDone, zones.StepStarted
	if _, err := c.Client().Database("geoshard").Collection("journal").InsertOne(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	j := c.Journal()
	want := func(what string) {
		t.Helper()
		open, err := j.Unfinished(t.Context())
		if diff := cmp.Diff([]zones.Run{run}, open); err != nil || diff != "" {
			t.Errorf("%s: %v, want -, got +:\n%s", what, err, diff)
		}
	}
	want("found")
	run.Token = "t2"
	if err := j.Begin(t.Context(), run, nil); err != nil {
		t.Fatal(err)
	}
	want("taken over")
	run.Steps[1].Status, run.Steps[2].Status = zones.StepDone, zones.StepStarted
	if err := j.Mark(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	want("marked")
}
