package zones_test

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/catalog"
	"github.com/geoshard/geoshard/zones/plan"
	"github.com/geoshard/geoshard/zones/verify"
)

// An access is a cluster, the way into it, and the way to the shards' members.
type access struct {
	*catalog.Catalog
	cluster *local.Cluster
	members *options.ClientOptions
}

func open(t *testing.T, c *local.Cluster) access {
	t.Helper()
	world := c.Topology()
	uri, err := c.SecretURI(world.Datacenters[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	member, err := c.SecretMemberURI(world.Shards[0].MemberName(0))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := catalog.Open(t.Context(), catalog.Options{URI: uri})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(context.Background()); err != nil {
			t.Errorf("disconnect: %v", err)
		}
	})
	return access{opened, c, options.Client().ApplyURI(member)}
}

func (s access) plan(t *testing.T, world *topology.Topology, o plan.Options) *zones.Plan {
	t.Helper()
	plan, err := s.Plan(t.Context(), world, o)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// apply plans a world, applies the plan as it was saved to a file, and wants a second plan to have nothing to do.
func (s access) apply(t *testing.T, world *topology.Topology, o plan.Options) *zones.Plan {
	t.Helper()
	plan := s.plan(t, world, o)
	text, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	saved, err := zones.ReadPlan(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	result, err := apply.Apply(t.Context(), saved, s.ApplyDeps(catalog.LockOptions{}), apply.Options{AutoApprove: true, Force: true})
	if err != nil {
		t.Fatalf("apply %v: %v", plan.Steps, err)
	}
	if result.Done != len(plan.Steps) {
		t.Errorf("apply: got %d steps done, want %d", result.Done, len(plan.Steps))
	}
	if again := s.plan(t, world, o); !again.Empty() {
		t.Errorf("planned again: got %v, want nothing to do; applied were %v", again.Steps, plan.Steps)
	}
	return plan
}

// prove verifies a world: every member was asked, no document is outside its zone, and there are as many of them, and of unknown values, as were put there.
func (s access) prove(t *testing.T, world *topology.Topology, want counts) *verify.Report {
	t.Helper()
	r, err := verify.Verify(t.Context(), s.Client(), world, verify.Options{ShardClient: s.members})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Clean() || len(r.NotChecked) > 0 {
		t.Errorf("not clean: %+v", *r)
	}
	if sum := r.Totals(); sum.Documents != want.documents || sum.Unknown != want.unknown {
		t.Errorf("got %d documents, %d of them unknown; want %d and %d: %+v", sum.Documents, sum.Unknown, want.documents, want.unknown, *r)
	}
	for _, ns := range r.Namespaces {
		got := map[topology.ZoneID]int64{}
		for _, m := range primaries(ns.Members) {
			for zone, n := range m.Zones {
				got[zone] += n
			}
		}
		for zone, n := range want.byZone[ns.Name] {
			if got[zone] != n {
				t.Errorf("%s: got %d documents of zone %s, want %d", ns.Name, got[zone], zone, n)
			}
		}
	}
	return r
}

func primaries(members []verify.Member) []verify.Member {
	var all []verify.Member
	for _, m := range members {
		if m.Role == verify.RolePrimary {
			all = append(all, m)
		}
	}
	return all
}

// leave takes away what a world left on the shared cluster: its databases, with their ranges, and its zones.
func (s access) leave(t *testing.T, world *topology.Topology) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dropped := map[string]bool{}
	for _, ns := range world.Namespaces {
		db := collection(s.Client(), ns.Name).Database()
		if dropped[db.Name()] {
			continue
		}
		dropped[db.Name()] = true
		if err := db.Drop(ctx); err != nil {
			t.Errorf("drop %s: %v", db.Name(), err)
		}
	}
	state, err := s.Outline().Read(ctx, []string{world.Namespaces[0].Name})
	if err != nil {
		t.Fatal(err)
	}
	for _, zone := range world.Zones {
		for _, shard := range state.Shards {
			if !slices.Contains(shard.Zones, zone.ID) {
				continue
			}
			if err := s.Perform(ctx, zones.RemoveShardFromZone{Shard: shard.ID, Zone: zone.ID}); err != nil {
				t.Error(err)
			}
		}
	}
}
