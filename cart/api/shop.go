package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

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
