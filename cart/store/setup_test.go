package store_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cluster/clustertest"
)

func validatorOf(t testing.TB, db *mongo.Database, collection string) bson.Raw {
	t.Helper()
	list, err := db.ListCollectionSpecifications(t.Context(), bson.D{{Key: "name", Value: collection}})
	if err != nil || len(list) != 1 {
		t.Fatalf("got %d specifications, %v", len(list), err)
	}
	return list[0].Options.Lookup("validator").Document()
}

// The part of geoshard's zones, which refuses unknown datacenters, and somebody else's stay whatever is done in which order.
func TestSetupKeepsOthersValidators(t *testing.T) {
	s := shop(t, "cartstore_validators", "dataCenter")
	db := s.Client().Database("cartstore_validators")
	ours := validatorOf(t, db, "carts")
	zones := bson.D{{Key: "$jsonSchema", Value: bson.D{{Key: "title", Value: "geoshard: declared values of dataCenter"}, {Key: "required", Value: bson.A{"dataCenter"}},
		{Key: "properties", Value: bson.D{{Key: "dataCenter", Value: bson.D{{Key: "enum", Value: bson.A{"NYC", "LON", "SYD"}}}}}}}}}
	other := bson.D{{Key: "customer", Value: bson.D{{Key: "$ne", Value: "nobody"}}}}
	stale := bson.D{{Key: "$jsonSchema", Value: bson.D{{Key: "title", Value: "cart: shape of carts"}}}}
	for name, before := range map[string]bson.D{
		"as zones join it": {{Key: "$and", Value: bson.A{ours, zones}}},
		"of an older us":   {{Key: "$and", Value: bson.A{bson.D{{Key: "$and", Value: bson.A{stale, other}}}, zones}}},
	} {
		if err := db.RunCommand(t.Context(), bson.D{{Key: "collMod", Value: "carts"}, {Key: "validator", Value: before}}).Err(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.Setup(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		parts, err := validatorOf(t, db, "carts").Lookup("$and").Array().Values()
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int{"as zones join it": 2, "of an older us": 3}[name]
		if len(parts) != want || parts[0].String() != ours.String() {
			t.Errorf("%s: got %d parts, want %d and ours first: %v", name, len(parts), want, parts)
		}
		if title, _ := parts[want-1].Document().Lookup("$jsonSchema", "title").StringValueOK(); title != "geoshard: declared values of dataCenter" {
			t.Errorf("%s: the zones' part is gone: %v", name, parts)
		}
	}
	nowhere := at(t, s.Client(), "cartstore_validators", "dataCenter", "MARS")
	if _, _, err := nowhere.Create(t.Context(), durable(t), key(), "", now()); err == nil {
		t.Error("a cart of an unknown datacenter was taken")
	}
	if err := s.BeginStock(t.Context(), durable(t), cart.Stock{DataCenter: "LON", SKU: "book", Available: -1}); err == nil {
		t.Error("stock below nothing was taken")
	}
	create(t, s)
}

func TestUnshardedCollectionsAreNamed(t *testing.T) {
	c := client(t)
	clustertest.Claim(t, sharedURI(t), "cartstore_unsharded")
	s := at(t, c, "cartstore_unsharded", "dataCenter", "LON")
	if err := s.Setup(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Unsharded(t.Context()); err != nil || len(got) != 6 {
		t.Errorf("got %v, %v, want all six", got, err)
	}
	if got, err := shop(t, "cartstore_issharded", "dataCenter").Unsharded(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("sharded: got %v, %v, want none", got, err)
	}
}
