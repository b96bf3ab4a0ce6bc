package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// errReplayed ends the transaction of a checkout that was done before.
var errReplayed = errors.New("done before")

// Checkout orders a cart in one transaction: it takes the items from the stock, writes the order and closes the cart. All of them are of the
// cart's datacenter, so the transaction stays on one shard. quote prices the shipping.
func (s *Store) Checkout(ctx context.Context, p consistency.Profile, h cart.Handle, r cart.Checkout, quote func(cart.Cart) cart.Shipping) (none cart.Order, unknown cart.Outcome, err error) {
	if err := r.Check(); err != nil {
		return none, unknown, err
	}
	session := mongo.SessionFromContext(ctx)
	if session == nil {
		if session, err = s.client.StartSession(p.SessionOptions()); err != nil {
			return none, unknown, err
		}
		defer session.EndSession(context.WithoutCancel(ctx))
	}
	order, err := session.WithTransaction(ctx, func(ctx context.Context) (any, error) { return s.checkout(ctx, h, r, quote) }, p.TransactionOptions())
	switch {
	case errors.Is(err, errReplayed):
		order, err := s.replayed(ctx, p, h)
		return order, cart.Replayed, err
	case err != nil:
		return none, unknown, fmt.Errorf("check out cart %s: %w", h, err)
	}
	return order.(cart.Order), cart.Applied, nil
}

// checkout runs inside the transaction, perhaps several times.
func (s *Store) checkout(ctx context.Context, h cart.Handle, r cart.Checkout, quote func(cart.Cart) cart.Shipping) (none cart.Order, err error) {
	c, err := found(s.db.Collection(carts).FindOne(ctx, s.cartAt(h)), "cart "+h.String(), s.cart)
	if err != nil {
		return none, err
	}
	if done, err := c.Knows(r.Record()); err != nil {
		return none, err
	} else if done {
		return none, errReplayed
	}
	order, next, err := cart.PlanOrder(c, r, quote)
	if err != nil {
		return none, err
	}
	if err := s.close(ctx, c, next); err != nil {
		return none, err
	}
	if err := s.take(ctx, order.DataCenter, order.Items); err != nil {
		return none, err
	}
	return order, s.insert(ctx, s.db.Collection(orders), h.String(), h.DataCenter, order)
}

// close writes what a checkout makes of a cart, if it is still the one that was read.
func (s *Store) close(ctx context.Context, was, next cart.Cart) error {
	result, err := s.db.Collection(carts).UpdateOne(ctx, s.cartAt(was.Handle, "version", was.Version), doc(
		"$set", doc("status", next.Status, "version", next.Version, "updated", next.Updated, "shipping", next.Shipping, "done", next.Done),
		"$unset", doc("shippingDue", ""),
	))
	if err == nil && result.MatchedCount == 0 {
		return hint.New(cart.ErrVersion, "read the cart and decide again")
	}
	return err
}

// take takes items from the stock, which never gets below nothing: all with one message, for each may cross an ocean.
func (s *Store) take(ctx context.Context, dc topology.DatacenterID, items []cart.Item) error {
	models := make([]mongo.WriteModel, len(items))
	for i, item := range items {
		models[i] = mongo.NewUpdateOneModel().
			SetFilter(s.at(dc, "sku", item.SKU, "available", doc("$gte", int64(item.Quantity)))).
			SetUpdate(doc("$inc", doc("available", -int64(item.Quantity))))
	}
	result, err := s.db.Collection(stock).BulkWrite(ctx, models)
	if err != nil || result.MatchedCount == int64(len(items)) {
		return err
	}
	return s.lacks(ctx, dc, items)
}

// lacks is the error of items that the stock does not have. What the transaction has taken of the others is not in effect, so it is asked outside of it.
func (s *Store) lacks(ctx context.Context, dc topology.DatacenterID, items []cart.Item) error {
	skus := make(bson.A, len(items))
	for i, item := range items {
		skus[i] = item.SKU
	}
	var there []cart.Stock
	cursor, err := s.db.Collection(stock).Find(mongo.NewSessionContext(ctx, nil), s.at(dc, "sku", doc("$in", skus)))
	if err == nil {
		err = cursor.All(ctx, &there)
	}
	if err != nil {
		return err
	}
	var short []string
	for _, item := range items {
		if !slices.ContainsFunc(there, func(one cart.Stock) bool { return one.SKU == item.SKU && one.Available >= int64(item.Quantity) }) {
			short = append(short, fmt.Sprintf("%d of %s", item.Quantity, item.SKU))
		}
	}
	return hint.New(fmt.Errorf("%w: %s in %s", cart.ErrOutOfStock, strings.Join(short, ", "), dc), "order less of it, or remove it from the cart")
}

// replayed is the order of a checkout that was done before. The transaction that did it is safe once the cart is: see settled.
func (s *Store) replayed(ctx context.Context, p consistency.Profile, h cart.Handle) (cart.Order, error) {
	if _, err := s.settled(ctx, p, h); err != nil {
		return cart.Order{}, err
	}
	result := s.primary(orders, p).FindOne(ctx, s.orderAt(h))
	if errors.Is(result.Err(), mongo.ErrNoDocuments) { // the cart has moved since, and the order has not
		result = s.primary(orders, p).FindOne(ctx, doc("orderId", h.ID.String()))
	}
	return found(result, "order "+h.String(), s.order)
}

// Order reads an order.
func (s *Store) Order(ctx context.Context, p consistency.Profile, h cart.Handle) (cart.Order, error) {
	return found(s.collection(orders, p).FindOne(ctx, s.orderAt(h)), "order "+h.String(), s.order)
}

// orderAt is an order by its full shard key.
func (s *Store) orderAt(h cart.Handle) bson.D { return s.at(h.DataCenter, "orderId", h.ID.String()) }

// Orders lists a datacenter's orders by their identifiers, beginning behind one.
func (s *Store) Orders(ctx context.Context, p consistency.Profile, dc topology.DatacenterID, after string, limit int) ([]cart.Order, error) {
	cursor, err := s.collection(orders, p).Find(ctx, s.at(dc, "orderId", doc("$gt", after)), inOrder("orderId", limit))
	return all(ctx, cursor, err, s.order)
}

func (s *Store) order(raw bson.Raw) (o cart.Order, err error) {
	if err := bson.Unmarshal(raw, &o); err != nil {
		return o, fmt.Errorf("decode order %s: %w", stringOf(raw, "_id"), err)
	}
	o.DataCenter = s.dataCenterOf(raw)
	o.Handle, err = cart.HandleOf(o.DataCenter, o.OrderID)
	return o, err
}

// Sales are the totals of all datacenters.
func (s *Store) Sales(ctx context.Context, p consistency.Profile) ([]cart.Sales, error) {
	group := doc("$group", doc(
		"_id", doc("dataCenter", "$"+s.field, "currency", "$currency"),
		"orders", doc("$sum", int64(1)),
		"items", doc("$sum", doc("$sum", "$items.quantity")),
		"revenue", doc("$sum", "$total"),
	))
	flat := doc("$replaceRoot", doc("newRoot", op("$mergeObjects", "$$ROOT", "$_id")))
	order := doc("$sort", doc("dataCenter", 1, "currency", 1))
	cursor, err := s.collection(orders, p).Aggregate(ctx, bson.A{group, flat, order})
	return all(ctx, cursor, err, func(raw bson.Raw) (sales cart.Sales, err error) { return sales, bson.Unmarshal(raw, &sales) })
}
