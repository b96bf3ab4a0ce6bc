package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/topology"
)

// travelled takes a customer of one datacenter to another one: reads are served there at once, writes go home, until the cart is given another home.
func travelled(ctx context.Context, p *play) error {
	home := p.homes[len(p.homes)-1]
	abroad := slices.MaxFunc(p.others(home), p.byDistance(home)) // the farther, the more it shows
	rtt := p.topology.RTT(home, abroad)
	b, err := p.fill(ctx, home, "book", "umbrella")
	if err != nil {
		return err
	}
	p.say("a customer of %s, whose cart is at home there, is in %s now, %s away", home, abroad, rtt)
	if err := p.abroad(ctx, b, abroad, home, rtt); err != nil {
		return err
	}
	if !p.movable(home, abroad) {
		p.say("the cart keeps its home: MongoDB has no transactions over shards with arbiters, and these have some")
		return nil
	}
	if err := p.move(ctx, b, abroad); err != nil {
		return err
	}
	if err := p.settled(ctx, b, abroad); err != nil {
		return err
	}
	// The handle that the customer has had from the first is good for ever, by way of any gateway.
	old := &basket{handle: b.first, home: abroad, items: b.contents()}
	old.version, old.token = b.seen()
	c, a, err := p.look(ctx, old, home, true)
	if err != nil {
		return err
	}
	p.show(a, "the old handle, asked for in %s", home)
	same(p, "it leads to the cart at its new home", c.Handle.String(), b.handle)
	return nil
}

// abroad reads and writes from abroad while the cart is at home.
func (p *play) abroad(ctx context.Context, b *basket, from, home topology.DatacenterID, rtt time.Duration) error {
	if _, _, err := p.look(ctx, b, from, true); err != nil { // the copy may have to catch up
		return err
	}
	_, a, err := p.look(ctx, b, from, false)
	if err != nil {
		return err
	}
	p.show(a, "reads the cart in %s", from)
	same(p, "the read is served there", a.To, from)
	past := ""
	if p.spoilt("travel") {
		past = p.places[from].direct
		p.say("spoilt: the request goes to the shop in %s, past the gateway", from)
	}
	a, err = p.set(ctx, b, from, "umbrella", 2, localFast, past)
	if err != nil {
		return err
	}
	p.show(a, "writes from there: two umbrellas")
	same(p, "the write is served at home", a.To, home)
	same(p, "because of the rule", a.Reason, router.ReasonOwner.String())
	p.atLeast("the link's round trip was waited for", a.Took, rtt)
	return nil
}

// localFast is the profile of writes that one member acknowledges: what is left of them is the way.
const localFast = "local-fast"

// movable reports whether records can move between two homes: a move is a transaction over both shards, which arbiters rule out.
func (p *play) movable(homes ...topology.DatacenterID) bool {
	return !slices.ContainsFunc(homes, func(dc topology.DatacenterID) bool {
		shard, _ := p.topology.Shard(p.shardOf(dc))
		return slices.ContainsFunc(shard.Members, p.topology.Arbiter)
	})
}

// move gives the cart another home, as an operator does.
func (p *play) move(ctx context.Context, b *basket, to topology.DatacenterID) error {
	id := idOf(b.handle)
	began := time.Now()
	done, err := p.places[to].gateway.Rehome(ctx, string(b.home), id, string(to))
	if err != nil {
		return fmt.Errorf("move cart %s to %s: %w", b.handle, to, err)
	}
	p.took(began, "the customer stays: the cart gets its home in %s, in a transaction", to)
	same(p, "the cart was moved to", done.Handle, string(to)+"."+id)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handle, b.home = done.Handle, to
	return nil
}

// settled reads and writes at the new home.
func (p *play) settled(ctx context.Context, b *basket, home topology.DatacenterID) error {
	a, err := p.stays("of the next write", b, func() (client.Answer, error) { return p.set(ctx, b, home, "umbrella", 3, localFast, "") })
	if err != nil {
		return err
	}
	p.show(a, "writes again: three umbrellas")
	same(p, "now the write is served here", a.To, home)
	c, a, err := p.look(ctx, b, home, true)
	if err != nil {
		return err
	}
	p.show(a, "and reads: %s", list(things(c)))
	same(p, "everything has come along", list(things(c)), list(b.contents()))
	return nil
}
