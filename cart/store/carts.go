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
func (s *Store) Create(ctx context.Context, p consistency.Profile, key, customer string, at time.Time) (cart.Cart, cart.Outcome, error) {
	r := cart.Request{Key: key, At: at, Change: cart.SetCustomer{Customer: customer}}
	if err := r.Check(); err != nil {
		return cart.Cart{}, cart.OutcomeUnknown, err
	}
	h, err := cart.HandleFor(s.dataCenter, key)
	if err != nil {
		return cart.Cart{}, cart.OutcomeUnknown, err
	}
	c := cart.Cart{
		Handle: h, DataCenter: h.DataCenter, CartID: h.ID.String(), Customer: customer, Items: []cart.Item{}, Status: cart.Open, Version: 1,
		Created: at, Updated: at, Done: []cart.Done{r.Record()},
	}
	doc, err := s.document(h.String(), h.DataCenter, c)
	if err != nil {
		return cart.Cart{}, cart.OutcomeUnknown, err
	}
	if home, err := s.movedTo(ctx, p, h, at); err != nil {
		return cart.Cart{}, cart.OutcomeUnknown, err
	} else if home != h {
		return s.recreated(ctx, p, home, r)
	}
	_, err = s.collection(carts, p).InsertOne(ctx, doc)
	switch {
	case mongo.IsDuplicateKeyError(err):
		return s.recreated(ctx, p, h, r)
	case refused(err, validationFailed): // by the zones' part of the validator: all the rest is ours
		return cart.Cart{}, cart.OutcomeUnknown, hint.New(fmt.Errorf("%w: %s", cart.ErrNoHome, h.DataCenter), "make the cart in a datacenter that has a zone")
	case err != nil:
		return cart.Cart{}, cart.OutcomeUnknown, fmt.Errorf("create cart: %w", err)
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
	raw, err := s.collection(carts, p).FindOne(ctx, bson.D{{Key: "_id", Value: h.String()}}, options.FindOne().SetProjection(bson.D{{Key: s.field, Value: 1}})).Raw()
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
	found, err := s.settled(ctx, p, h)
	if err == nil {
		_, err = found.Knows(r.Record())
	}
	return found, cart.Replayed, err
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
	raw, err := s.collection(carts, p).FindOne(ctx, s.cartAt(h)).Raw()
	if err != nil {
		return cart.Cart{}, notFound(err, "cart "+h.String())
	}
	return s.cart(raw)
}

// Carts lists carts of a datacenter by their identifiers, beginning behind one. An empty status means all.
func (s *Store) Carts(ctx context.Context, p consistency.Profile, dc topology.DatacenterID, status cart.Status, after string, limit int) ([]cart.Cart, error) {
	filter := s.at(dc, "cartId", bson.D{{Key: "$gt", Value: after}})
	if status != "" {
		filter = append(filter, bson.E{Key: "status", Value: status})
	}
	cursor, err := s.collection(carts, p).Find(ctx, filter, options.Find().SetSort(bson.D{{Key: "cartId", Value: 1}}).SetLimit(int64(limit)))
	return all(ctx, cursor, err, s.cart)
}

// Change does a request in one atomic update at the cart's primary, wherever that is. What it does is what [cart.Cart.With] says.
func (s *Store) Change(ctx context.Context, p consistency.Profile, h cart.Handle, r cart.Request) (cart.Cart, cart.Outcome, error) {
	if err := r.Check(); err != nil {
		return cart.Cart{}, cart.OutcomeUnknown, err
	}
	filter, update := s.changing(h, r)
	for {
		raw, err := s.collection(carts, p).FindOneAndUpdate(ctx, filter, update, options.FindOneAndUpdate().SetReturnDocument(options.After)).Raw()
		if err == nil {
			c, err := s.cart(raw)
			return c, cart.Applied, err
		}
		if !errors.Is(err, mongo.ErrNoDocuments) {
			return cart.Cart{}, cart.OutcomeUnknown, fmt.Errorf("change cart %s: %w", h, err)
		}
		// Either the request was done before, or it cannot be done.
		c, err := s.settled(ctx, p, h)
		if err != nil {
			return cart.Cart{}, cart.OutcomeUnknown, err
		}
		if _, outcome, err := c.With(r); err != nil || outcome == cart.Replayed {
			return c, outcome, err
		}
		// By now it can be done: the cart has changed in between.
	}
}

// Recall reports whether a request was done before, and the cart. It is for requests that can no longer be done, because something beside the cart
// has changed.
func (s *Store) Recall(ctx context.Context, p consistency.Profile, h cart.Handle, r cart.Request) (cart.Cart, bool, error) {
	if err := r.Check(); err != nil {
		return cart.Cart{}, false, err
	}
	c, err := s.settled(ctx, p, h)
	if err != nil {
		return c, false, err
	}
	done, err := c.Knows(r.Record())
	return c, done, err
}

// settled is the cart as its primary has it, once that is as safe as the profile's writes are. What a failed attempt of a request has left behind may
// not be copied yet; to answer by it would be a promise that a failover breaks. An update that changes nothing waits as one that does.
func (s *Store) settled(ctx context.Context, p consistency.Profile, h cart.Handle) (cart.Cart, error) {
	nothing := bson.D{{Key: "$unset", Value: bson.D{{Key: "nothing", Value: ""}}}}
	raw, err := s.collection(carts, p).FindOneAndUpdate(ctx, s.cartAt(h), nothing).Raw()
	if err != nil {
		return cart.Cart{}, notFound(err, "cart "+h.String())
	}
	return s.cart(raw)
}

// cart decodes a stored cart.
func (s *Store) cart(raw bson.Raw) (c cart.Cart, err error) {
	if err := bson.Unmarshal(raw, &c); err != nil {
		return c, fmt.Errorf("decode cart %s: %w", idOf(raw), err)
	}
	c.DataCenter = s.dataCenterOf(raw) // the document's own identifier has the home in which it was made
	c.Handle, err = cart.HandleOf(c.DataCenter, c.CartID)
	if c.Items == nil {
		c.Items = []cart.Item{}
	}
	return c, err
}

// all decodes everything of a cursor.
func all[T any](ctx context.Context, cursor *mongo.Cursor, err error, decode func(bson.Raw) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = cursor.Close(context.WithoutCancel(ctx)) }()
	found := []T{} // JSON's [], not null
	for cursor.Next(ctx) {
		one, err := decode(cursor.Current)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, cursor.Err()
}
