package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cart/api"
	"github.com/geoshard/geoshard/cart/shipping"
	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/topology"
)

// shipped waits for the price of the followed cart, and works it out again from the cart that came with it.
func shipped(ctx context.Context, p *play) error {
	b := p.hers
	if p.spoilt("shipping") {
		p.world.places[b.home].shop.StopShipping()
		p.say("spoilt: the shipping process in %s is stopped", p.name(b.home))
	}
	began := time.Now()
	changed, err := p.add(ctx, b, b.home, "mug", 2, "")
	if err != nil {
		return err
	}
	p.show(changed, "the customer adds two mugs")
	var c cart.Cart
	var a client.Answer
	err = p.awaits(ctx, "shipping", "the price of shipping", func(ctx context.Context) (err error) {
		c, a, err = p.current(ctx, b)
		if err == nil && (c.Shipping == nil || c.Shipping.Version != c.Version) {
			err = fmt.Errorf("cart %s has no price for its version %d", b.handle, c.Version)
		}
		return err
	})
	if err != nil {
		return err
	}
	p.took(began, "the background process of %s has priced it", p.name(b.home))
	want := shipping.Quote(c)
	got := cart.Shipping{}
	if c.Shipping != nil {
		got = *c.Shipping
	}
	p.show(a, "priced: %s", quoted(got))
	same(p, "the price is for the cart as it is", quoted(got), quoted(want))
	same(p, "things that are sent: those that can be ordered", got.Items, sum(b.contents())-b.contents()["console"])
	return nil
}

// quoted is a price in words.
func quoted(s cart.Shipping) string {
	return fmt.Sprintf("%d things from %s for %s, of version %d", s.Items, s.Warehouse, money(s.Cost, s.Currency), s.Version)
}

func money(minor int64, currency string) string {
	return fmt.Sprintf("%s %d.%02d", currency, minor/100, minor%100)
}

func sum(items map[string]int) (n int) {
	for _, quantity := range items {
		n += quantity
	}
	return n
}

// analysed orders something in every datacenter, and asks each datacenter for the totals of all.
func analysed(ctx context.Context, p *play) error {
	baskets, err := p.full(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	placed := map[topology.DatacenterID]*SalesReported{}
	token := ""
	for i, dc := range p.world.homes {
		b := baskets[i]
		order, a, err := p.order(ctx, b, token)
		if err != nil {
			return err
		}
		p.show(a, "an order in %s: %d things for %s", p.name(dc), count(order), money(order.Total, order.Currency))
		token = a.Token // who carries it has seen this order and all before it
		placed[dc] = &SalesReported{Datacenter: dc, Currency: order.Currency, Orders: 1, Items: int64(count(order)), Revenue: order.Total}
	}
	p.took(began, "%d orders, each in a transaction at its home", len(placed))
	if p.spoilt("analytics") {
		b, err := p.fill(ctx, p.world.homes[0], "mug")
		if err != nil {
			return err
		}
		_, a, err := p.order(ctx, b, token)
		if err != nil {
			return err
		}
		p.say("spoilt: an order was placed that nobody has written down")
		token = a.Token
	}
	for _, dc := range p.world.homes {
		p.report.Sales = append(p.report.Sales, *placed[dc])
	}
	for _, from := range p.world.homes {
		if err := p.totals(ctx, from, token, placed); err != nil {
			return err
		}
	}
	return nil
}

// full makes a cart in every datacenter, each with another number of things.
func (p *play) full(ctx context.Context) ([]*basket, error) {
	baskets := make([]*basket, len(p.world.homes))
	group, together := errgroup.WithContext(ctx)
	for i, dc := range p.world.homes {
		group.Go(func() error {
			b, err := p.fill(together, dc, "lamp", "notebook")
			if err == nil {
				_, err = p.set(together, b, dc, "lamp", i+1, "", "")
			}
			baskets[i] = b
			return err
		})
	}
	return baskets, group.Wait()
}

func count(o cart.Order) (n int) {
	for _, item := range o.Items {
		n += item.Quantity
	}
	return n
}

// order orders a cart. The ledger keeps it: an ordered cart holds what was ordered.
func (p *play) order(ctx context.Context, b *basket, token string) (cart.Order, client.Answer, error) {
	version, _ := b.seen()
	var order cart.Order
	q := client.Checkout(b.home, b.newest(), version)
	q.Token = token
	a, err := p.send(ctx, q, &order)
	if err == nil {
		b.mu.Lock()
		b.writes++
		b.version++ // the cart is closed by it
		b.mu.Unlock()
	}
	return order, a, err
}

// totals asks one datacenter for the totals of all of them, as new as the token.
func (p *play) totals(ctx context.Context, from topology.DatacenterID, token string, placed map[topology.DatacenterID]*SalesReported) error {
	q := client.Get(from, "analytics")
	q.Token = token
	var analysis api.Analysis
	var a client.Answer
	err := await(ctx, patience, "totals that are as new as the token", func(ctx context.Context) (err error) { // the service says 503 until its copies are
		a, err = p.send(ctx, q, &analysis)
		return err
	})
	if err != nil {
		return err
	}
	age := "of unknown age"
	if analysis.StalenessSeconds != nil {
		age = fmt.Sprintf("at most %.1f s old", *analysis.StalenessSeconds)
	}
	p.show(a, "totals of %d datacenters, read in %s, %s", len(analysis.Sales), p.name(from), age)
	var got, want []string
	for _, s := range analysis.Sales {
		got = append(got, totalled(s))
	}
	for _, s := range placed {
		want = append(want, totalled(cart.Sales{DataCenter: s.Datacenter, Currency: s.Currency, Orders: s.Orders, Items: s.Items, Revenue: s.Revenue}))
	}
	slices.Sort(got)
	slices.Sort(want)
	same(p, "they are the orders that were acknowledged", strings.Join(got, "; "), strings.Join(want, "; "))
	same(p, "and come from copies in", analysis.ReadIn, string(from))
	return nil
}

func totalled(s cart.Sales) string {
	return fmt.Sprintf("%s %d orders, %d things, %s", s.DataCenter, s.Orders, s.Items, money(s.Revenue, s.Currency))
}
