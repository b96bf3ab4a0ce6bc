package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cart/shipping"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// A write is what all writes have: how, with which key. Those of one cart also say which, and perhaps of what version.
type write struct {
	handle  cart.Handle
	profile consistency.Profile
	key     string
	version int64
}

// writeOf reads what a write has beside its body.
func writeOf(c *gin.Context, profiles []string) (w write, err error) {
	if w.profile, err = profileOf(c, profiles); err != nil {
		return w, err
	}
	if w.key = c.GetHeader("Idempotency-Key"); w.key == "" {
		err = errNoKey
	}
	return w, err
}

// cartWriteOf reads what a write of one cart has beside its body.
func cartWriteOf(c *gin.Context) (w write, err error) {
	h, err := cart.ParseHandle(c.Param("handle"))
	if err == nil {
		w, err = writeOf(c, writeProfiles)
	}
	if err == nil {
		w.handle = h
		w.version, err = versionOf(c)
	}
	return w, err
}

func (a *api) createCart(c *gin.Context) error {
	var in struct {
		Customer string `json:"customer"`
	}
	w, err := writeOf(c, writeProfiles)
	if err == nil {
		err = body(c, &in)
	}
	if err != nil {
		return err
	}
	written(c, a.Store.DataCenter())
	made, outcome, err := a.Store.Create(c.Request.Context(), w.profile, w.key, in.Customer, a.now())
	if err == nil {
		c.Header("Location", "/v1/carts/"+made.Handle.String())
	}
	return a.done(c, http.StatusCreated, made, outcome, err)
}

func (a *api) listCarts(c *gin.Context) error {
	return list(a, c, "carts", func(ctx context.Context, p consistency.Profile, dc topology.DatacenterID, after string, limit int) ([]cart.Cart, error) {
		text, given := c.GetQuery("status")
		status := cart.Status(text)
		if given && !slices.Contains([]cart.Status{cart.Open, cart.Ordered, cart.Abandoned}, status) {
			return nil, hint.New(fmt.Errorf("%w: status %.100q", errParameter, status), "open, ordered or abandoned")
		}
		return a.Store.Carts(ctx, p, dc, status, after, limit)
	}, func(one cart.Cart) string { return one.CartID })
}

func (a *api) getCart(c *gin.Context) error {
	return one(a, c, a.Store.Cart)
}

func (a *api) patchCart(c *gin.Context) error {
	var in struct {
		Customer *string `json:"customer"`
	}
	return a.change(c, &in, func(write) (cart.Change, error) {
		if in.Customer == nil {
			return nil, hint.New(fmt.Errorf("%w: nothing to change", errBody), "send a customer")
		}
		return cart.SetCustomer{Customer: *in.Customer}, nil
	})
}

func (a *api) abandonCart(c *gin.Context) error {
	return a.change(c, nil, func(write) (cart.Change, error) { return cart.Abandon{}, nil })
}

func (a *api) setItem(c *gin.Context) error {
	var in struct {
		Quantity whole `json:"quantity"`
	}
	return a.change(c, &in, func(write) (cart.Change, error) {
		return cart.SetQuantity{SKU: c.Param("sku"), Quantity: int(in.Quantity)}, nil
	})
}

func (a *api) removeItem(c *gin.Context) error {
	return a.change(c, nil, func(write) (cart.Change, error) { return cart.RemoveItem{SKU: c.Param("sku")}, nil })
}

func (a *api) addItem(c *gin.Context) error {
	var in struct {
		SKU      string `json:"sku"`
		Quantity whole  `json:"quantity"`
	}
	return a.change(c, &in, func(w write) (cart.Change, error) {
		add := cart.AddItem{SKU: in.SKU, Quantity: int(in.Quantity), Currency: "XXX"}
		if err := add.Check(); err != nil {
			return nil, err
		}
		product, err := a.product(c.Request.Context(), w, in.SKU)
		if err == nil {
			add.Price, add.Currency = product.Price, product.Currency
		}
		return add, err
	})
}

// product is what the catalogue at the cart's home says now. It is read from the primary: a copy that lags could sell what has just been withheld, and the
// write goes to that primary next anyway.
func (a *api) product(ctx context.Context, w write, sku string) (cart.Product, error) {
	p := w.profile
	p.Read = consistency.Read{Concern: "majority", Mode: readpref.PrimaryMode}
	product, err := a.Store.Product(ctx, p, w.handle.DataCenter, sku)
	if err == nil && product.DelayedAt(a.Now()) {
		err = hint.New(fmt.Errorf("%w: %s until %s", cart.ErrDelayed, sku, product.Delayed.Format("2006-01-02")), "take another product")
	}
	return product, err
}

// change does one change of a cart. in is where the body goes; nil = there is none.
func (a *api) change(c *gin.Context, in any, what func(write) (cart.Change, error)) error {
	w, err := cartWriteOf(c)
	if err == nil && in != nil {
		err = body(c, in)
	}
	if err != nil {
		return err
	}
	written(c, w.handle.DataCenter)
	change, err := what(w)
	r := cart.Request{Key: w.key, At: a.now(), IfVersion: w.version, Change: change}
	if err != nil {
		return a.refusedNow(c, w, r, err)
	}
	changed, outcome, err := a.Store.Change(c.Request.Context(), w.profile, w.handle, r)
	return a.done(c, http.StatusOK, changed, outcome, err)
}

// refusedNow answers a request that cannot be done now. If it is one that was done before, when it could, that is the answer.
func (a *api) refusedNow(c *gin.Context, w write, r cart.Request, reason error) error {
	if r.Change != nil {
		if found, done, err := a.Store.Recall(c.Request.Context(), w.profile, w.handle, r); err != nil || done {
			return a.done(c, http.StatusOK, found, cart.Replayed, err)
		}
	}
	return reason
}

func (a *api) checkout(c *gin.Context) error {
	w, err := cartWriteOf(c)
	if err == nil && w.version == 0 {
		err = errNoVersion
	}
	if err != nil {
		return err
	}
	written(c, w.handle.DataCenter)
	order, outcome, err := a.Store.Checkout(c.Request.Context(), w.profile, w.handle, cart.Checkout{Key: w.key, At: a.now(), IfVersion: w.version}, shipping.Quote)
	if err == nil {
		c.Header("Location", "/v1/orders/"+order.Handle.String())
	}
	return a.done(c, http.StatusCreated, order, outcome, err)
}
