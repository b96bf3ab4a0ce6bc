package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/placement"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/catalog"
	"github.com/geoshard/geoshard/zones/plan"
)

// SetupOptions say which shop to make.
type SetupOptions struct {
	Target Target
	// DataCenters get a catalogue and stock. Empty = those of the topology that have a zone of their name.
	DataCenters []topology.DatacenterID
	// Stock is how many of each product a datacenter begins with; 0 = DefaultStock. A stock that is there stays.
	Stock int64
	// Planned hears what the shop's collections lack, before anything is made of it. nil = nobody.
	Planned func(*zones.Plan)
	// Progress hears what has been reached: over a WAN, with its round trips, all of it takes a while. nil = nobody.
	Progress func(text string)
}

// DefaultStock lasts for a demonstration.
const DefaultStock = 1_000_000

// Setup makes a shop: it shards the collections and gives each datacenter's range its zone, where there is a topology to do it by; creates indexes and
// validators, the catalogue and the stock. What is there stays, so it can be run again.
func Setup(ctx context.Context, o SetupOptions) error {
	t, err := o.Target.complete(ctx, "")
	if err != nil {
		return err
	}
	o.Target = t
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if len(o.DataCenters) == 0 && t.World != nil {
		o.DataCenters = placement.Homes(t.World)
	}
	if len(o.DataCenters) == 0 {
		return hint.New(errors.New("no datacenter is known that carts could be at home in"),
			"name them with --dc, or give a topology (-f) whose zones have the names of datacenters")
	}
	s, _, err := t.connect(o.DataCenters[0], nil)
	if err != nil {
		return err
	}
	defer func() { _ = s.Client().Disconnect(context.WithoutCancel(ctx)) }() // all is done or has failed by then
	if t.World != nil {
		err = collections(ctx, s, o)
	} else if err = sharded(ctx, s, t); err == nil {
		o.Progress("indexes and validators")
		err = s.Setup(ctx, nil)
	}
	if err != nil {
		return err
	}
	o.Progress("catalogue and stock")
	return fill(ctx, s, o)
}

// collections makes the shop's collections and shards them. Made first, with all that belongs to them, they are sharded with it: to change a sharded one
// takes as long as to shard it. So there are two plans: the first says which validators they are to have, and an apply takes none but of the state as it is then.
func collections(ctx context.Context, s *store.Store, o SetupOptions) error {
	shop := withShop(o.Target)
	c, err := catalog.Open(ctx, catalog.Options{URI: o.Target.URI})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(context.WithoutCancel(ctx)) }() // all is done or has failed by then
	if err := s.PlaceAt(ctx, center(shop)); err != nil {
		return err
	}
	wanted, err := c.Plan(ctx, shop, plan.Options{Shard: true})
	if err != nil {
		return err
	}
	if o.Planned != nil {
		o.Planned(wanted)
	}
	o.Progress("collections, indexes and validators")
	if err := s.Setup(ctx, validators(wanted)); err != nil {
		return err
	}
	lacking, err := c.Plan(ctx, shop, plan.Options{Shard: true})
	if err == nil && !lacking.Empty() {
		o.Progress(fmt.Sprintf("collections and zones: %d steps", len(lacking.Steps)))
		_, err = apply.Apply(ctx, lacking, c.ApplyDeps(catalog.LockOptions{}), apply.Options{Approve: dropsNothing})
	}
	if err != nil {
		return err
	}
	return sharded(ctx, s, o.Target)
}

// sharded refuses a shop whose records would not be where they belong.
func sharded(ctx context.Context, s *store.Store, t Target) error {
	unsharded, err := s.Unsharded(ctx)
	if err == nil && len(unsharded) > 0 {
		err = hint.New(fmt.Errorf("not sharded by the datacenter: %s", strings.Join(unsharded, ", ")), "give a topology with -f, or shard them first, by "+t.Field+" and the second field of docs/cartdemo.md")
	}
	return err
}

// products are what the shop sells, in minor units.
var products = []cart.Product{
	{SKU: "book", Name: "A book about clocks", Price: 1299}, {SKU: "console", Name: "A game console", Price: 29_900},
	{SKU: "flashlight", Name: "A flashlight", Price: 999}, {SKU: "kettle", Name: "A kettle", Price: 2450}, {SKU: "lamp", Name: "A desk lamp", Price: 3900},
	{SKU: "mug", Name: "A mug", Price: 750}, {SKU: "notebook", Name: "A notebook", Price: 420}, {SKU: "umbrella", Name: "An umbrella", Price: 1850},
}

// currencies are by the first country of a datacenter.
var currencies = map[string]string{"US": "USD", "CA": "CAD", "GB": "GBP", "AU": "AUD", "JP": "JPY", "SG": "SGD"}

func currencyOf(world *topology.Topology, id topology.DatacenterID) string {
	if world != nil {
		if dc, _ := world.Datacenter(id); len(dc.Countries) > 0 {
			return cmp.Or(currencies[dc.Countries[0]], "EUR")
		}
	}
	return "EUR"
}

// fill writes the catalogue and the stock of all datacenters side by side, each of them with one message.
func fill(ctx context.Context, s *store.Store, o SetupOptions) error {
	durable, err := consistency.Lookup("durable")
	if err != nil {
		return err
	}
	amount := o.Stock
	if amount <= 0 {
		amount = DefaultStock
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, dc := range o.DataCenters {
		goods, shelf := slices.Clone(products), make([]cart.Stock, len(products))
		for i := range goods {
			goods[i].DataCenter, goods[i].Currency = dc, currencyOf(o.Target.World, dc)
			shelf[i] = cart.Stock{DataCenter: dc, SKU: goods[i].SKU, Available: amount}
		}
		group.Go(func() error {
			if err := s.PutProducts(ctx, durable, goods...); err != nil {
				return fmt.Errorf("catalogue of %s: %w", dc, err)
			}
			return nil
		})
		group.Go(func() error {
			if err := s.BeginStock(ctx, durable, shelf...); err != nil {
				return fmt.Errorf("stock of %s: %w", dc, err)
			}
			return nil
		})
	}
	return group.Wait()
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

// dropsNothing approves steps that take nothing away.
func dropsNothing(_ context.Context, steps []zones.Step) (bool, error) {
	return !slices.ContainsFunc(steps, func(s zones.Step) bool { return zones.Drops(s.Change) }), nil
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

// withShop is a target's topology with the shop's namespaces alone. One that the topology declares stays as it is declared.
func withShop(t Target) *topology.Topology {
	shop := *t.World
	shop.Namespaces = nil
	for _, ns := range store.Namespaces(t.Database, t.Field) {
		if declared, ok := t.World.Namespace(ns.Name); ok {
			ns = declared
			ns.Related = nil // may name what is left out here
		}
		shop.Namespaces = append(shop.Namespaces, ns)
	}
	slices.SortFunc(shop.Namespaces, func(a, b topology.Namespace) int { return strings.Compare(a.Name, b.Name) })
	return &shop
}
