package server

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/placement"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/catalog"
	"github.com/geoshard/geoshard/zones/plan"
)

// planShop plans what the shop's collections need of the topology, and nothing else of it.
func planShop(ctx context.Context, c *catalog.Catalog, t Target) (*zones.Plan, error) {
	return c.Plan(ctx, withShop(t.World, t.Database, t.Field), plan.Options{Shard: true})
}

// validators are those that a plan wants for collections, by the collections' names without the database.
func validators(plan *zones.Plan) map[string]bson.Raw {
	wanted := map[string]bson.Raw{}
	for _, step := range plan.Steps {
		if set, ok := step.Change.(zones.SetValidator); ok {
			_, name, _ := strings.Cut(set.Collection, ".")
			wanted[name] = bson.Raw(set.Validator)
		}
	}
	return wanted
}

// shard shards the collections and gives each datacenter's range its zone.
func shard(ctx context.Context, c *catalog.Catalog, t Target, progress func(string)) error {
	plan, err := planShop(ctx, c, t)
	if err != nil || plan.Empty() {
		return err
	}
	progress(fmt.Sprintf("collections and zones: %d steps", len(plan.Steps)))
	approve := func(_ context.Context, steps []zones.Step) (bool, error) {
		return !slices.ContainsFunc(steps, func(s zones.Step) bool { return zones.Drops(s.Change) }), nil
	}
	_, err = apply.Apply(ctx, plan, c.ApplyDeps(catalog.LockOptions{}), apply.Options{Approve: approve})
	return err
}

// center is the shard from whose home all the others are reached soonest: the servers' work of making collections goes from there.
func center(world *topology.Topology) topology.ShardID {
	homes := make([]topology.DatacenterID, len(world.Shards))
	for i, shard := range world.Shards {
		homes[i] = world.HomeOf(shard.ID)
	}
	if at := placement.Center(world, homes); at >= 0 {
		return world.Shards[at].ID
	}
	return ""
}

// withShop is a topology with the shop's namespaces alone. One that the topology declares stays as it is declared.
func withShop(world *topology.Topology, database, field string) *topology.Topology {
	shop := *world
	shop.Namespaces = nil
	for _, ns := range store.Namespaces(database, field) {
		if declared, ok := world.Namespace(ns.Name); ok {
			ns = declared
			ns.Related = nil // may name what is left out here
		}
		shop.Namespaces = append(shop.Namespaces, ns)
	}
	slices.SortFunc(shop.Namespaces, func(a, b topology.Namespace) int { return strings.Compare(a.Name, b.Name) })
	return &shop
}
