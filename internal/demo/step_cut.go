package demo

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/topology"
)

// cutOff cuts a datacenter off: its carts go on elsewhere, new customers are served elsewhere, and after the healing all comes home.
func cutOff(ctx context.Context, p *play) error {
	dc, profile := p.lost(), p.outlasting()
	if err := p.led(ctx, dc); err != nil {
		return err
	}
	if err := p.lookAround(ctx); err != nil {
		return err
	}
	for _, home := range p.homes { // or a cart that is meant for one would be made elsewhere
		if err := p.awaitServing(ctx, home); err != nil {
			return err
		}
	}
	theirs, others, err := p.writers(ctx, dc, profile)
	if err != nil {
		return err
	}
	at := slices.Index(p.homes, dc)
	inside := theirs[at].basket
	theirs = slices.Delete(theirs, at, at+1)
	bystanders := p.work(ctx, others)
	defer bystanders.abandon()
	load := p.work(ctx, nil)
	defer load.abandon()
	if profile != localFast { // what one member acknowledges in the moment before the cut may be lost with it; that is what the profile says
		load.also(theirs)
	}
	began := time.Now()
	if p.spoilt("cut") {
		p.say("spoilt: the links are left as they are")
	} else if err := cluster.Isolate(ctx, p.cluster, dc); err != nil {
		return err
	}
	if profile == localFast {
		load.also(theirs)
	}
	p.say("all links of %s are cut: members, query router, shop and gateway are alone", dc)
	shard := p.shardOf(dc)
	next, err := p.awaitPrimary(ctx, "cut", "a primary of "+string(shard)+" elsewhere", shard, func(m cluster.Member) bool { return m.Datacenter != dc })
	if err != nil {
		return err
	}
	p.took(began, "%s is elected", cmp.Or(next, "nobody"))
	p.check("a member elsewhere is primary", next != "", next, "one outside of "+string(dc))
	if err := p.goOn(ctx, dc, profile, inside); err != nil {
		return err
	}
	hit, calm, err := ended(load, bystanders, began)
	if err != nil {
		return err
	}
	hit.longest.Member = p.primaryOf(shard)
	p.show(hit.longest, "the longest of %d writes to its carts: held, and tried %d times", len(hit.answers), hit.longest.Tries)
	p.unrefused("errors that clients elsewhere saw", append(hit.refused, calm.refused...))
	return p.heal(ctx, dc, inside, hit.longest.Took)
}

// outlasting is the profile of writes that go on when a datacenter is lost: empty for the shop's own, where the topology survives that in full.
func (p *play) outlasting() string {
	if p.topology.Survive == topology.SurviveDatacenter {
		return ""
	}
	p.say("here writes that two datacenters acknowledge would wait for the second one, so these are writes of one member")
	return localFast
}

// led waits until the datacenter leads its own shard alone: one that the failover before has left there would be lost with it.
func (p *play) led(ctx context.Context, dc topology.DatacenterID) error {
	return p.awaitStatus(ctx, "the other shards to be led elsewhere", func(s cluster.Status) bool {
		for _, shard := range p.topology.Shards {
			m, ok := s.Primary(shard.ID)
			if !ok || (m.Datacenter == dc) != (p.topology.HomeOf(shard.ID) == dc) {
				return false
			}
		}
		return true
	})
}

// goOn shows what goes on while the datacenter is cut off.
func (p *play) goOn(ctx context.Context, dc topology.DatacenterID, profile string, b *basket) error {
	from := p.neighbour(dc)
	at := p.at(dc)
	if at != nil {
		remaining := client.Nearest(p.topology, p.others(dc), *at)
		made, a, err := p.create(ctx, from, at, p.name(dc), profile)
		if err != nil {
			return err
		}
		p.show(a, "a new cart for a customer of %s, asked for in %s", dc, from)
		same(p, "it is at home in the nearest datacenter that is there", made.home, remaining)
	}
	a, err := p.add(ctx, b, from, "lamp", 1, profile)
	if err != nil {
		return err
	}
	a.Member = p.primaryOf(p.shardOf(dc))
	p.show(a, "a write to a cart of %s by way of %s", dc, from)
	p.check("it is served elsewhere", a.To != dc, a.To, "not "+string(dc))
	return p.alone(ctx, dc, b)
}

// alone reads in the datacenter that is cut off: its copies still answer, and what was written elsewhere is not there yet.
func (p *play) alone(ctx context.Context, dc topology.DatacenterID, b *basket) error {
	var c cart.Cart
	q := client.ReadCart(dc, b.newest())
	q.Profile = localFast
	a, err := p.send(ctx, q, &c)
	if err != nil {
		return err
	}
	version, _ := b.seen()
	p.show(a, "inside, in %s, the copy is read: version %d", dc, c.Version)
	p.check("it answers with what it has: not the newest", c.Version < version, c.Version, fmt.Sprintf("less than %d", version))
	return nil
}

// heal joins the datacenter again, and waits until its shard is led there.
func (p *play) heal(ctx context.Context, dc topology.DatacenterID, b *basket, held cluster.Duration) error {
	began := time.Now()
	if err := p.cluster.Heal(ctx); err != nil {
		return err
	}
	if err := p.whole(ctx); err != nil {
		return err
	}
	back := time.Since(began)
	p.took(began, "the links are healed; all members work, all primaries are at home")
	if err := p.awaitServing(ctx, dc); err != nil {
		return err
	}
	p.report.Cut = &CutOff{Datacenter: dc, Held: held, HandedBack: client.Rounded(back)}
	c, a, err := p.look(ctx, b, dc, true)
	if err != nil {
		return err
	}
	p.show(a, "the cart, read in %s with the token: %s", dc, list(things(c)))
	same(p, "what was written meanwhile is there", list(things(c)), list(b.contents()))
	if _, _, err = p.current(ctx, b); err != nil { // the query router there finds the primary again
		return err
	}
	if a, err = p.stays("of the next write there", b, func() (client.Answer, error) { return p.add(ctx, b, dc, "kettle", 1, localFast) }); err != nil {
		return err
	}
	p.show(a, "a write in %s", dc)
	same(p, "is served there again", a.To, dc)
	return p.nothingLost(ctx)
}
