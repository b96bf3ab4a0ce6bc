package dashboard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

// A shopper is somebody with a cart who may travel. Requests of one shopper are one after the other.
type shopper struct {
	view  shopperView
	token string
	busy  chan struct{} // who does something for the shopper holds it
}

// A shopperView is a shopper as the page shows one.
type shopperView struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
	City City   `json:"city"`
	// At is the datacenter whose gateway the shopper uses, Home the cart's.
	At    topology.DatacenterID `json:"at"`
	Home  topology.DatacenterID `json:"home"`
	Cart  *cart.Cart            `json:"cart"`
	Token *tokenView            `json:"token"`
	// Read is the last read that somebody asked for.
	Read *readView `json:"read"`
}

// A readView compares what a read saw with what the shopper had seen before.
type readView struct {
	At        int64                 `json:"at"`
	From      topology.DatacenterID `json:"from"`
	WithToken bool                  `json:"withToken"`
	Took      float64               `json:"took"`
	Version   int64                 `json:"version"`
	// Known is the version that the shopper has seen before; a lower one is stale.
	Known int64  `json:"known"`
	Error string `json:"error,omitempty"`
}

// A tokenView is a causal token taken apart.
type tokenView struct {
	Text string `json:"text"`
	// Open is false where the page's server has no key to look into it.
	Open      bool                  `json:"open"`
	Home      topology.DatacenterID `json:"home,omitempty"`
	Operation *timeView             `json:"operation,omitempty"`
	Cluster   *timeView             `json:"cluster,omitempty"`
	Issued    int64                 `json:"issued,omitempty"`
	Expires   int64                 `json:"expires,omitempty"`
	Signed    bool                  `json:"signed"`
	Error     string                `json:"error,omitempty"`
}

// A timeView is a time of the cluster: seconds, and a number within the second.
type timeView struct {
	Seconds uint32 `json:"seconds"`
	Number  uint32 `json:"number"`
}

func viewToken(text string, keys *signing.Keyring, now time.Time) *tokenView {
	if text == "" {
		return nil
	}
	v := &tokenView{Text: text}
	if keys == nil {
		return v
	}
	t, err := consistency.OpenToken(keys, text, now, consistency.Limits{})
	if err != nil {
		v.Error = err.Error()
		return v
	}
	stamp := func(t bson.Timestamp) *timeView { return &timeView{t.T, t.I} }
	v.Open, v.Home, v.Operation, v.Cluster = true, t.Home, stamp(t.OperationTime), stamp(t.ClusterTime)
	v.Issued, v.Expires, v.Signed = t.Issued.UnixMilli(), t.Issued.Add(consistency.DefaultMaxAge).UnixMilli(), t.Signature != consistency.Signature{}
	return v
}

// names are the shoppers', in the order in which they come.
var names = []string{"Ada", "Ben", "Cleo", "Dara", "Emil", "Fay", "Gus", "Hana", "Ivo", "June", "Kofi", "Lena"}

// mostShoppers are there at once: the page keeps each one's cart up to date.
const mostShoppers = 12

var (
	errShoppers = errors.New("there are as many shoppers as the page keeps up with")
	errNobody   = errors.New("there is no such shopper")
	errCity     = errors.New("there is no such city")
	errNowhere  = errors.New("no datacenter has a gateway")
)

// newShopper lets somebody in a city take a cart.
func (d *Dashboard) newShopper(ctx context.Context, city string) (*shopperView, error) {
	c, ok := cityOf(city)
	if !ok {
		return nil, fmt.Errorf("%w: %s", errCity, printable(city))
	}
	at := nearest(d.o.World, c)
	if at == "" {
		return nil, errNowhere
	}
	d.mu.Lock()
	if len(d.shoppers) >= mostShoppers {
		d.mu.Unlock()
		return nil, errShoppers
	}
	id := len(d.shoppers)
	s := &shopper{view: shopperView{ID: id, Name: names[id], City: c, At: at}, busy: make(chan struct{}, 1)}
	s.busy <- struct{}{}
	d.shoppers = append(d.shoppers, s)
	d.mu.Unlock()
	defer func() { <-s.busy }()
	q := client.NewCart(at, s.view.Name)
	q.At = c.at()
	var made cart.Cart
	_, token, err := d.ask(ctx, s.view.Name, q, &made)
	if err != nil {
		d.forget(s)
		return nil, err
	}
	return d.keep(s, made, token, nil), nil
}

// forget removes a shopper who got no cart, if nobody came after.
func (d *Dashboard) forget(s *shopper) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.shoppers); d.shoppers[n-1] == s {
		d.shoppers = d.shoppers[:n-1]
	}
}

// with finds a shopper and waits until nobody else does something for him.
func (d *Dashboard) with(ctx context.Context, id int) (*shopper, func(), error) {
	d.mu.Lock()
	if id < 0 || id >= len(d.shoppers) {
		d.mu.Unlock()
		return nil, nil, errNobody
	}
	s := d.shoppers[id]
	d.mu.Unlock()
	select {
	case s.busy <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	if s.view.Cart == nil {
		<-s.busy
		return nil, nil, errNobody
	}
	return s, func() { <-s.busy }, nil
}

// keep takes over what an answer says of a shopper's cart; without a version it says nothing.
func (d *Dashboard) keep(s *shopper, c cart.Cart, token string, change func(v *shopperView)) *shopperView {
	d.mu.Lock()
	v := s.view
	if c.Version > 0 && (v.Cart == nil || c.Version >= v.Cart.Version) {
		v.Cart, v.Home = &c, c.DataCenter
	}
	if token != "" {
		s.token = token
		v.Token = viewToken(token, d.o.Keys, d.o.Now())
	}
	if change != nil {
		change(&v)
	}
	s.view = v
	d.mu.Unlock()
	d.showShoppers()
	return &v
}

// showShoppers tells the pages of all shoppers who have a cart.
func (d *Dashboard) showShoppers() {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := []shopperView{}
	for _, s := range d.shoppers {
		if s.view.Cart != nil {
			list = append(list, s.view)
		}
	}
	d.hub.set("shoppers", list) // under mu, so that an older list never comes after a newer one
}

func (s *shopper) handle() string { return s.view.Cart.Handle.String() }

// addItem puts one of a product into a shopper's cart.
func (d *Dashboard) addItem(ctx context.Context, id int, sku string) (*shopperView, error) {
	s, release, err := d.with(ctx, id)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := cart.CheckSKU(sku); err != nil {
		return nil, err
	}
	q := client.AddItem(s.view.At, s.handle(), sku, 1)
	q.Token = s.token
	var changed cart.Cart
	_, token, err := d.ask(ctx, s.view.Name, q, &changed)
	if err != nil {
		return nil, err
	}
	return d.keep(s, changed, token, nil), nil
}

// travel moves a shopper to another city, where he looks at his cart.
func (d *Dashboard) travel(ctx context.Context, id int, city string) (*shopperView, error) {
	c, ok := cityOf(city)
	if !ok {
		return nil, fmt.Errorf("%w: %s", errCity, printable(city))
	}
	s, release, err := d.with(ctx, id)
	if err != nil {
		return nil, err
	}
	defer release()
	at := nearest(d.o.World, c)
	d.keep(s, cart.Cart{}, "", func(v *shopperView) { v.City, v.At = c, at })
	return d.look(ctx, s, true)
}

// readCart lets a shopper look at his cart, with what he has seen before or without.
func (d *Dashboard) readCart(ctx context.Context, id int, withToken bool) (*shopperView, error) {
	s, release, err := d.with(ctx, id)
	if err != nil {
		return nil, err
	}
	defer release()
	return d.look(ctx, s, withToken)
}

func (d *Dashboard) look(ctx context.Context, s *shopper, withToken bool) (*shopperView, error) {
	q := client.ReadCart(s.view.At, s.handle())
	if withToken {
		q.Token = s.token
	}
	known := s.view.Cart.Version
	var c cart.Cart
	a, token, err := d.ask(ctx, s.view.Name, q, &c)
	read := &readView{At: a.At, From: a.To, WithToken: withToken, Took: a.Took, Version: c.Version, Known: known}
	if err != nil {
		read.Error = err.Error()
	}
	if !withToken {
		token = "" // of a read that may have seen less
	}
	return d.keep(s, c, token, func(v *shopperView) { v.Read = read }), err
}
