package client_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/topology"
)

// A world of one gateway.
type world struct{ url string }

func (w world) Topology() *topology.Topology         { return &topology.Topology{} }
func (w world) Gateway(topology.DatacenterID) string { return w.url }

func Example() {
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"title": "there is no such cart", "detail": "LON.1"}`)
			return
		}
		w.Header().Set("X-Geoshard-Datacenter", "LON")
		fmt.Fprint(w, `{"dataCenter": "LON", "version": 1}`)
	}))
	defer gateway.Close()
	c := client.New(world{gateway.URL})
	defer c.Close()

	var made cart.Cart
	answer, err := c.Send(context.Background(), client.NewCart("NYC", "amy"), &made)
	fmt.Println(answer.From, answer.To, answer.Status, made.Version, err)
	answer, _ = c.Send(context.Background(), client.ReadCart("NYC", "LON.1"), nil)
	fmt.Println(answer.Status)
	// Output:
	// NYC LON 200 1 <nil>
	// 404
}
