package dashboard

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/geoshard/geoshard/cart"
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
	for pause := time.Duration(0); wait(ctx, pause); pause = readEvery {
		for _, dc := range served(d.o.World) {
			a, err := d.ask(ctx, ask{who: "page", from: dc, kind: "read", method: http.MethodGet, path: "/v1/catalogue?limit=50", quiet: true})
			var list struct{ Products []cart.Product }
			if err != nil || json.Unmarshal(a.body, &list) != nil || len(list.Products) == 0 {
				continue
			}
			products := make([]productView, len(list.Products))
			for i, p := range list.Products {
				products[i] = productView{p.SKU, p.Name}
			}
			d.setup(products)
			return
		}
	}
}
