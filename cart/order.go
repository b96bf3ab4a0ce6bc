package cart

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// A Product is what the shop sells. Each datacenter has a copy, with the price there.
type Product struct {
	DataCenter topology.DatacenterID `json:"dataCenter" bson:"-"`
	SKU        string                `json:"sku" bson:"sku"`
	Name       string                `json:"name" bson:"name"`
	Price      int64                 `json:"price" bson:"price"`
	Currency   string                `json:"currency" bson:"currency"`
	// Delayed is until when the product cannot be had.
	Delayed *time.Time `json:"delayed,omitempty" bson:"delayed,omitempty"`
}

// DelayedAt reports whether the product cannot be had at a time.
func (p Product) DelayedAt(now time.Time) bool { return p.Delayed != nil && p.Delayed.After(now) }

// A Stock is how many of a product a datacenter's warehouse has.
type Stock struct {
	DataCenter topology.DatacenterID `json:"dataCenter" bson:"-"`
	SKU        string                `json:"sku" bson:"sku"`
	Available  int64                 `json:"available" bson:"available"`
}

// An Order is a cart that was checked out. It has the cart's handle, so that a cart is ordered once.
type Order struct {
	Handle     Handle                `json:"handle" bson:"-"`
	DataCenter topology.DatacenterID `json:"dataCenter" bson:"-"`
	OrderID    string                `json:"orderId" bson:"orderId"`
	Customer   string                `json:"customer,omitempty" bson:"customer,omitempty"`
	Items      []Item                `json:"items" bson:"items"`
	// LeftOut are the delayed items, which were not ordered.
	LeftOut  []Item   `json:"leftOut,omitempty" bson:"leftOut,omitempty"`
	Shipping Shipping `json:"shipping" bson:"shipping"`
	// Total is items and shipping, in minor units.
	Total       int64     `json:"total" bson:"total"`
	Currency    string    `json:"currency" bson:"currency"`
	CartVersion int64     `json:"cartVersion" bson:"cartVersion"`
	Placed      time.Time `json:"placed" bson:"placed"`
}

// Checkout is the request to order a cart. It is a decision by what the client has read, so it names the version.
type Checkout struct {
	Key       string
	At        time.Time
	IfVersion int64
}

// Check refuses what is wrong for every cart.
func (r Checkout) Check() error {
	if r.IfVersion < 1 {
		return hint.New(fmt.Errorf("%w: a checkout without the cart's version", ErrInvalid), "send the version of the cart that the customer has seen")
	}
	return CheckKey(r.Key, r.At)
}

// Record is the entry by which the request is known again.
func (r Checkout) Record() Done {
	return Done{Key: r.Key, Request: Fingerprint("checkout", r.IfVersion), Expires: expiry(r.Key)}
}

// PlanOrder is the order that a checkout makes, and the cart afterwards; or the reason why there is none. quote prices the shipping of a cart.
// Take what Knows says first: a checkout that was done before is no error.
func PlanOrder(c Cart, r Checkout, quote func(Cart) Shipping) (Order, Cart, error) {
	if err := c.takes(r.At, r.IfVersion); err != nil {
		return Order{}, c, err
	}
	if len(c.Active()) == 0 {
		return Order{}, c, hint.New(ErrEmpty, "add an item that is not delayed")
	}
	shipping := quote(c)
	order := Order{
		Handle: c.Handle, DataCenter: c.DataCenter, OrderID: c.CartID, Customer: c.Customer, Items: c.Active(), Shipping: shipping,
		LeftOut: slices.DeleteFunc(slices.Clone(c.Items), func(i Item) bool { return len(i.Delays) == 0 }),
		Total:   c.Total() + shipping.Cost, Currency: c.Currency(), CartVersion: c.Version, Placed: r.At,
	}
	// In one order for everybody, checkouts that want the same products meet at the first of them.
	slices.SortFunc(order.Items, func(a, b Item) int { return strings.Compare(a.SKU, b.SKU) })
	next := c
	next.Status, next.Shipping, next.Version, next.Updated = Ordered, &shipping, c.Version+1, r.At
	next.Done = append(c.remembered(r.At), r.Record())
	return order, next, nil
}

// A Notice is a supplier's message that a product is delayed. It is written once, by the datacenter that got it; each datacenter's inventory
// service reads it and marks the product in its own carts.
type Notice struct {
	// ID is DATACENTER.SEQ.
	ID         string                `json:"id" bson:"-"`
	DataCenter topology.DatacenterID `json:"dataCenter" bson:"-"`
	// Seq counts the notices of a datacenter without gaps: whoever has read number n has read all before it.
	Seq     int64     `json:"seq" bson:"seq"`
	SKU     string    `json:"sku" bson:"sku"`
	Until   time.Time `json:"until" bson:"until"`
	Reason  string    `json:"reason,omitempty" bson:"reason,omitempty"`
	Written time.Time `json:"written" bson:"written"`
	Key     string    `json:"-" bson:"key"`
	Request string    `json:"-" bson:"request"`
}

// Sales are one datacenter's totals.
type Sales struct {
	DataCenter topology.DatacenterID `json:"dataCenter" bson:"dataCenter"`
	Currency   string                `json:"currency" bson:"currency"`
	Orders     int64                 `json:"orders" bson:"orders"`
	// Items is how many things were ordered.
	Items   int64 `json:"items" bson:"items"`
	Revenue int64 `json:"revenue" bson:"revenue"`
}
