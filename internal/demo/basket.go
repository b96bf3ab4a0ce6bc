package demo

import (
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
	b.version, b.handle, b.home = max(b.version, c.Version), c.Handle.String(), c.Handle.DataCenter
	if a.Token != "" {
		b.token = a.Token
	}
}

// create makes a cart by way of a gateway, for a client at a place.
func (p *play) create(ctx context.Context, from topology.DatacenterID, at *topology.Coordinates, customer, profile string) (*basket, client.Answer, error) {
	var made cart.Cart
	q := client.NewCart(from, customer)
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
	b, _, err := p.create(ctx, dc, p.at(dc), "a customer in "+p.name(dc), "")
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
	d, _ := p.world.topology.Datacenter(dc)
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

// insist adds one of a product, and sends the request again, the same one, until it is acknowledged: what a client does that was refused for the moment. refusals
// are what the answers before that said.
func (p *play) insist(ctx context.Context, b *basket, from topology.DatacenterID, sku, profile string) (a client.Answer, refusals []string, err error) {
	q := client.AddItem(from, b.newest(), sku, 1)
	q.Key, q.Profile = client.NewKey(), profile
	began := time.Now()
	a, err = backoff.Retry(ctx, func() (client.Answer, error) {
		a, err := p.change(ctx, b, q, func(items map[string]int) { items[sku]++ })
		var refused *client.RefusedError
		if errors.As(err, &refused) && refused.ForTheMoment() {
			return a, err
		}
		return a, backoff.Permanent(err)
	}, backoff.WithBackOff(backoff.NewConstantBackOff(again)), backoff.WithMaxElapsedTime(patience),
		backoff.WithNotify(func(err error, _ time.Duration) { refusals = append(refusals, err.Error()) }))
	a.Took = client.Rounded(time.Since(began))
	return a, refusals, err
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
	r := &p.report.Reads
	switch {
	case withToken && behind:
		r.WithToken, r.Stale = r.WithToken+1, r.Stale+1
	case withToken:
		r.WithToken++
	case behind:
		r.WithoutToken, r.Behind = r.WithoutToken+1, r.Behind+1
	default:
		r.WithoutToken++
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
	text := ""
	for i, sku := range slices.Sorted(maps.Keys(items)) {
		if i > 0 {
			text += ", "
		}
		if n := items[sku]; n != 1 {
			text += fmt.Sprintf("%d ", n)
		}
		text += sku
	}
	return text
}
