package demo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/topology"
)

// newcomers asks for new carts by way of every gateway: the customer's place decides, not the way of his request.
func newcomers(ctx context.Context, p *play) error {
	home := client.Nearest(p.topology, p.homes, sanFrancisco.at)
	p.say("%s is nearest to %s, by the great circle", home, sanFrancisco.name)
	for _, from := range append(p.others(home), home) {
		b, err := p.newcomer(ctx, sanFrancisco, from, home)
		if err != nil {
			return err
		}
		p.hers = b // the last is the one that the story follows
	}
	for _, dc := range p.others(home) {
		d, _ := p.topology.Datacenter(dc)
		if d.At == nil {
			continue
		}
		if _, err := p.newcomer(ctx, visitor{d.Name, *d.At}, dc, dc); err != nil {
			return err
		}
	}
	return p.stamped(ctx)
}

// newcomer makes a cart for a customer by way of a gateway, and checks where it is at home.
func (p *play) newcomer(ctx context.Context, v visitor, from, home topology.DatacenterID) (*basket, error) {
	at := &v.at
	if p.spoilt("newcomers") {
		at = nil
	}
	b, a, err := p.create(ctx, from, at, v.name, "")
	if err != nil {
		return nil, err
	}
	p.show(a, "a new cart for %s, asked for in %s", v.name, from)
	same(p, "the cart is at home in", b.home, home)
	if a.To != from {
		p.atLeast("the link's round trip was waited for", a.Took, p.topology.RTT(from, a.To))
	}
	return b, nil
}

// stamped reads the documents themselves: the field with the datacenter is the first of the shard key.
func (p *play) stamped(ctx context.Context) error {
	carts := p.places[p.center()].client.Database(database).Collection("carts")
	wrong := 0
	for _, b := range p.all() {
		n, err := carts.CountDocuments(ctx, bson.D{{Key: p.field, Value: b.home}, {Key: "cartId", Value: idOf(b.first)}})
		if err != nil {
			return fmt.Errorf("look for cart %s in the database: %w", b.first, err)
		}
		if n != 1 {
			wrong++
		}
	}
	same(p, fmt.Sprintf("carts without the right value in the field %s, of %d", p.field, len(p.all())), wrong, 0)
	return nil
}

// A coast is what the article says of states: their customers are served by this datacenter.
type coast struct {
	home   topology.DatacenterID
	places []visitor
}

// coastal are states of both coasts, each by its largest city: the article names East and West, and San Francisco.
var coastal = []coast{
	{"East", []visitor{visitorFrom("New York", 40.71, -74.01), visitorFrom("Massachusetts", 42.36, -71.06), visitorFrom("Georgia", 33.75, -84.39), visitorFrom("Florida", 30.33, -81.66)}},
	{"West", []visitor{visitorFrom("Washington", 47.61, -122.33), visitorFrom("Oregon", 45.52, -122.68), visitorFrom("Nevada", 36.17, -115.14), sanFrancisco}},
}

// coasts asks for carts for customers of both coasts, by way of both datacenters.
func coasts(ctx context.Context, p *play) error {
	for i, side := range coastal {
		home := side.home
		if p.spoilt("newcomers") {
			home = coastal[1-i].home
		}
		for n, v := range side.places {
			from := p.homes[n%len(p.homes)]
			b, a, err := p.create(ctx, from, &v.at, v.name, "")
			if err != nil {
				return err
			}
			p.show(a, "a new cart for %s, asked for in %s", v.name, from)
			same(p, fmt.Sprintf("%s of the cart is", p.field), b.home, home)
			p.hers = b // the last, of San Francisco, is the one that the story follows
		}
	}
	return p.stamped(ctx)
}

// ownWrites writes into the followed cart from another datacenter and reads it there.
func ownWrites(ctx context.Context, p *play) error {
	b := p.hers
	from := p.neighbour(b.home)
	rtt := p.topology.RTT(from, b.home)
	for _, sku := range []string{"book", "console"} {
		a, err := p.add(ctx, b, from, sku, 1, "")
		if err != nil {
			return err
		}
		p.show(a, "the customer, who is in %s now, adds a %s", from, sku)
		same(p, "the write is served at the cart's home", a.To, b.home)
		p.atLeast("the link's round trip was waited for", a.Took, rtt)
		if err := p.readsOwn(ctx, b, from, true); err != nil {
			return err
		}
	}
	if p.spoilt("own-writes") {
		other, err := p.fill(ctx, b.home)
		if err != nil {
			return err
		}
		version, token := b.seen()
		b = &basket{handle: other.handle, home: b.home, version: version, token: token, items: b.contents()}
		p.say("spoilt: the reader asks for another cart")
	}
	for _, from := range p.homes {
		if err := p.readsOwn(ctx, b, from, false); err != nil {
			return err
		}
	}
	return nil
}

// readsOwn reads a cart with the token of its last write. The copy may have to catch up first, and until it is known to have done so the query router may choose one that has,
// over a link. That reads without a token stay is counted where latencies are measured.
func (p *play) readsOwn(ctx context.Context, b *basket, from topology.DatacenterID, first bool) error {
	version, _ := b.seen()
	c, a, err := p.look(ctx, b, from, true)
	if err != nil {
		return err
	}
	text := "read there with the token"
	if !first {
		text = "read in " + p.name(from) + " with the token"
	}
	p.show(a, "%s: %s", text, list(things(c)))
	same(p, "it is served in", a.To, from)
	held := c.Version >= version && list(things(c)) == list(b.contents())
	p.check("the customer's own writes are there", held, fmt.Sprintf("version %d: %s", c.Version, list(things(c))), fmt.Sprintf("at least version %d: %s", version, list(b.contents())))
	return nil
}
