package store

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/consistency"
)

// Unpriced are open carts of this datacenter that have changed since their shipping was priced.
func (s *Store) Unpriced(ctx context.Context, p consistency.Profile, limit int) ([]cart.Cart, error) {
	filter := append(s.of(s.dataCenter), bson.E{Key: "shippingDue", Value: true}, bson.E{Key: "status", Value: cart.Open})
	cursor, err := s.primary(carts, p).Find(ctx, filter, options.Find().SetLimit(int64(limit)))
	return all(ctx, cursor, err, s.cart)
}

// Price writes the price of shipping, if the cart is still the one that it was made from; else the cart stays due. The cart's version
// stays: nobody has changed what he buys.
func (s *Store) Price(ctx context.Context, p consistency.Profile, h cart.Handle, price cart.Shipping) (written bool, err error) {
	filter := append(s.cartAt(h), bson.E{Key: "version", Value: price.Version}, bson.E{Key: "status", Value: cart.Open})
	result, err := s.collection(carts, p).UpdateOne(ctx, filter, bson.D{
		{Key: "$set", Value: bson.D{{Key: "shipping", Value: price}}}, {Key: "$unset", Value: bson.D{{Key: "shippingDue", Value: ""}}},
	})
	return err == nil && result.MatchedCount == 1, err
}
