package catalog_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/catalog"
	"github.com/geoshard/geoshard/zones/plan"
)

// planWorld wants A and B of planned.carts the other way round than sharded makes them.
const planWorld = `version: 1
datacenters: {HERE: {name: Here}}
shards:
  s0: {members: [{dc: HERE, priority: 1}]}
  s1: {members: [{dc: HERE, priority: 1}]}
  s2: {members: [{dc: HERE, priority: 1}]}
zones:
  planned.carts-A: {shards: [s0]}
  planned.carts-B: {shards: [s1]}
namespaces:
  planned.carts: {key: {dc: 1, id: 1}, zoneBy: dc, onlyRanges: true, ranges: [{zone: planned.carts-B, values: [A]}, {zone: planned.carts-A, values: [B]}]}
`

// A plan of a real cluster counts what moves and finds documents of values that nobody declared; a status counts the same.
func TestPlanAndStatusAskTheServers(t *testing.T) {
	c := open(t)
	sharded(t, c, "planned.carts")
	fill(t, c, "planned.carts", map[any]int{"A": 30, "B": 20, "C": 7})
	world, err := topology.Parse("world.yaml", []byte(planWorld))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := c.Plan(t.Context(), world, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if f := plan.Forecast; f.Documents != 50 || !f.Measured || len(f.Moves) != 2 {
		t.Errorf("got %d documents in %d moves, measured %v; want 50 in 2, measured", f.Documents, len(f.Moves), f.Measured)
	}
	if plan.Applying <= 0 || plan.Applying > 20*time.Second {
		t.Errorf("applying %d steps is expected to take %s", len(plan.Steps), plan.Applying)
	}
	t.Logf("applying %d steps is expected to take %s", len(plan.Steps), plan.Applying)
	i := slices.IndexFunc(plan.Findings, func(f zones.Finding) bool { return f.Subject == "planned.carts" && f.Rule == "unknown-values" })
	if i < 0 {
		t.Errorf("got findings %v, want the 7 documents of C", plan.Findings)
	} else {
		t.Log(plan.Findings[i].Message)
	}
	status, err := c.Status(t.Context(), world)
	if err != nil {
		t.Fatal(err)
	}
	if status.Changes != len(plan.Steps) || status.Left == nil || status.Left.Documents != 50 {
		t.Errorf("got %d changes and %v left, want %d and 50 documents", status.Changes, status.Left, len(plan.Steps))
	}
}

// A role is created once; another one of its name is left as it is.
func TestCreateRole(t *testing.T) {
	c := open(t)
	role := plan.PlanRole([]string{"roles.carts"})
	role.Name = "geoshardPlanTest"
	if err := c.CreateRole(t.Context(), role); err != nil {
		t.Fatal(err)
	}
	err := c.CreateRole(t.Context(), role)
	var known *catalog.Error
	if !errors.Is(err, catalog.ErrRoleExists) || !errors.As(err, &known) || known.Hint() == "" {
		t.Errorf("got %v, want ErrRoleExists with a hint", err)
	}
}
