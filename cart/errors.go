package cart

import "errors"

// The reasons for refusing a request. Nothing was changed.
var (
	// ErrBadHandle means that a text is no handle.
	ErrBadHandle = errors.New("bad handle")
	// ErrBadKey means that a request has no usable key.
	ErrBadKey = errors.New("bad idempotency key")
	// ErrKeyExpired means that a request was made so long ago that it cannot be told whether it was done.
	ErrKeyExpired = errors.New("idempotency key too old")
	// ErrKeyReused means that another request had the same key.
	ErrKeyReused = errors.New("idempotency key used for another request")
	// ErrTooBusy means that a cart had so many writes that their keys fill its list.
	ErrTooBusy = errors.New("too many writes to one cart")
	// ErrNotFound means that there is no such thing.
	ErrNotFound = errors.New("not found")
	// ErrClosed means that a cart was ordered or given up, and takes no more changes.
	ErrClosed = errors.New("the cart is closed")
	// ErrVersion means that a cart has changed since the version that the request is about.
	ErrVersion = errors.New("the cart has changed")
	// ErrLimit means that a quantity or a number of items is out of bounds.
	ErrLimit = errors.New("over the limit")
	// ErrNoItem means that a cart does not hold the item.
	ErrNoItem = errors.New("the cart does not hold the item")
	// ErrCurrency means that an item's price is in another currency than the cart's.
	ErrCurrency = errors.New("another currency than the cart's")
	// ErrEmpty means that there is nothing to order.
	ErrEmpty = errors.New("nothing to order")
	// ErrDelayed means that a product cannot be delivered at present.
	ErrDelayed = errors.New("the product is delayed")
	// ErrOutOfStock means that there is less of a product than ordered.
	ErrOutOfStock = errors.New("out of stock")
	// ErrNoHome means that carts are not at home in a datacenter.
	ErrNoHome = errors.New("no carts are at home in this datacenter")
	// ErrInvalid means that a value makes no sense.
	ErrInvalid = errors.New("invalid value")
)
