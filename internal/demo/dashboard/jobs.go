package dashboard

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/internal/pace"
	"github.com/geoshard/geoshard/topology"
)

// refreshEvery is how often the carts are read that the page shows: what services of the shop do with them is seen then.
const refreshEvery = 2 * time.Second

// delayFor is how long a delayed product cannot be put into carts: long enough to see it, short enough to do it again.
const delayFor = 2 * time.Minute

// refresh reads the shoppers' carts again and again until the context ends.
func (d *Dashboard) refresh(ctx context.Context) {
	pace.Every(ctx, refreshEvery, func() {
		d.mu.Lock()
		all := slices.Clone(d.shoppers)
		d.mu.Unlock()
		for _, s := range all {
			d.refreshOne(ctx, s)
		}
	})
}

// refreshOne reads a shopper's cart if nobody else does something for him.
func (d *Dashboard) refreshOne(ctx context.Context, s *shopper) {
	select {
	case s.busy <- struct{}{}:
		defer func() { <-s.busy }()
	default:
		return
	}
	if s.view.Cart == nil { // somebody got no cart and was forgotten
		return
	}
	before := *s.view.Cart
	// Without the token, so that nobody waits for it.
	var c cart.Cart
	if _, _, err := d.ask(ctx, "", client.ReadCart(s.view.At, s.handle()), &c); err != nil {
		return // the next look may succeed; the page has the last cart that was seen
	}
	v := d.keep(s, c, "", nil) // the shopper has not seen the token
	d.tellOf(v.Name, before, *v.Cart)
}

// tellOf tells what the services of the shop did with a cart.
func (d *Dashboard) tellOf(name string, before, after cart.Cart) {
	had := map[string]int{}
	for _, item := range before.Items {
		had[item.SKU] = len(item.Delays)
	}
	for _, item := range after.Items {
		for _, delay := range item.Delays[min(had[item.SKU], len(item.Delays)):] {
			d.tell(info, "%s: the inventory service marked the %s in %s's cart (notice %s)", after.DataCenter, item.SKU, name, delay.Notice)
		}
	}
	if after.Shipping != nil && (before.Shipping == nil || before.Shipping.Cost != after.Shipping.Cost) {
		price := fmt.Sprintf("%.2f %s from %s", float64(after.Shipping.Cost)/100, after.Shipping.Currency, after.Shipping.Warehouse)
		d.tell(info, "%s: shipping of %s's cart costs %s", after.DataCenter, name, price)
	}
}

// delay publishes a supplier's notice in a datacenter; every datacenter's inventory service hears of it.
func (d *Dashboard) delay(ctx context.Context, o order) (any, error) {
	if err := cart.CheckSKU(o.SKU); err != nil {
		return nil, err
	}
	dcs := served(d.world)
	if len(dcs) == 0 {
		return nil, errNowhere
	}
	from := cmp.Or(o.DC, dcs[0])
	_, _, err := d.ask(ctx, "supplier", client.Publish(from, o.SKU, time.Now().Add(delayFor).Truncate(time.Second), "pressed on the dashboard"), nil)
	if err == nil {
		d.tell(done, "a supplier told %s that the %s is late; no cart takes one for %s", from, o.SKU, delayFor)
	}
	return nil, err
}

// A setupView is what does not change.
type setupView struct {
	Cities   []City        `json:"cities"`
	Products []productView `json:"products"`
}

type productView struct {
	SKU  string `json:"sku"`
	Name string `json:"name"`
}

func (d *Dashboard) setup(products []productView) {
	d.hub.set("setup", setupView{Cities: cities, Products: products})
}

// goods asks for the shop's catalogue until one of the datacenters has told it.
func (d *Dashboard) goods(ctx context.Context) {
	_, _ = backoff.Retry(ctx, func() (struct{}, error) {
		for _, dc := range served(d.world) {
			var list struct{ Products []productView }
			if _, _, err := d.ask(ctx, "", client.Get(dc, "catalogue?limit=50"), &list); err != nil || len(list.Products) == 0 {
				continue
			}
			d.setup(list.Products)
			return struct{}{}, nil
		}
		return struct{}{}, errNowhere
	}, backoff.WithBackOff(backoff.NewConstantBackOff(readEvery)), backoff.WithMaxElapsedTime(0))
}

const (
	// trafficEvery is how often each kind of request is sent in each datacenter: enough for a line in the chart.
	trafficEvery = 1500 * time.Millisecond
	// writesOfCart is how often one cart is written; it remembers the keys of 256 requests.
	writesOfCart = 100
)

// A flow sends one kind of request from one datacenter, one after the other, as real as a shopper's.
type flow struct {
	d    *Dashboard
	from topology.DatacenterID
	// writes is true for one that changes carts, false for one that reads them.
	writes bool
	// home is where the cart is at home that is read or written.
	home topology.DatacenterID
	at   cart.Handle
	left int // writes until the next cart; 0 = there is none to read or write
}

// traffic runs the steady traffic until the context ends: in each datacenter reads of another's cart, writes of its own, and writes of another's.
func (d *Dashboard) traffic(ctx context.Context) {
	dcs := served(d.world)
	var all sync.WaitGroup
	defer all.Wait()
	for i, dc := range dcs {
		other := dcs[(i+1)%len(dcs)]
		for j, f := range []*flow{{home: other}, {writes: true, home: dc}, {writes: true, home: other}} {
			f.d, f.from = d, dc
			offset := trafficEvery * time.Duration(3*i+j) / time.Duration(3*len(dcs))
			all.Go(func() { f.run(ctx, offset) })
		}
	}
}

func (f *flow) run(ctx context.Context, offset time.Duration) {
	if !pace.Pause(ctx, offset) {
		return
	}
	pace.Every(ctx, trafficEvery, func() {
		if f.d.steady.Load() {
			f.once(ctx)
		}
	})
}

func (f *flow) once(ctx context.Context) {
	if f.left == 0 {
		f.take(ctx)
		return
	}
	q := client.ReadCart(f.from, f.at.String())
	if f.writes {
		f.left--
		q = client.SetItem(f.from, f.at.String(), "mug", 1+f.left%9)
	}
	a, _, _ := f.d.ask(ctx, "traffic", q, nil)
	switch a.Status {
	case http.StatusNotFound, http.StatusConflict, http.StatusTooManyRequests:
		f.left = 0 // take another one
	}
}

// take makes a cart at home in the flow's datacenter, through that one's gateway. It is elsewhere while the shop there is lost: then nothing is sent.
func (f *flow) take(ctx context.Context) {
	f.left = 0
	var c cart.Cart
	_, token, err := f.d.ask(ctx, "", client.NewCart(f.home, ""), &c)
	if err != nil || c.DataCenter != f.home {
		return
	}
	if f.writes {
		q := client.AddItem(f.home, c.Handle.String(), "mug", 1)
		q.Token = token
		_, _, err = f.d.ask(ctx, "", q, nil)
	}
	if err == nil {
		f.at, f.left = c.Handle, writesOfCart
	}
}
