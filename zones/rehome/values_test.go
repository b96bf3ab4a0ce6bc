package rehome_test

import (
	"context"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/catalog"
	"github.com/geoshard/geoshard/zones/plan"
	"github.com/geoshard/geoshard/zones/rehome"
)

// A home is a value of any type that zones are made of, and documents whose value is of another type of number are at home, too.
func TestHomesOfEveryTypeOfValue(t *testing.T) {
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	from := []topology.Value{
		topology.IntegerOf(1), topology.FloatOf(1.5), topology.StringOf("a"), topology.DateOf(day), topology.ObjectIDOf([12]byte{1}), topology.UUIDOf([16]byte{1}),
	}
	to := []topology.Value{
		topology.IntegerOf(2), topology.FloatOf(2.5), topology.StringOf("b"), topology.DateOf(day.AddDate(1, 0, 0)), topology.ObjectIDOf([12]byte{2}), topology.UUIDOf([16]byte{2}),
	}
	world, err := clustertest.Small()
	if err != nil {
		t.Fatal(err)
	}
	world.Namespaces = []topology.Namespace{{
		Name: "values.accounts", Key: topology.Key{{Name: "at.home"}, {Name: "id"}}, ZoneBy: "at.home", Unknown: topology.UnknownReport, OnlyRanges: true,
		Ranges: []topology.Range{{Zone: "Z0", Values: from}, {Zone: "Z1", Values: to}},
	}}
	if err := world.Validate(); err != nil {
		t.Fatal(err)
	}
	uri, err := clustertest.Alone(t).URI(clustertest.SmallDC)
	if err != nil {
		t.Fatal(err)
	}
	c, err := catalog.Open(t.Context(), catalog.Options{URI: uri})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	plan, err := c.Plan(t.Context(), world, plan.Options{Shard: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := apply.Apply(t.Context(), plan, c.ApplyDeps(catalog.LockOptions{}), apply.Options{AutoApprove: true}); err != nil {
		t.Fatal(err)
	}
	s := shop{t: t, client: c.Client(), world: world, db: "values"}
	var docs []any
	for id, v := range from {
		docs = append(docs, bson.D{{Key: "_id", Value: id}, {Key: "at", Value: bson.D{{Key: "home", Value: shardkey.ValueOf(v)}, {Key: "city", Value: "X"}}}, {Key: "id", Value: id}})
	}
	s.insert("accounts", docs)
	for id, v := range to {
		o := rehome.Options{Namespace: "values.accounts", Filter: bson.D{{Key: "_id", Value: id}}, To: v}
		if got, err := rehome.Rehome(t.Context(), s.client, world, o); err != nil || got.Namespaces[0].After != 1 {
			t.Errorf("to %s: got %+v, %v, want one document moved", v, got, err)
		}
		if got, err := rehome.Rehome(t.Context(), s.client, world, o); err != nil || got.Namespaces[0].Skipped != 1 || got.Namespaces[0].After != 0 {
			t.Errorf("to %s again: got %+v, %v, want it skipped", v, got, err)
		}
		if n := s.count("accounts", bson.D{{Key: "at.home", Value: shardkey.ValueOf(v)}, {Key: "at.city", Value: "X"}}); n != 1 {
			t.Errorf("%d documents are at %s, want 1", n, v)
		}
	}
	if got := s.onShards("accounts"); got != [3]int64{0, 6, 0} {
		t.Errorf("on shards: got %v, want 6 on s1", got)
	}

	s.insert("accounts", []any{bson.D{{Key: "_id", Value: "double"}, {Key: "at", Value: bson.D{{Key: "home", Value: 2.0}}}, {Key: "id", Value: 7}}})
	got, err := rehome.Rehome(t.Context(), s.client, world, rehome.Options{Namespace: "values.accounts", Filter: bson.D{{Key: "_id", Value: "double"}}, To: topology.IntegerOf(2)})
	if err != nil || got.Namespaces[0].Skipped != 1 {
		t.Errorf("2.0 to 2: got %+v, %v, want it skipped", got, err)
	}
}
