package dashboard

import (
	"context"
	"fmt"
	"time"

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
		n := len(d.shoppers)
		d.mu.Unlock()
		for id := range n {
			d.refreshOne(ctx, id)
		}
	})
}

// refreshOne reads a shopper's cart if nobody else does something for him.
func (d *Dashboard) refreshOne(ctx context.Context, id int) {
	d.mu.Lock()
	if id >= len(d.shoppers) { // somebody got no cart and was forgotten
		d.mu.Unlock()
		return
	}
	s := d.shoppers[id]
	d.mu.Unlock()
	select {
	case s.busy <- struct{}{}:
		defer func() { <-s.busy }()
	default:
		return
	}
	if s.view.Cart == nil {
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
			d.tell(info, fmt.Sprintf("%s: the inventory service marked the %s in %s's cart (notice %s)", after.DataCenter, item.SKU, name, delay.Notice))
		}
	}
	if after.Shipping != nil && (before.Shipping == nil || before.Shipping.Cost != after.Shipping.Cost) {
		price := fmt.Sprintf("%.2f %s from %s", float64(after.Shipping.Cost)/100, after.Shipping.Currency, after.Shipping.Warehouse)
		d.tell(info, fmt.Sprintf("%s: shipping of %s's cart costs %s", after.DataCenter, name, price))
	}
}

// delay publishes a supplier's notice in a datacenter; every datacenter's inventory service hears of it.
func (d *Dashboard) delay(ctx context.Context, from topology.DatacenterID, sku string) error {
	if err := cart.CheckSKU(sku); err != nil {
		return err
	}
	dcs := served(d.o.World)
	if len(dcs) == 0 {
		return errNowhere
	}
	if from == "" {
		from = dcs[0]
	}
	_, _, err := d.ask(ctx, "supplier", client.Publish(from, sku, d.o.Now().Add(delayFor).Truncate(time.Second), "pressed on the dashboard"), nil)
	if err == nil {
		d.tell(done, fmt.Sprintf("a supplier told %s that the %s is late; no cart takes one for %s", from, sku, delayFor))
	}
	return err
}
