package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

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
		p.places[b.home].shop.StopShipping()
		p.say("spoilt: the shipping process in %s is stopped", b.home)
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
	p.took(began, "the background process of %s has priced it", b.home)
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
	baskets, err := together(ctx, p.homes, func(ctx context.Context, dc topology.DatacenterID) (*basket, error) { // each with another number of things
		b, err := p.fill(ctx, dc, "lamp", "notebook")
		if err == nil {
			_, err = p.set(ctx, b, dc, "lamp", slices.Index(p.homes, dc)+1, "", "")
		}
		return b, err
	})
	if err != nil {
		return err
	}
	began := time.Now()
	var placed []cart.Sales
	token := ""
	for i, dc := range p.homes {
		b := baskets[i]
		order, a, err := p.order(ctx, b, token)
		if err != nil {
			return err
		}
		n := cart.Cart{Items: order.Items}.Count()
		p.show(a, "an order in %s: %d things for %s", dc, n, money(order.Total, order.Currency))
		token = a.Token // who carries it has seen this order and all before it
		placed = append(placed, cart.Sales{DataCenter: dc, Currency: order.Currency, Orders: 1, Items: int64(n), Revenue: order.Total})
	}
	p.took(began, "%d orders, each in a transaction at its home", len(placed))
	if p.spoilt("analytics") {
		b, err := p.fill(ctx, p.homes[0], "mug")
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
	for _, sales := range placed {
		p.report.Sales = append(p.report.Sales, SalesReported(sales))
	}
	for _, from := range p.homes {
		if err := p.totals(ctx, from, token, placed); err != nil {
			return err
		}
	}
	return nil
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
func (p *play) totals(ctx context.Context, from topology.DatacenterID, token string, placed []cart.Sales) error {
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
	p.show(a, "totals of %d datacenters, read in %s, %s", len(analysis.Sales), from, age)
	same(p, "they are the orders that were acknowledged", totalled(analysis.Sales), totalled(placed))
	same(p, "and come from copies in", analysis.ReadIn, string(from))
	return nil
}

func totalled(all []cart.Sales) string {
	var texts []string
	for _, s := range all {
		texts = append(texts, fmt.Sprintf("%s %d orders, %d things, %s", s.DataCenter, s.Orders, s.Items, money(s.Revenue, s.Currency)))
	}
	slices.Sort(texts)
	return strings.Join(texts, "; ")
}
