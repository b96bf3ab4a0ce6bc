package cart

import (
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/geoshard/geoshard/hint"
)

// A Change is one thing that a request does to an open cart. The types of this package are all there are.
type Change interface {
	// Check refuses values that are wrong for every cart.
	Check() error
	// to changes a cart, which it may share nothing with, or says why that cannot be.
	to(c *Cart) error
}

// AddItem puts a number of a product into the cart, beside those that are there. The price of all of them is the new one.
type AddItem struct {
	SKU      string
	Quantity int
	Price    int64
	Currency string
}

// SetQuantity changes the number of a product that is in the cart.
type SetQuantity struct {
	SKU      string
	Quantity int
}

// RemoveItem takes a product out of the cart.
type RemoveItem struct{ SKU string }

// SetCustomer says whose cart it is.
type SetCustomer struct{ Customer string }

// Abandon gives a cart up. It is kept for some time.
type Abandon struct{}

// MaxText is the most characters of a customer's name, or of a reason.
const MaxText = 100

// Check refuses bad names, numbers and prices.
func (a AddItem) Check() error {
	return cmp.Or(checkQuantity(a.Quantity), CheckPrice(a.Price, a.Currency), CheckSKU(a.SKU))
}

// Check refuses bad names and numbers.
func (s SetQuantity) Check() error { return cmp.Or(checkQuantity(s.Quantity), CheckSKU(s.SKU)) }

// Check refuses bad names.
func (r RemoveItem) Check() error { return CheckSKU(r.SKU) }

// Check refuses what is too long.
func (s SetCustomer) Check() error {
	return CheckText("customer", s.Customer)
}

// CheckText refuses what is too long.
func CheckText(what, text string) error {
	if n := utf8.RuneCountInString(text); n > MaxText {
		return hint.New(fmt.Errorf("%w: %s of %d characters", ErrInvalid, what, n), fmt.Sprintf("at most %d", MaxText))
	}
	return nil
}

// Check has nothing to refuse.
func (Abandon) Check() error { return nil }

func checkQuantity(n int) error {
	if n < 1 || n > MaxQuantity {
		return hint.New(fmt.Errorf("%w: quantity %d", ErrInvalid, n), fmt.Sprintf("1 to %d", MaxQuantity))
	}
	return nil
}

func (a AddItem) to(c *Cart) error {
	if c.Currency() != "" && c.Currency() != a.Currency {
		return hint.New(fmt.Errorf("%w: %s, not %s", ErrCurrency, a.Currency, c.Currency()), "one cart is paid in one currency: make another cart")
	}
	if i, err := c.held(a.SKU); err == nil {
		if c.Items[i].Quantity+a.Quantity > MaxQuantity {
			return hint.New(fmt.Errorf("%w: %d more %s", ErrLimit, a.Quantity, a.SKU), fmt.Sprintf("a cart holds at most %d of a product", MaxQuantity))
		}
		c.Items[i].Quantity += a.Quantity
		c.Items[i].Price = a.Price
		return nil
	}
	if len(c.Items) >= MaxItems {
		return hint.New(fmt.Errorf("%w: one more product", ErrLimit), fmt.Sprintf("a cart holds at most %d products", MaxItems))
	}
	c.Items = append(c.Items, Item{SKU: a.SKU, Quantity: a.Quantity, Price: a.Price, Currency: a.Currency})
	return nil
}

func (s SetQuantity) to(c *Cart) error {
	i, err := c.held(s.SKU)
	if err == nil {
		c.Items[i].Quantity = s.Quantity
	}
	return err
}

func (r RemoveItem) to(c *Cart) error {
	i, err := c.held(r.SKU)
	if err == nil {
		c.Items = slices.Delete(c.Items, i, i+1)
	}
	return err
}

func (s SetCustomer) to(c *Cart) error {
	c.Customer = s.Customer
	return nil
}

func (Abandon) to(c *Cart) error {
	c.Status = Abandoned
	return nil
}

// held is the place of a product among the items.
func (c Cart) held(sku string) (int, error) {
	i := slices.IndexFunc(c.Items, func(i Item) bool { return i.SKU == sku })
	if i < 0 {
		return i, hint.New(fmt.Errorf("%w: %s", ErrNoItem, sku), "read the cart: the item may have been removed")
	}
	return i, nil
}
