package cart

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// Limits of one cart.
const (
	// MaxItems is how many products a cart holds; each write rewrites them all.
	MaxItems = 100
	// MaxQuantity is how many of one product.
	MaxQuantity = 999
	// MaxPrice, in minor units, is so low that the total of a cart fits into 53 bits: JSON's numbers are exact up to there.
	MaxPrice = 1_000_000_000
)

// A Status says what can still happen to a cart.
type Status string

// The states of a cart. It begins open and never leaves the other two.
const (
	Open      Status = "open"
	Ordered   Status = "ordered"
	Abandoned Status = "abandoned"
)

// A Cart is what a customer is about to buy.
type Cart struct {
	Handle     Handle                `json:"handle" bson:"-"`
	DataCenter topology.DatacenterID `json:"dataCenter" bson:"-"`
	CartID     string                `json:"cartId" bson:"cartId"`
	Customer   string                `json:"customer,omitempty" bson:"customer,omitempty"`
	Items      []Item                `json:"items" bson:"items"`
	Status     Status                `json:"status" bson:"status"`
	// Version grows by one with every change.
	Version int64 `json:"version" bson:"version"`
	// Shipping is the latest price of shipping. It is about Shipping.Version of the cart.
	Shipping *Shipping `json:"shipping,omitempty" bson:"shipping,omitempty"`
	Created  time.Time `json:"created" bson:"created"`
	Updated  time.Time `json:"updated" bson:"updated"`
	// Done are the requests that have been done and may be sent again.
	Done []Done `json:"-" bson:"done"`
}

// An Item is a number of one product. Its price is that of the moment when it was put into the cart, in minor units (pence, cents).
type Item struct {
	SKU      string `json:"sku" bson:"sku"`
	Quantity int    `json:"quantity" bson:"quantity"`
	Price    int64  `json:"price" bson:"price"`
	Currency string `json:"currency" bson:"currency"`
	// Delays are the notices that have invalidated the item: it is shown, and not ordered. Each notice is here at most once.
	Delays []Delay `json:"delays,omitempty" bson:"delays,omitempty"`
}

// A Delay is a supplier's notice as an item knows it.
type Delay struct {
	Notice string    `json:"notice" bson:"notice"`
	Until  time.Time `json:"until" bson:"until"`
	Marked time.Time `json:"marked" bson:"marked"`
}

// Shipping is what a cart's delivery costs, and the facts that the price was made from.
type Shipping struct {
	Warehouse string `json:"warehouse" bson:"warehouse"`
	// Items is how many things are sent.
	Items int `json:"items" bson:"items"`
	// Cost is in minor units.
	Cost     int64  `json:"cost" bson:"cost"`
	Currency string `json:"currency" bson:"currency"`
	Version  int64  `json:"version" bson:"version"`
}

// Active are the items that can be ordered.
func (c Cart) Active() []Item {
	return slices.DeleteFunc(slices.Clone(c.Items), func(i Item) bool { return len(i.Delays) > 0 })
}

// Count is how many things the active items are.
func (c Cart) Count() (n int) {
	for _, item := range c.Active() {
		n += item.Quantity
	}
	return n
}

// Total is what the active items cost, without shipping, in minor units.
func (c Cart) Total() (sum int64) {
	for _, item := range c.Active() {
		sum += item.Price * int64(item.Quantity)
	}
	return sum
}

// Currency is that of all the items; empty for an empty cart.
func (c Cart) Currency() string {
	if len(c.Items) == 0 {
		return ""
	}
	return c.Items[0].Currency
}

// The shapes keep values out that mean something to the database ($, .), to a URL or to a terminal. Names are those of products, and of datacenters in topologies.
var (
	nameShape     = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]{0,62}[A-Za-z0-9])?$`)
	currencyShape = regexp.MustCompile(`^[A-Z]{3}$`)
)

// CheckSKU checks the name of a product.
func CheckSKU(sku string) error { return checkName("product", sku, "game-console") }

func checkName(of, name, such string) error {
	if nameShape.MatchString(name) {
		return nil
	}
	return hint.New(fmt.Errorf("%w: %s %.100q", ErrInvalid, of, name), "up to 64 letters, digits, - and _, such as "+such)
}

// CheckPrice checks a price in minor units.
func CheckPrice(price int64, currency string) error {
	switch {
	case price < 0 || price > MaxPrice:
		return hint.New(fmt.Errorf("%w: price %d", ErrInvalid, price), fmt.Sprintf("prices are 0 to %d minor units", MaxPrice))
	case !currencyShape.MatchString(currency):
		return hint.New(fmt.Errorf("%w: currency %.100q", ErrInvalid, currency), "currencies have three capitals, such as GBP")
	}
	return nil
}
