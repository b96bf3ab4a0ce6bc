package dashboard

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/internal/pace"
	"github.com/geoshard/geoshard/topology"
)

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
	left int // writes until the next cart
}

// traffic runs the steady traffic until the context ends: in each datacenter reads of another's cart, writes of its own, and writes of another's.
func (d *Dashboard) traffic(ctx context.Context) {
	dcs := served(d.o.World)
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
	if f.at == (cart.Handle{}) || f.left == 0 {
		f.take(ctx)
		return
	}
	q := client.ReadCart(f.from, f.at.String())
	if f.writes {
		f.left--
		q = client.SetItem(f.from, f.at.String(), "mug", 1+f.left%9)
	}
	a, _, err := f.d.ask(ctx, "traffic", q, nil)
	if err != nil && (a.Status == http.StatusNotFound || a.Status == http.StatusConflict || a.Status == http.StatusTooManyRequests) {
		f.at = cart.Handle{} // take another one
	}
}

// take makes a cart at home in the flow's datacenter, through that one's gateway. It is elsewhere while the shop there is lost: then nothing is sent.
func (f *flow) take(ctx context.Context) {
	f.at = cart.Handle{}
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
