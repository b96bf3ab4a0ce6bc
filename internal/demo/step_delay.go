package demo

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/topology"
)

const consolesPerPlace = 3

// delayed plays the race of the articles: a supplier's notice makes the console late in every cart while the customer adds a flashlight.
func delayed(ctx context.Context, p *play) error {
	if p.spoilt("delay") {
		dc := p.lost()
		p.places[dc].shop.StopInventory()
		p.say("spoilt: the inventory service in %s is stopped", dc)
	}
	if err := p.consoles(ctx); err != nil {
		return err
	}
	wanted := map[topology.DatacenterID]int{}
	for _, b := range p.all() {
		if b.contents()["console"] > 0 {
			wanted[b.home]++
		}
	}
	before := map[topology.DatacenterID]int64{}
	for dc, place := range p.places {
		before[dc] = place.marked.Load()
	}
	began := time.Now()
	if err := p.race(ctx); err != nil {
		return err
	}
	marked := func(dc topology.DatacenterID) int { return int(p.places[dc].marked.Load() - before[dc]) }
	err := p.awaits(ctx, "delay", "all carts to know of the delay", func(context.Context) error {
		for dc, n := range wanted {
			if got := marked(dc); got < n {
				return fmt.Errorf("%s has marked %d of %d", dc, got, n)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.took(began, "the notice has reached the carts in all datacenters")
	for _, dc := range p.homes {
		same(p, fmt.Sprintf("carts that %s's inventory service has marked, of those at home there", p.name(dc)), marked(dc), wanted[dc])
	}
	if err := p.markedOnce(ctx); err != nil {
		return err
	}
	return p.agreed(ctx)
}

// consoles makes carts with a console in every datacenter.
func (p *play) consoles(ctx context.Context) error {
	began := time.Now()
	at := slices.Repeat(p.homes, consolesPerPlace)
	if _, err := together(ctx, at, func(ctx context.Context, dc topology.DatacenterID) (*basket, error) {
		return p.fill(ctx, dc, "console", "mug")
	}); err != nil {
		return err
	}
	p.took(began, "%d more carts with a console in each datacenter", consolesPerPlace)
	return nil
}

// race publishes the notice, away from the followed cart's home, and adds the flashlight at the same time.
func (p *play) race(ctx context.Context) error {
	b := p.hers
	supplier := p.neighbour(b.home)
	var notice cart.Notice
	var published, added client.Answer
	group, both := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		published, err = p.send(both, client.Publish(supplier, "console", time.Now().AddDate(0, 1, 0).Truncate(time.Hour), "the supplier is late"), &notice)
		return err
	})
	group.Go(func() (err error) {
		added, err = p.add(both, b, b.home, "flashlight", 1, "")
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	p.notice = notice.ID
	p.show(published, "a supplier's notice in %s: no console before %s", supplier, notice.Until.Format(time.DateOnly))
	p.show(added, "at the same time the customer in %s adds a flashlight", b.home)
	return nil
}

// current reads a cart where it is written, so that nothing is missed; it is for checks, not for customers.
func (p *play) current(ctx context.Context, b *basket) (c cart.Cart, a client.Answer, err error) {
	a, err = p.readPrimary(ctx, b.home, b, &c)
	return c, a, err
}

// readPrimary reads a cart from its shard's primary, by way of a gateway.
func (p *play) readPrimary(ctx context.Context, from topology.DatacenterID, b *basket, into any) (client.Answer, error) {
	q := client.ReadCart(from, b.newest())
	q.Profile = "multi-datacenter"
	return p.send(ctx, q, into)
}

// marks counts how often the console of a cart was marked for the notice; marks of anything else count as well, and are wrong.
func (p *play) marks(c cart.Cart) (n int) {
	for _, item := range c.Items {
		for _, d := range item.Delays {
			if item.SKU != "console" || d.Notice != p.notice {
				return -1
			}
			n++
		}
	}
	return n
}

// markedOnce checks that each console was marked once, and nothing else.
func (p *play) markedOnce(ctx context.Context) error {
	consoles, wrong := 0, []string{}
	for _, b := range p.all() {
		want := min(1, b.contents()["console"])
		consoles += want
		c, _, err := p.current(ctx, b)
		if err != nil {
			return err
		}
		if got := p.marks(c); got != want {
			wrong = append(wrong, b.handle)
		}
	}
	slices.Sort(wrong)
	same(p, fmt.Sprintf("carts that were not marked exactly once, of %d with a console and %d without", consoles, len(p.all())-consoles), len(wrong), 0)
	return nil
}

// agreed reads the followed cart in every datacenter: both changes are in it, and all say the same.
func (p *play) agreed(ctx context.Context) error {
	b := p.hers
	now, a, err := p.current(ctx, b)
	if err != nil {
		return err
	}
	p.show(a, "the customer's cart: %s", list(things(now)))
	want := b.contents()
	same(p, "nothing that the customer added is lost", list(things(now)), list(want))
	delete(want, "console")
	same(p, "and what can be ordered is", list(things(cart.Cart{Items: now.Active()})), list(want))
	// Whoever was told of this version sees no older one, wherever he reads.
	b.mu.Lock()
	b.version, b.token = now.Version, cmp.Or(a.Token, b.token)
	b.mu.Unlock()
	for _, from := range p.homes {
		c, a, err := p.look(ctx, b, from, true)
		if err != nil {
			return err
		}
		p.show(a, "the same cart in %s: version %d", from, c.Version)
		p.check("it is the same there", c.Version >= now.Version && list(things(c)) == list(things(now)), list(things(c)), list(things(now)))
	}
	return nil
}
