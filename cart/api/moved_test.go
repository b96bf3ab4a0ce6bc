package api_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cart/api"
	"github.com/geoshard/geoshard/consistency/gintoken"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/rehome"
)

// move gives a cart another home, as geoshard rehome does.
func move(t *testing.T, by instance, cartID string, to topology.DatacenterID) {
	t.Helper()
	result, err := rehome.Rehome(t.Context(), by.store.Client(), running(t).Topology(), rehome.Options{
		Namespace: "shop.carts", Filter: bson.D{{Key: "cartId", Value: cartID}}, To: topology.StringOf(string(to)),
	})
	if err != nil || result.Namespaces[0].After != 1 {
		t.Fatalf("move to %s: got %+v, %v", to, result, err)
	}
}

// A cart that has moved has a new handle, is not found under the old one, and goes on knowing what was done: what is sent again is not done again, whether it made the
// cart, changed it or ordered it.
func TestACartThatHasMovedKnowsItsKeys(t *testing.T) {
	syd, lon := instanceOf(t, "SYD"), instanceOf(t, "LON")
	// Requests that come again some time later; a cart is not moved within seconds of its making.
	later := func(o *api.Options) { o.Now = func() time.Time { return time.Now().Add(30 * time.Second) } }
	sydLater, lonLater := instanceOf(t, "SYD", later), instanceOf(t, "LON", later)
	make, add, pay := once(), once(), once()
	made := read[cart.Cart](t, ask(syd, http.MethodPost, "/v1/carts", `{"customer":"amy"}`, make), http.StatusCreated)
	oldPath := "/v1/carts/" + made.Handle.String()
	read[cart.Cart](t, ask(syd, http.MethodPost, oldPath+"/items", `{"sku":"book","quantity":2}`, add), http.StatusOK)
	move(t, lon, made.CartID, "LON")

	for _, request := range []struct{ method, path, body string }{
		{http.MethodGet, oldPath + "?profile=durable", ""}, {http.MethodPost, oldPath + "/items", `{"sku":"book","quantity":2}`},
		{http.MethodPut, oldPath + "/items/book", `{"quantity":7}`}, {http.MethodDelete, oldPath, ""},
	} {
		p := read[api.Problem](t, ask(lon, request.method, request.path, request.body, once()), http.StatusNotFound)
		if p.Type != api.ProblemBase+"not-found" {
			t.Errorf("%s %s: got %+v, want not-found", request.method, request.path, p)
		}
	}
	testkit.Eventually(t, testkit.Patience, "London's copy has heard of it", func() bool { // a read without a token may be of an older state
		return ask(lon, http.MethodGet, oldPath, "").StatusCode == http.StatusNotFound
	})
	newPath := "/v1/carts/LON." + made.CartID
	answer := ask(lon, http.MethodPost, newPath+"/items", `{"sku":"book","quantity":2}`, add)
	got := read[cart.Cart](t, answer, http.StatusOK)
	if got.Count() != 2 || answer.Header.Get("Idempotency-Replayed") != "true" || got.DataCenter != "LON" || got.Handle.String() != "LON."+made.CartID {
		t.Errorf("the add sent again: got %d books in %s (%s), replayed %q", got.Count(), got.DataCenter, got.Handle, answer.Header.Get("Idempotency-Replayed"))
	}
	again := ask(sydLater, http.MethodPost, "/v1/carts", `{"customer":"amy"}`, make, with(gintoken.DefaultHeader, answer.Header.Get(gintoken.DefaultHeader)))
	if got := read[cart.Cart](t, again, http.StatusCreated); got.Handle.String() != "LON."+made.CartID || got.Count() != 2 || again.Header.Get("Location") != newPath {
		t.Errorf("the making sent again: got %s with %d books at %s", got.Handle, got.Count(), again.Header.Get("Location"))
	}

	order := read[cart.Order](t, ask(lon, http.MethodPost, newPath+"/checkout", "", pay, with("If-Match", `"2"`)), http.StatusCreated)
	if order.DataCenter != "LON" || order.Shipping.Warehouse != "LON" || order.Handle.String() != "LON."+made.CartID {
		t.Errorf("got order %+v", order)
	}
	move(t, lon, made.CartID, "NYC") // the cart alone: its order stays where it was placed
	answer = ask(lonLater, http.MethodPost, "/v1/carts/NYC."+made.CartID+"/checkout", "", pay, with("If-Match", `"2"`))
	if got := read[cart.Order](t, answer, http.StatusCreated); got.Handle != order.Handle || answer.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the checkout sent again: got %s, replayed %q", got.Handle, answer.Header.Get("Idempotency-Replayed"))
	}
	if n, err := lon.store.Client().Database("shop").Collection("orders").CountDocuments(context.WithoutCancel(t.Context()), bson.D{{Key: "orderId", Value: made.CartID}}); err != nil || n != 1 {
		t.Errorf("got %d orders, %v, want 1", n, err)
	}
}
