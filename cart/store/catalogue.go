package store

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/topology"
)

// Product reads a product of a datacenter's catalogue.
func (s *Store) Product(ctx context.Context, p consistency.Profile, dc topology.DatacenterID, sku string) (cart.Product, error) {
	return found(s.collection(catalogue, p).FindOne(ctx, s.at(dc, "sku", sku)), fmt.Sprintf("product %s in %s", sku, dc), s.product)
}

// Products lists a datacenter's catalogue.
func (s *Store) Products(ctx context.Context, p consistency.Profile, dc topology.DatacenterID, after string, limit int) ([]cart.Product, error) {
	cursor, err := s.collection(catalogue, p).Find(ctx, s.at(dc, "sku", doc("$gt", after)), inOrder("sku", limit))
	return all(ctx, cursor, err, s.product)
}

func (s *Store) product(raw bson.Raw) (p cart.Product, err error) {
	err = bson.Unmarshal(raw, &p)
	p.DataCenter = s.dataCenterOf(raw)
	return p, err
}

// PutProducts writes products into their datacenters' catalogues, or changes their names and prices there.
func (s *Store) PutProducts(ctx context.Context, p consistency.Profile, products ...cart.Product) error {
	models := make([]mongo.WriteModel, len(products))
	for i, product := range products {
		if err := errors.Join(cart.CheckSKU(product.SKU), cart.CheckPrice(product.Price, product.Currency)); err != nil {
			return err
		}
		models[i] = s.once(product.DataCenter, product.SKU, doc("$set", doc("name", product.Name, "price", product.Price, "currency", product.Currency)))
	}
	_, err := s.collection(catalogue, p).BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	return err
}

// Stock lists a datacenter's stock as its primary has it.
func (s *Store) Stock(ctx context.Context, p consistency.Profile, dc topology.DatacenterID) ([]cart.Stock, error) {
	cursor, err := s.primary(stock, p).Find(ctx, s.at(dc), options.Find().SetSort(doc("sku", 1)))
	return all(ctx, cursor, err, func(raw bson.Raw) (one cart.Stock, err error) {
		err = bson.Unmarshal(raw, &one)
		one.DataCenter = s.dataCenterOf(raw)
		return one, err
	})
}

// BeginStock writes what there is of products, of each if there is no number of it yet. It never changes one that is.
func (s *Store) BeginStock(ctx context.Context, p consistency.Profile, all ...cart.Stock) error {
	models := make([]mongo.WriteModel, len(all))
	for i, one := range all {
		models[i] = s.once(one.DataCenter, one.SKU, doc("$setOnInsert", doc("available", one.Available)))
	}
	_, err := s.collection(stock, p).BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	return err
}

// once updates, or makes, what there is once for a product and datacenter.
func (s *Store) once(dc topology.DatacenterID, sku string, update bson.D) mongo.WriteModel {
	return mongo.NewUpdateOneModel().SetUpsert(true).SetFilter(s.at(dc, "sku", sku, "_id", string(dc)+"."+sku)).SetUpdate(update)
}
