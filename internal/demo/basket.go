package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/geoshard/geoshard/cart"
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

func (b *basket) path() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return "/v1/carts/" + b.handle
}

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
func (b *basket) acknowledged(c cart.Cart, a answer, change func(items map[string]int)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b.items)
	b.writes++
	b.version, b.handle, b.home = max(b.version, c.Version), c.Handle.String(), c.Handle.DataCenter
	if a.token != "" {
		b.token = a.token
	}
}

// create makes a cart by way of a gateway, for a client at a place.
func (p *play) create(ctx context.Context, from topology.DatacenterID, at *topology.Coordinates, customer, profile string) (*basket, answer, error) {
	var made cart.Cart
	a, err := p.send(ctx, request{from: from, method: http.MethodPost, path: "/v1/carts", body: map[string]string{"customer": customer}, at: at, profile: profile}, &made)
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
func (p *play) change(ctx context.Context, b *basket, q request, change func(items map[string]int)) (answer, error) {
	return p.changeAs(ctx, b, q, newKey(), change)
}

func (p *play) changeAs(ctx context.Context, b *basket, q request, key string, change func(items map[string]int)) (answer, error) {
	var changed cart.Cart
	a, err := p.sendAs(ctx, q, key, &changed)
	if err == nil {
		b.acknowledged(changed, a, change)
	}
	return a, err
}

func adding(b *basket, from topology.DatacenterID, sku string, n int, profile string) request {
	return request{from: from, method: http.MethodPost, path: b.path() + "/items", body: map[string]any{"sku": sku, "quantity": n}, profile: profile}
}

func setting(b *basket, from topology.DatacenterID, sku string, n int, profile string, past bool) request {
	return request{from: from, method: http.MethodPut, path: b.path() + "/items/" + sku, body: map[string]int{"quantity": n}, profile: profile, past: past}
}

// add puts a number of a product into a cart.
func (p *play) add(ctx context.Context, b *basket, from topology.DatacenterID, sku string, n int, profile string) (answer, error) {
	return p.change(ctx, b, adding(b, from, sku, n, profile), func(items map[string]int) { items[sku] += n })
}

// set changes the number of a product that is in a cart.
func (p *play) set(ctx context.Context, b *basket, from topology.DatacenterID, sku string, n int, profile string) (answer, error) {
	return p.change(ctx, b, setting(b, from, sku, n, profile, false), func(items map[string]int) { items[sku] = n })
}

// again is how long a client waits before it sends a request again that was refused for the moment.
const again = 200 * time.Millisecond

// insist adds one of a product, and sends the request again, the same one, until it is acknowledged: what a client does that was refused for the moment. refusals
// are what the answers before that said.
func (p *play) insist(ctx context.Context, b *basket, from topology.DatacenterID, sku, profile string) (a answer, refusals []string, err error) {
	key, began := newKey(), time.Now()
	for {
		a, err = p.changeAs(ctx, b, adding(b, from, sku, 1, profile), key, func(items map[string]int) { items[sku]++ })
		a.Took = rounded(time.Since(began))
		var refused *RefusedError
		if !errors.As(err, &refused) || !refused.forTheMoment() || time.Since(began) > patience {
			return a, refusals, err
		}
		refusals = append(refusals, err.Error())
		select {
		case <-ctx.Done():
			return a, refusals, context.Cause(ctx)
		case <-time.After(again):
		}
	}
}

// look reads a cart, with the token of what its customer has seen, or without, and counts whether that was as new.
func (p *play) look(ctx context.Context, b *basket, from topology.DatacenterID, withToken bool) (c cart.Cart, a answer, err error) {
	version, token := b.seen()
	q := request{from: from, method: http.MethodGet, path: b.path()}
	if withToken {
		q.token = token
	}
	a, err = p.send(ctx, q, &c)
	var refused *RefusedError
	for began := time.Now(); errors.As(err, &refused) && a.Status == http.StatusServiceUnavailable && time.Since(began) < patience; { // no copy is as new as the token yet: a client asks again
		a, err = p.send(ctx, q, &c)
	}
	unknown := !withToken && errors.As(err, &refused) && a.Status == http.StatusNotFound // so far behind that it has not been made
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
