package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/mongo"
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

// list answers with a page of something. last is the name of an entry, behind which the next page begins.
func list[T any](a *api, c *gin.Context, name string, find func(_ context.Context, _ consistency.Profile, dc topology.DatacenterID, after string, limit int) ([]T, error), last func(T) string) error {
	p, err := profileOf(c, readProfiles[:len(readProfiles)-1]) // a linearizable read is of one document
	if err != nil {
		return err
	}
	page, err := a.page(c)
	if err != nil {
		return err
	}
	found, err := read(a, c, p, page.dc, func(ctx context.Context) ([]T, error) { return find(ctx, p, page.dc, page.after, page.limit) })
	out := gin.H{name: found}
	if len(found) == page.limit {
		out["next"] = last(found[len(found)-1])
	}
	return a.answer(c, http.StatusOK, out, err)
}

func (a *api) listOrders(c *gin.Context) error {
	return list(a, c, "orders", a.Store.Orders, func(o cart.Order) string { return o.OrderID })
}

func (a *api) getOrder(c *gin.Context) error {
	return one(a, c, a.Store.Order)
}

func (a *api) listProducts(c *gin.Context) error {
	return list(a, c, "products", a.Store.Products, func(p cart.Product) string { return p.SKU })
}

func (a *api) getProduct(c *gin.Context) error {
	p, err := profileOf(c, readProfiles)
	if err == nil {
		err = cart.CheckSKU(c.Param("sku"))
	}
	page, pageErr := a.page(c)
	if err = errors.Join(err, pageErr); err != nil {
		return err
	}
	found, err := read(a, c, p, page.dc, func(ctx context.Context) (cart.Product, error) {
		return a.Store.Product(ctx, p, page.dc, c.Param("sku"))
	})
	return a.answer(c, http.StatusOK, found, err)
}

func (a *api) listStock(c *gin.Context) error {
	page, err := a.page(c)
	if err != nil {
		return err
	}
	p, err := profileOf(c, []string{"durable"})
	if err != nil {
		return err
	}
	found, err := read(a, c, p, page.dc, func(ctx context.Context) ([]cart.Stock, error) { return a.Store.Stock(ctx, p, page.dc) })
	return a.answer(c, http.StatusOK, gin.H{"stock": found}, err)
}

// An Analysis is the totals over all datacenters, read from copies in this one.
type Analysis struct {
	Sales []cart.Sales `json:"sales"`
	// StalenessSeconds is how old the totals can be at most: every shard's copy had everything from before then. null = not known.
	StalenessSeconds *float64 `json:"stalenessSeconds"`
	// ReadIn is the datacenter whose copies were asked for.
	ReadIn string `json:"readIn"`
}

// analyticsBound is how old analytics may be: above the 10 s within which an idle primary writes something.
const analyticsBound = 15 * time.Second

func (a *api) analytics(c *gin.Context) error {
	p, err := profileOf(c, []string{"analytics"})
	if err != nil {
		return err
	}
	asked := a.Now()
	age, known, err := a.Witness.Freshen(mongo.SessionFromContext(c.Request.Context()), analyticsBound, asked)
	if err != nil {
		return err
	}
	out := Analysis{ReadIn: string(a.Store.DataCenter())}
	out.Sales, err = read(a, c, p, a.Store.DataCenter(), func(ctx context.Context) ([]cart.Sales, error) { return a.Store.Sales(ctx, p) })
	if known {
		seconds := (age + a.Now().Sub(asked)).Seconds()
		out.StalenessSeconds = &seconds
	}
	return a.answer(c, http.StatusOK, out, err)
}

func (a *api) publish(c *gin.Context) error {
	var in struct {
		SKU    string    `json:"sku"`
		Until  time.Time `json:"until"`
		Reason string    `json:"reason"`
	}
	w, err := writeOf(c, []string{"multi-datacenter", "durable"}) // a notice that is rolled back would be marked in some carts
	if err == nil {
		err = body(c, &in)
	}
	if err == nil && (in.Until.IsZero() || in.Until.Year() > 9999) {
		err = hint.New(fmt.Errorf("%w: until", cart.ErrInvalid), "send the date from which the product can be had again")
	}
	if err = cmp.Or(err, cart.CheckText("reason", in.Reason)); err != nil {
		return err
	}
	written(c, a.Store.DataCenter())
	n, outcome, err := a.Store.Publish(c.Request.Context(), w.profile, cart.Notice{
		Key: w.key, SKU: in.SKU, Until: in.Until.UTC().Truncate(time.Millisecond), Reason: in.Reason, Written: a.now()})
	return a.done(c, http.StatusCreated, n, outcome, err)
}

func (a *api) listNotices(c *gin.Context) error {
	return list(a, c, "notices", func(ctx context.Context, p consistency.Profile, dc topology.DatacenterID, after string, limit int) ([]cart.Notice, error) {
		seq, err := strconv.ParseInt(cmp.Or(after, "0"), 10, 64)
		if err != nil || seq < 0 {
			return nil, hint.New(fmt.Errorf("%w: after %.100q", errParameter, after), "the number of a notice")
		}
		return a.Store.Notices(ctx, p, dc, seq, limit)
	}, func(n cart.Notice) string { return strconv.FormatInt(n.Seq, 10) })
}

func (a *api) health(c *gin.Context) error {
	return a.answer(c, http.StatusOK, gin.H{"status": "ok"}, nil)
}

// readyWithin is how long a load balancer's question may take.
const readyWithin = 2 * time.Second

// ready is true when the carts of this datacenter can be read.
func (a *api) ready(c *gin.Context) error {
	ctx, cancel := context.WithTimeout(c.Request.Context(), readyWithin)
	defer cancel()
	p, err := consistency.Lookup("local-fast")
	if err == nil {
		_, err = a.Store.Carts(ctx, p, a.Store.DataCenter(), "", "", 1)
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", errNotReady, err)
	}
	return a.answer(c, http.StatusOK, gin.H{"status": "ready"}, err)
}
