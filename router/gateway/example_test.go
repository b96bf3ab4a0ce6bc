package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/geoshard/geoshard/router/gateway"
	"github.com/geoshard/geoshard/topology"
)

// A gateway in New York passes a write of a London cart on to the application in London.
func ExampleNew() {
	app := func(dc string) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s serves %s", dc, r.Method) }))
	}
	newYork, london, sydney := app("NYC"), app("LON"), app("SYD")
	defer newYork.Close()
	defer london.Close()
	defer sydney.Close()
	world, err := topology.Parse("geoshard.yaml", fmt.Appendf(nil, declared, `"`+newYork.URL+`"`, `"`+london.URL+`"`, `"`+sydney.URL+`"`, ""))
	if err != nil {
		fmt.Println(err)
		return
	}
	gate, err := gateway.New(gateway.Options{World: world, Here: "NYC"}) // beside it runs gate.Run
	if err != nil {
		fmt.Println(err)
		return
	}
	defer gate.Close()
	front := httptest.NewServer(gate)
	defer front.Close()
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		r, _ := http.NewRequest(method, front.URL+"/v1/carts/LON.01K4B4B2V8G3T0000000000000", nil)
		res, err := front.Client().Do(r)
		if err != nil {
			fmt.Println(err)
			return
		}
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		fmt.Println(string(text))
	}
	// Output:
	// NYC serves GET
	// LON serves DELETE
}
