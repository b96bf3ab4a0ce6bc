package dashboard

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	v.Open, v.Home, v.Operation, v.Cluster = true, t.Home, &timeView{t.OperationTime.T, t.OperationTime.I}, &timeView{t.ClusterTime.T, t.ClusterTime.I}
	v.Issued, v.Expires = t.Issued.UnixMilli(), t.Issued.Add(consistency.DefaultMaxAge).UnixMilli()
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
func (d *Dashboard) newShopper(ctx context.Context, o order) (any, error) {
	c, err := cityOf(o.City)
	if err != nil {
		return nil, err
	}
	at := nearest(d.world, c)
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

// asShopper is an action of a shopper: it waits until nobody else does something for him.
func (d *Dashboard) asShopper(act func(context.Context, *shopper, order) (any, error)) action {
	return func(ctx context.Context, o order) (any, error) {
		d.mu.Lock()
		if o.shopper < 0 || o.shopper >= len(d.shoppers) {
			d.mu.Unlock()
			return nil, errNobody
		}
		s := d.shoppers[o.shopper]
		d.mu.Unlock()
		select {
		case s.busy <- struct{}{}:
			defer func() { <-s.busy }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if s.view.Cart == nil {
			return nil, errNobody
		}
		return act(ctx, s, o)
	}
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
		v.Token = viewToken(token, d.o.Keys, time.Now())
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
func (d *Dashboard) addItem(ctx context.Context, s *shopper, o order) (any, error) {
	if err := cart.CheckSKU(o.SKU); err != nil {
		return nil, err
	}
	q := client.AddItem(s.view.At, s.handle(), o.SKU, 1)
	q.Token = s.token
	var changed cart.Cart
	_, token, err := d.ask(ctx, s.view.Name, q, &changed)
	if err != nil {
		return nil, err
	}
	return d.keep(s, changed, token, nil), nil
}

// travel moves a shopper to another city, where he looks at his cart.
func (d *Dashboard) travel(ctx context.Context, o order) (any, error) {
	c, err := cityOf(o.City)
	if err != nil {
		return nil, err
	}
	return d.asShopper(func(ctx context.Context, s *shopper, o order) (any, error) {
		at := nearest(d.world, c)
		d.keep(s, cart.Cart{}, "", func(v *shopperView) { v.City, v.At = c, at })
		o.Token = true
		return d.look(ctx, s, o)
	})(ctx, o)
}

// look lets a shopper read his cart, with what he has seen before or without.
func (d *Dashboard) look(ctx context.Context, s *shopper, o order) (any, error) {
	q := client.ReadCart(s.view.At, s.handle())
	if o.Token {
		q.Token = s.token
	}
	known := s.view.Cart.Version
	var c cart.Cart
	a, token, err := d.ask(ctx, s.view.Name, q, &c)
	read := &readView{From: a.To, WithToken: o.Token, Took: a.Took, Version: c.Version, Known: known}
	if err != nil {
		read.Error = err.Error()
	}
	if !o.Token {
		token = "" // of a read that may have seen less
	}
	return d.keep(s, c, token, func(v *shopperView) { v.Read = read }), err
}

// A City is where a shopper can be.
type City struct {
	Name string  `json:"name"`
	Lat  float64 `json:"lat"`
	Long float64 `json:"long"`
}

// cities are a choice for stories; the datacenters' own positions are beside them.
var cities = []City{
	{"San Francisco", 37.77, -122.42}, {"Chicago", 41.88, -87.63}, {"New York", 40.71, -74.01}, {"Mexico City", 19.43, -99.13}, {"São Paulo", -23.55, -46.63},
	{"London", 51.51, -0.13}, {"Berlin", 52.52, 13.41}, {"Lagos", 6.52, 3.38}, {"Nairobi", -1.29, 36.82}, {"Mumbai", 19.08, 72.88},
	{"Singapore", 1.35, 103.82}, {"Tokyo", 35.68, 139.69}, {"Sydney", -33.87, 151.21}, {"Auckland", -36.85, 174.76},
}

func cityOf(name string) (City, error) {
	for _, c := range cities {
		if c.Name == name {
			return c, nil
		}
	}
	return City{}, fmt.Errorf("%w: %s", errCity, printable(name))
}

// at is where a city is on Earth.
func (c City) at() *topology.Coordinates { return &topology.Coordinates{Lat: c.Lat, Long: c.Long} }

// nearest is the datacenter whose gateway a client in a city is led to.
func nearest(w World, c City) topology.DatacenterID {
	return client.Nearest(w.Topology(), served(w), *c.at())
}
