package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/catalog"
)

// planShop plans what the shop's collections need of the topology, and nothing else of it.
func planShop(ctx context.Context, c *catalog.Catalog, t Target) (*zones.Plan, error) {
	return c.Plan(ctx, withShop(t.World, t.Database, t.Field), zones.PlanOptions{Shard: true})
}

// validators are those that a plan wants for collections, by the collections' names without the database.
func validators(plan *zones.Plan) map[string]bson.Raw {
	wanted := map[string]bson.Raw{}
	for _, step := range plan.Steps {
		if set, ok := step.Change.(zones.SetValidator); ok {
			_, name, _ := strings.Cut(set.Collection, ".")
			wanted[name] = set.Validator
		}
	}
	return wanted
}

// shard shards the collections and gives each datacenter's range its zone.
func shard(ctx context.Context, c *catalog.Catalog, t Target, progress func(string)) error {
	plan, err := planShop(ctx, c, t)
	if err != nil {
		return err
	}
	if adds(plan) {
		progress(fmt.Sprintf("collections and zones: %d steps, collections side by side", len(plan.Steps)))
		if err := sideBySide(ctx, plan, c.ApplyDeps(catalog.LockOptions{})); err != nil {
			return err
		}
		if plan, err = planShop(ctx, c, t); err != nil {
			return err
		}
	}
	if plan.Empty() {
		return nil
	}
	progress(fmt.Sprintf("collections and zones: %d steps", len(plan.Steps)))
	approve := func(_ context.Context, steps []zones.Step) (bool, error) {
		return !slices.ContainsFunc(steps, func(s zones.Step) bool { return zones.Drops(s.Change) }), nil
	}
	_, err = zones.Apply(ctx, plan, c.ApplyDeps(catalog.LockOptions{}), zones.ApplyOptions{Approve: approve})
	return err
}

// adds reports whether a plan has steps and all of them add to what is there, for collections that are not sharded yet: there is nothing to go back to, and no
// document that the balancer could move meanwhile.
func adds(plan *zones.Plan) bool {
	fresh := map[string]bool{}
	for _, step := range plan.Steps {
		if s, ok := step.Change.(zones.ShardCollection); ok {
			fresh[s.Collection] = true
		}
	}
	return len(plan.Steps) > 0 && !slices.ContainsFunc(plan.Steps, func(s zones.Step) bool {
		if _, ok := s.Change.(zones.AddShardToZone); ok {
			return false
		}
		name := collectionOf(s.Change)
		return name == "" || !fresh[name]
	})
}

// collectionOf is the collection that a change adds to; empty for all other changes.
func collectionOf(c zones.Change) string {
	switch c := c.(type) {
	case zones.AddRange:
		return c.Collection
	case zones.ShardCollection:
		return c.Collection
	case zones.SetValidator:
		return c.Collection
	}
	return ""
}

// sideBySide makes a plan's steps under the lease: first those of zones, then those of the collections side by side, each collection's in their order. Over a
// WAN, where each waits for round trips, that is several times as fast as zones.Apply, which has a journal to keep; whoever is interrupted plans again.
func sideBySide(ctx context.Context, plan *zones.Plan, deps zones.ApplyDeps) error {
	leased, lease, err := deps.Locker.Lock(ctx)
	if err != nil {
		return err
	}
	defer func() {
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseWithin)
		defer cancel()
		_ = lease.Release(release) // one that cannot be given back expires
	}()
	byCollection := map[string][]zones.Change{}
	for _, step := range plan.Steps {
		name := collectionOf(step.Change)
		byCollection[name] = append(byCollection[name], step.Change)
	}
	perform := func(ctx context.Context, changes []zones.Change) error {
		for _, change := range changes {
			if err := deps.Performer.Perform(ctx, change); err != nil {
				return err
			}
		}
		return nil
	}
	err = perform(leased, byCollection[""])
	delete(byCollection, "")
	if err == nil {
		group, together := errgroup.WithContext(leased)
		for _, changes := range byCollection {
			group.Go(func() error { return perform(together, changes) })
		}
		err = group.Wait()
	}
	if err != nil && errors.Is(context.Cause(leased), zones.ErrLeaseLost) {
		err = hint.New(fmt.Errorf("%w: %w", zones.ErrLeaseLost, err), "run setup again: what is there stays")
	}
	return err
}

// releaseWithin bounds the giving back of the lease when the context has ended.
const releaseWithin = 15 * time.Second

// center is the shard whose home has the least sum of round trips to the homes of all shards: the servers' work of making collections goes from there.
func center(world *topology.Topology) topology.ShardID {
	var best topology.ShardID
	least := time.Duration(-1)
	for _, one := range world.Shards {
		sum := time.Duration(0)
		for _, other := range world.Shards {
			sum += world.RTT(world.HomeOf(one.ID), world.HomeOf(other.ID))
		}
		if least < 0 || sum < least {
			best, least = one.ID, sum
		}
	}
	return best
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
