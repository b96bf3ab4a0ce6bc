package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// Create makes a cart in this process's datacenter. The cart's handle follows from the key, so a request that is sent again meets its own cart.
func (s *Store) Create(ctx context.Context, p consistency.Profile, key, customer string, at time.Time) (none cart.Cart, unknown cart.Outcome, err error) {
	r := cart.Request{Key: key, At: at, Change: cart.SetCustomer{Customer: customer}}
	if err := r.Check(); err != nil {
		return none, unknown, err
	}
	h, err := cart.HandleFor(s.dataCenter, key)
	if err != nil {
		return none, unknown, err
	}
	c := cart.Cart{
		Handle: h, DataCenter: h.DataCenter, CartID: h.ID.String(), Customer: customer, Items: []cart.Item{}, Status: cart.Open, Version: 1,
		Created: at, Updated: at, Done: []cart.Done{r.Record()},
	}
	if home, err := s.movedTo(ctx, p, h, at); err != nil {
		return none, unknown, err
	} else if home != h {
		return s.recreated(ctx, p, home, r)
	}
	err = s.insert(ctx, s.collection(carts, p), h.String(), h.DataCenter, c)
	switch {
	case mongo.IsDuplicateKeyError(err):
		return s.recreated(ctx, p, h, r)
	case refused(err, validationFailed): // by the zones' part of the validator: all the rest is ours
		return none, unknown, hint.New(fmt.Errorf("%w: %s", cart.ErrNoHome, h.DataCenter), "make the cart in a datacenter that has a zone")
	case err != nil:
		return none, unknown, fmt.Errorf("create cart: %w", err)
	}
	return c, cart.Applied, nil
}

// movesAfter is how long after its making a cart is not moved: a request for a new one that is younger need not look for it elsewhere. It is longer than copies lag.
const movesAfter = 5 * time.Second

// movedTo is the handle of a cart that has been made and moved since, or the handle itself. A request that is sent again finds no cart where it would make it, and
// would make another one. It is looked for among the copies in this datacenter, so that no other one's primary has to answer.
func (s *Store) movedTo(ctx context.Context, p consistency.Profile, h cart.Handle, at time.Time) (cart.Handle, error) {
	if at.Sub(h.ID.Timestamp()) < movesAfter {
		return h, nil
	}
	p.Read = consistency.Read{Concern: "majority", Mode: readpref.NearestMode, OwnDatacenter: true, Elsewhere: true}
	raw, err := s.collection(carts, p).FindOne(ctx, doc("_id", h.String()), options.FindOne().SetProjection(doc(s.field, 1))).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return h, nil
	}
	if err != nil {
		return h, fmt.Errorf("look for cart %s elsewhere: %w", h, err)
	}
	h.DataCenter = s.dataCenterOf(raw)
	return h, nil
}

// recreated answers a request for a cart that there is already.
func (s *Store) recreated(ctx context.Context, p consistency.Profile, h cart.Handle, r cart.Request) (cart.Cart, cart.Outcome, error) {
	c, _, err := s.Recall(ctx, p, h, r)
	return c, cart.Replayed, err
}

// validationFailed is the server's code for a document that a validator refuses.
const validationFailed = 121

// refused reports whether an error is the server's with that code.
func refused(err error, code int) bool {
	var server mongo.ServerError
	return errors.As(err, &server) && server.HasErrorCode(code)
}

// Cart reads a cart.
func (s *Store) Cart(ctx context.Context, p consistency.Profile, h cart.Handle) (cart.Cart, error) {
	return found(s.collection(carts, p).FindOne(ctx, s.cartAt(h)), "cart "+h.String(), s.cart)
}

// Carts lists carts of a datacenter by their identifiers, beginning behind one. An empty status means all.
func (s *Store) Carts(ctx context.Context, p consistency.Profile, dc topology.DatacenterID, status cart.Status, after string, limit int) ([]cart.Cart, error) {
	filter := s.at(dc, "cartId", doc("$gt", after))
	if status != "" {
		filter = append(filter, doc("status", status)...)
	}
	cursor, err := s.collection(carts, p).Find(ctx, filter, inOrder("cartId", limit))
	return all(ctx, cursor, err, s.cart)
}

// Change does a request in one atomic update at the cart's primary, wherever that is. What it does is what [cart.Cart.With] says.
func (s *Store) Change(ctx context.Context, p consistency.Profile, h cart.Handle, r cart.Request) (none cart.Cart, unknown cart.Outcome, err error) {
	if err := r.Check(); err != nil {
		return none, unknown, err
	}
	filter, update := s.changing(h, r)
	for {
		raw, err := s.collection(carts, p).FindOneAndUpdate(ctx, filter, update, options.FindOneAndUpdate().SetReturnDocument(options.After)).Raw()
		if err == nil {
			c, err := s.cart(raw)
			return c, cart.Applied, err
		}
		if !errors.Is(err, mongo.ErrNoDocuments) {
			return none, unknown, fmt.Errorf("change cart %s: %w", h, err)
		}
		// Either the request was done before, or it cannot be done.
		c, err := s.settled(ctx, p, h)
		if err != nil {
			return none, unknown, err
		}
		if _, outcome, err := c.With(r); err != nil || outcome == cart.Replayed {
			return c, outcome, err
		}
		// By now it can be done: the cart has changed in between.
	}
}

// Recall reports whether a request was done before, and the cart. It is for requests that can no longer be done, because something beside the cart
// has changed.
func (s *Store) Recall(ctx context.Context, p consistency.Profile, h cart.Handle, r cart.Request) (c cart.Cart, done bool, err error) {
	if err := r.Check(); err != nil {
		return c, false, err
	}
	if c, err = s.settled(ctx, p, h); err == nil {
		done, err = c.Knows(r.Record())
	}
	return c, done, err
}

// settled is the cart as its primary has it, once that is as safe as the profile's writes are. What a failed attempt of a request has left behind may
// not be copied yet; to answer by it would be a promise that a failover breaks.
func (s *Store) settled(ctx context.Context, p consistency.Profile, h cart.Handle) (cart.Cart, error) {
	return found(s.collection(carts, p).FindOneAndUpdate(ctx, s.cartAt(h), nothing), "cart "+h.String(), s.cart)
}

// nothing is an update that changes nothing, and waits as one that does.
var nothing = doc("$unset", doc("nothing", ""))

// cart decodes a stored cart.
func (s *Store) cart(raw bson.Raw) (c cart.Cart, err error) {
	if err := bson.Unmarshal(raw, &c); err != nil {
		return c, fmt.Errorf("decode cart %s: %w", stringOf(raw, "_id"), err)
	}
	c.DataCenter = s.dataCenterOf(raw) // the document's own identifier has the home in which it was made
	c.Handle, err = cart.HandleOf(c.DataCenter, c.CartID)
	if c.Items == nil {
		c.Items = []cart.Item{}
	}
	return c, err
}

// Unpriced are open carts of this datacenter that have changed since their shipping was priced.
func (s *Store) Unpriced(ctx context.Context, p consistency.Profile, limit int) ([]cart.Cart, error) {
	cursor, err := s.primary(carts, p).Find(ctx, s.at(s.dataCenter, "shippingDue", true, "status", cart.Open), options.Find().SetLimit(int64(limit)))
	return all(ctx, cursor, err, s.cart)
}

// Price writes the price of shipping, if the cart is still the one that it was made from; else the cart stays due. The cart's version
// stays: nobody has changed what he buys.
func (s *Store) Price(ctx context.Context, p consistency.Profile, h cart.Handle, price cart.Shipping) (written bool, err error) {
	filter := s.cartAt(h, "version", price.Version, "status", cart.Open)
	result, err := s.collection(carts, p).UpdateOne(ctx, filter, doc("$set", doc("shipping", price), "$unset", doc("shippingDue", "")))
	return err == nil && result.MatchedCount == 1, err
}
