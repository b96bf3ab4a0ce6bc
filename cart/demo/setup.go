package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/catalog"
)

// SetupOptions say which shop to make.
type SetupOptions struct {
	Target Target
	// DataCenters get a catalogue and stock. Empty = those of the topology that have a zone of their name.
	DataCenters []topology.DatacenterID
	// Stock is how many of each product a datacenter begins with; 0 = DefaultStock. A stock that is there stays.
	Stock int64
	// Progress hears what has been reached: over a WAN, with its round trips, all of it takes minutes. nil = nobody.
	Progress func(text string)
}

// DefaultStock lasts for a demonstration.
const DefaultStock = 1_000_000

// ErrUnsharded means that collections of the shop are not sharded by the datacenter.
var ErrUnsharded = errors.New("not sharded by the datacenter")

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
	if t.World != nil {
		if err := shard(ctx, t, o.Progress); err != nil {
			return err
		}
		if len(o.DataCenters) == 0 {
			o.DataCenters = homes(t.World)
		}
	}
	if len(o.DataCenters) == 0 {
		return &Error{Err: errors.New("no datacenter is known that carts could be at home in"),
			Help: "name them with --dc, or give a topology (-f) whose zones have the names of datacenters"}
	}
	s, _, err := t.connect(o.DataCenters[0], nil)
	if err != nil {
		return err
	}
	defer func() { _ = s.Client().Disconnect(context.WithoutCancel(ctx)) }() // all is done or has failed by then
	if unsharded, err := s.Unsharded(ctx); err != nil {
		return err
	} else if len(unsharded) > 0 {
		return &Error{Err: fmt.Errorf("%w: %s", ErrUnsharded, strings.Join(unsharded, ", ")), Help: "give a topology with -f, or shard them first, by " + t.Field + " and the second field of docs/cartdemo.md"}
	}
	o.Progress("indexes and validators")
	if err := s.Setup(ctx); err != nil {
		return err
	}
	o.Progress("catalogue and stock")
	return fill(ctx, s, o)
}

// shard plans and applies what the shop's collections need of the topology, and nothing else of it.
func shard(ctx context.Context, t Target, progress func(string)) error {
	c, err := catalog.Open(ctx, catalog.Options{URI: t.URI})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(context.WithoutCancel(ctx)) }() // all is done or has failed by then
	plan, err := c.Plan(ctx, withShop(t.World, t.Database, t.Field), zones.PlanOptions{Shard: true})
	if err != nil || plan.Empty() {
		return err
	}
	approve := func(_ context.Context, steps []zones.Step) (bool, error) {
		for _, step := range steps {
			if zones.Drops(step.Change) {
				return false, nil
			}
		}
		return true, nil // new ranges of collections that are new as well
	}
	progress(fmt.Sprintf("collections and zones: %d steps", len(plan.Steps)))
	_, err = zones.Apply(ctx, plan, c.ApplyDeps(catalog.LockOptions{}), zones.ApplyOptions{Approve: approve})
	return err
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
			if currency, ok := currencies[dc.Countries[0]]; ok {
				return currency
			}
		}
	}
	return "EUR"
}

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
	group.SetLimit(atOnce)
	for _, dc := range o.DataCenters {
		for _, p := range products {
			p.DataCenter, p.Currency = dc, currencyOf(o.Target.World, dc)
			group.Go(func() error {
				if err := s.PutProduct(ctx, durable, p); err != nil {
					return fmt.Errorf("catalogue of %s: %w", dc, err)
				}
				if err := s.BeginStock(ctx, durable, cart.Stock{DataCenter: dc, SKU: p.SKU, Available: amount}); err != nil {
					return fmt.Errorf("stock of %s: %w", dc, err)
				}
				return nil
			})
		}
	}
	return group.Wait()
}

// atOnce is how many products are written at a time: each waits for a majority, which is far away.
const atOnce = 8
