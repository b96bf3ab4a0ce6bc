package store

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/topology"
)

// Product reads a product of a datacenter's catalogue.
func (s *Store) Product(ctx context.Context, p consistency.Profile, dc topology.DatacenterID, sku string) (cart.Product, error) {
	raw, err := s.collection(catalogue, p).FindOne(ctx, s.at(dc, "sku", sku)).Raw()
	if err != nil {
		return cart.Product{}, notFound(err, fmt.Sprintf("product %s in %s", sku, dc))
	}
	return s.product(raw)
}

// Products lists a datacenter's catalogue.
func (s *Store) Products(ctx context.Context, p consistency.Profile, dc topology.DatacenterID, after string, limit int) ([]cart.Product, error) {
	cursor, err := s.collection(catalogue, p).Find(ctx, s.at(dc, "sku", bson.D{{Key: "$gt", Value: after}}),
		options.Find().SetSort(bson.D{{Key: "sku", Value: 1}}).SetLimit(int64(limit)))
	return all(ctx, cursor, err, s.product)
}

func (s *Store) product(raw bson.Raw) (p cart.Product, err error) {
	err = bson.Unmarshal(raw, &p)
	p.DataCenter = s.dataCenterOf(raw)
	return p, err
}

// PutProduct writes a product into its datacenter's catalogue, or changes its name and price there.
func (s *Store) PutProduct(ctx context.Context, p consistency.Profile, product cart.Product) error {
	if err := cart.CheckSKU(product.SKU); err != nil {
		return err
	}
	if err := cart.CheckPrice(product.Price, product.Currency); err != nil {
		return err
	}
	_, err := s.collection(catalogue, p).UpdateOne(ctx, s.skuAt(product.DataCenter, product.SKU),
		bson.D{{Key: "$set", Value: bson.D{{Key: "name", Value: product.Name}, {Key: "price", Value: product.Price}, {Key: "currency", Value: product.Currency}}}}, upsert())
	return err
}

// Stock lists a datacenter's stock as its primary has it.
func (s *Store) Stock(ctx context.Context, p consistency.Profile, dc topology.DatacenterID) ([]cart.Stock, error) {
	cursor, err := s.primary(stock, p).Find(ctx, s.of(dc), options.Find().SetSort(bson.D{{Key: "sku", Value: 1}}))
	return all(ctx, cursor, err, func(raw bson.Raw) (one cart.Stock, err error) {
		err = bson.Unmarshal(raw, &one)
		one.DataCenter = s.dataCenterOf(raw)
		return one, err
	})
}

// BeginStock writes a stock if there is none of the product yet. It never changes one that is.
func (s *Store) BeginStock(ctx context.Context, p consistency.Profile, one cart.Stock) error {
	_, err := s.collection(stock, p).UpdateOne(ctx, s.skuAt(one.DataCenter, one.SKU),
		bson.D{{Key: "$setOnInsert", Value: bson.D{{Key: "available", Value: one.Available}}}}, upsert())
	return err
}

// skuAt is the full shard key and the identifier of what there is once for a product and datacenter.
func (s *Store) skuAt(dc topology.DatacenterID, sku string) bson.D {
	return append(s.at(dc, "sku", sku), bson.E{Key: "_id", Value: string(dc) + "." + sku})
}
