package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/topology"
)

// A basket is a cart as its acknowledged writes have made it.
type basket struct {
	mu sync.Mutex
	// handle is the newest one, first the one with which it was made.
	handle, first string
	home          topology.DatacenterID
	version       int64
	items         map[string]int
	token         string
	writes        int
}

func (b *basket) newest() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.handle
}

// idOf is the identifier in a handle: what stands behind the home.
func idOf(handle string) string { return handle[strings.LastIndexByte(handle, '.')+1:] }

// seen is the version and the token of the last write, or of a later read.
func (b *basket) seen() (version int64, token string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.version, b.token
}

// contents are what the acknowledged writes have put in.
func (b *basket) contents() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.items)
}

// acknowledged takes what a write has changed.
func (b *basket) acknowledged(c cart.Cart, a client.Answer, change func(items map[string]int)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b.items)
	b.writes++
	b.version, b.handle, b.home, b.token = max(b.version, c.Version), c.Handle.String(), c.Handle.DataCenter, cmp.Or(a.Token, b.token)
}

// create makes a cart by way of a gateway, for a client at a place.
func (p *play) create(ctx context.Context, from topology.DatacenterID, at *topology.Coordinates, place, profile string) (*basket, client.Answer, error) {
	var made cart.Cart
	q := client.NewCart(from, "a customer in "+place)
	q.At, q.Profile = at, profile
	a, err := p.send(ctx, q, &made)
	if err != nil {
		return nil, a, err
	}
	b := &basket{first: made.Handle.String(), items: map[string]int{}}
	b.acknowledged(made, a, func(map[string]int) {})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.baskets = append(p.baskets, b)
	return b, a, nil
}

// fill makes a cart in a datacenter with things in it.
func (p *play) fill(ctx context.Context, dc topology.DatacenterID, things ...string) (*basket, error) {
	b, _, err := p.create(ctx, dc, p.at(dc), p.name(dc), "")
	if err == nil && b.home != dc {
		err = fmt.Errorf("a cart that was made in %s is at home in %s", dc, b.home)
	}
	for _, sku := range things {
		if err == nil {
			_, err = p.add(ctx, b, dc, sku, 1, "")
		}
	}
	return b, err
}

// at is where a datacenter is; nil if nobody has said.
func (p *play) at(dc topology.DatacenterID) *topology.Coordinates {
	d, _ := p.topology.Datacenter(dc)
	return d.At
}

// change sends a write, and takes it into the ledger when it is acknowledged.
func (p *play) change(ctx context.Context, b *basket, q client.Request, change func(items map[string]int)) (client.Answer, error) {
	var changed cart.Cart
	a, err := p.send(ctx, q, &changed)
	if err == nil {
		b.acknowledged(changed, a, change)
	}
	return a, err
}

// add puts a number of a product into a cart.
func (p *play) add(ctx context.Context, b *basket, from topology.DatacenterID, sku string, n int, profile string) (client.Answer, error) {
	q := client.AddItem(from, b.newest(), sku, n)
	q.Profile = profile
	return p.change(ctx, b, q, func(items map[string]int) { items[sku] += n })
}

// set changes the number of a product that is in a cart. past is the shop that is asked past the gateway; empty = none.
func (p *play) set(ctx context.Context, b *basket, from topology.DatacenterID, sku string, n int, profile, past string) (client.Answer, error) {
	q := client.SetItem(from, b.newest(), sku, n)
	q.Profile, q.Past = profile, past
	return p.change(ctx, b, q, func(items map[string]int) { items[sku] = n })
}

// again is how long a client waits before it sends a request again that was refused for the moment.
const again = 200 * time.Millisecond

// insist adds a notebook, and sends the request again, the same one, until it is acknowledged: what a client does that was refused for the moment.
func (p *play) insist(ctx context.Context, w writer) (one written, err error) {
	q := client.AddItem(w.from, w.basket.newest(), "notebook", 1)
	q.Key, q.Profile = client.NewKey(), w.profile
	one.began = time.Now()
	one.Answer, err = backoff.Retry(ctx, func() (client.Answer, error) {
		a, err := p.change(ctx, w.basket, q, func(items map[string]int) { items["notebook"]++ })
		var refused *client.RefusedError
		if errors.As(err, &refused) && refused.ForTheMoment() {
			return a, err
		}
		return a, backoff.Permanent(err)
	}, backoff.WithBackOff(backoff.NewConstantBackOff(again)), backoff.WithMaxElapsedTime(patience),
		backoff.WithNotify(func(err error, _ time.Duration) { one.refusals = append(one.refusals, err.Error()) }))
	one.Took = client.Rounded(time.Since(one.began))
	return one, err
}

// look reads a cart, with the token of what its customer has seen, or without, and counts whether that was as new.
func (p *play) look(ctx context.Context, b *basket, from topology.DatacenterID, withToken bool) (c cart.Cart, a client.Answer, err error) {
	version, token := b.seen()
	q := client.ReadCart(from, b.newest())
	if withToken {
		q.Token = token
	}
	a, err = backoff.Retry(ctx, func() (client.Answer, error) {
		a, err := p.send(ctx, q, &c)
		if a.Status == http.StatusServiceUnavailable { // no copy is as new as the token yet: a client asks again
			return a, err
		}
		return a, backoff.Permanent(err)
	}, backoff.WithBackOff(&backoff.ZeroBackOff{}), backoff.WithMaxElapsedTime(patience))
	unknown := !withToken && a.Status == http.StatusNotFound // so far behind that it has not been made
	if err != nil && !unknown {
		return c, a, err
	}
	p.counted(withToken, c.Version < version)
	return c, a, err
}

func (p *play) counted(withToken, behind bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	reads, missed := &p.report.Reads.WithoutToken, &p.report.Reads.Behind
	if withToken {
		reads, missed = &p.report.Reads.WithToken, &p.report.Reads.Stale
	}
	*reads++
	if behind {
		*missed++
	}
}

// all are the baskets so far.
func (p *play) all() []*basket {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.baskets)
}

// things are what a cart holds, by product.
func things(c cart.Cart) map[string]int {
	held := map[string]int{}
	for _, item := range c.Items {
		held[item.SKU] += item.Quantity
	}
	return held
}

// list names products in order: "book, 2 mug".
func list(items map[string]int) string {
	var texts []string
	for _, sku := range slices.Sorted(maps.Keys(items)) {
		text := sku
		if n := items[sku]; n != 1 {
			text = fmt.Sprintf("%d %s", n, sku)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

// send sends a request once, and adds to the answer which member gave it.
func (p *play) send(ctx context.Context, q client.Request, into any) (client.Answer, error) {
	a, err := p.client.Send(ctx, q, into)
	a.Member = p.member(a.Exchange)
	return a, err
}

// member is the member of the record's shard that answered, as far as the shop's word goes: the primary for what asks primaries, and the copy in the datacenter
// whose members alone were asked. A query router does not name it.
func (p *play) member(x client.Exchange) string {
	parts := strings.Split(x.ServedBy, "; ")
	if len(parts) < 3 {
		return ""
	}
	home, _, _ := strings.Cut(handleIn(x.Path), ".")
	shard := p.shardOf(cmp.Or(x.Owner, topology.DatacenterID(home)))
	if shard == "" {
		return ""
	}
	if parts[2] == "primary" {
		return p.primaryOf(shard)
	}
	dc, _, _ := strings.Cut(parts[0], " ")
	return string(shard) + "/" + dc
}

// handleIn is the handle in a path of a cart or an order; empty if there is none.
func handleIn(path string) string {
	parts := strings.Split(path, "/")
	if len(parts) < 4 || parts[2] != "carts" && parts[2] != "orders" {
		return ""
	}
	return parts[3]
}

// shardOf is the shard whose preferred primary is in a datacenter; empty if there is none.
func (w *World) shardOf(dc topology.DatacenterID) topology.ShardID {
	for _, shard := range w.topology.Shards {
		if w.topology.HomeOf(shard.ID) == dc {
			return shard.ID
		}
	}
	return ""
}
