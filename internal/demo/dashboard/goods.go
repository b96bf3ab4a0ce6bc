package dashboard

import (
	"context"

	"github.com/cenkalti/backoff/v5"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/topology"
)

// A setupView is what does not change.
type setupView struct {
	Cities      []City                  `json:"cities"`
	Products    []productView           `json:"products"`
	Datacenters []topology.DatacenterID `json:"datacenters"`
}

type productView struct {
	SKU  string `json:"sku"`
	Name string `json:"name"`
}

func (d *Dashboard) setup(products []productView) {
	d.hub.set("setup", setupView{Cities: cities, Products: append([]productView{}, products...), Datacenters: append([]topology.DatacenterID{}, served(d.o.World)...)})
}

// goods asks for the shop's catalogue until one of the datacenters has told it.
func (d *Dashboard) goods(ctx context.Context) {
	_, _ = backoff.Retry(ctx, func() (struct{}, error) {
		for _, dc := range served(d.o.World) {
			var list struct{ Products []cart.Product }
			if _, _, err := d.ask(ctx, "", client.Get(dc, "catalogue?limit=50"), &list); err != nil || len(list.Products) == 0 {
				continue
			}
			products := make([]productView, len(list.Products))
			for i, p := range list.Products {
				products[i] = productView{p.SKU, p.Name}
			}
			d.setup(products)
			return struct{}{}, nil
		}
		return struct{}{}, errNowhere
	}, backoff.WithBackOff(backoff.NewConstantBackOff(readEvery)), backoff.WithMaxElapsedTime(0))
}
