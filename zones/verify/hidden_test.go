package verify_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/verify"
)

// A hidden member is looked at like any other, and named. A delayed one is named and not looked at: it holds what the others held then, here an orphan that is
// gone everywhere else.
func TestHiddenAndDelayedMembersAreNamed(t *testing.T) {
	s := start(t)
	ns := carts("hidden.carts")
	s.place(t, ns.Name, 1)
	s.fill(t, ns.Name, 20)
	orphan := append(bson.D{{Key: "_id", Value: "orphan"}}, key("NYC", 999)...)
	s.insert(t, s.primary(t, "syd"), ns.Name, orphan)
	status, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hidden, _ := status.Member("syd/LON")
	delayed, _ := status.Member("syd/NYC")
	s.reconfigure(t, "syd", map[string]bson.M{
		hidden.Host:  {"priority": 0, "hidden": true},
		delayed.Host: {"priority": 0, "hidden": true, "secondaryDelaySecs": 3600},
	})
	all := options.Collection().SetWriteConcern(writeconcern.Majority()) // all but the delayed one
	gone, err := s.primary(t, "syd").Database("hidden").Collection("carts", all).DeleteOne(t.Context(), bson.D{{Key: "_id", Value: "orphan"}})
	if err != nil || gone.DeletedCount != 1 {
		t.Fatalf("delete the orphan: %v, %v", gone, err)
	}

	r := s.verify(t, s.declare(ns), verify.Options{})
	if !r.Clean() {
		t.Errorf("got %+v, want no orphans", r.Totals())
	}
	looked := map[string]bool{}
	for _, m := range r.Namespaces[0].Members {
		looked[m.Host] = true
		if m.Hidden != (m.Host == hidden.Host) || m.Documents != 20 {
			t.Errorf("%s: got hidden %t and %d documents, want hidden %t and 20", m.Host, m.Hidden, m.Documents, m.Host == hidden.Host)
		}
	}
	if len(looked) != 8 || looked[delayed.Host] || !looked[hidden.Host] {
		t.Errorf("got %v, want all members but %s", looked, delayed.Host)
	}
	want := "member " + delayed.Host + " of shard syd: it is delayed by 3600 s by design"
	if !slices.ContainsFunc(r.NotChecked, func(text string) bool { return strings.HasPrefix(text, want) }) {
		t.Errorf("got %q, want %q", r.NotChecked, want)
	}
}

// reconfigure changes members of a shard, by their hosts, until the test ends.
func (s opened) reconfigure(t *testing.T, shard topology.ShardID, members map[string]bson.M) {
	t.Helper()
	admin := s.primary(t, shard).Database("admin")
	var answer struct {
		Config struct {
			Version int32
			Members []bson.M
			Rest    bson.M `bson:",inline"`
		}
	}
	if err := admin.RunCommand(t.Context(), bson.D{{Key: "replSetGetConfig", Value: 1}}).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	set := func(ctx context.Context, version int32, members []bson.M) {
		t.Helper()
		config := answer.Config
		config.Version, config.Members = version, members
		if err := admin.RunCommand(ctx, bson.D{{Key: "replSetReconfig", Value: config}}).Err(); err != nil {
			t.Fatalf("reconfigure %s: %v", shard, err)
		}
	}
	var changed []bson.M
	for _, before := range answer.Config.Members {
		after := maps.Clone(before)
		maps.Copy(after, members[before["host"].(string)])
		changed = append(changed, after)
	}
	set(t.Context(), answer.Config.Version+1, changed)
	t.Cleanup(func() { set(context.WithoutCancel(t.Context()), answer.Config.Version+2, answer.Config.Members) })
}

// What is no collection has no documents of its own: it is named, and stops nothing else.
func TestViewsAndTimeSeriesAreNamed(t *testing.T) {
	s := start(t)
	ns, view, series := carts("kinds.carts"), carts("kinds.view"), carts("kinds.series")
	s.place(t, ns.Name, 1)
	s.fill(t, ns.Name, 5)
	db := s.router.Database("kinds")
	if err := db.CreateView(t.Context(), "view", "carts", mongo.Pipeline{}); err != nil {
		t.Fatal(err)
	}
	if err := db.CreateCollection(t.Context(), "series", options.CreateCollection().SetTimeSeriesOptions(options.TimeSeries().SetTimeField("at"))); err != nil {
		t.Fatal(err)
	}
	for _, viaRouter := range []bool{false, true} {
		r := s.verify(t, s.declare(ns, view, series), verify.Options{ViaRouter: viaRouter})
		if len(r.Namespaces) != 1 || r.Totals().Documents != 15 {
			t.Errorf("via router %t: got %d namespaces and %+v, want the collection alone", viaRouter, len(r.Namespaces), r.Totals())
		}
		for _, want := range []string{"kinds.view: it is a view", "kinds.series: it is a time series"} {
			if !slices.ContainsFunc(r.NotChecked, func(text string) bool { return strings.HasPrefix(text, want) }) {
				t.Errorf("via router %t: got %q, want %q", viaRouter, r.NotChecked, want)
			}
		}
	}
}
