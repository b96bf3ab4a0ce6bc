package store_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.uber.org/goleak"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cart/shipping"
	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/topology"
)

func TestMain(m *testing.M) {
	code := clustertest.Main(m)
	if err := goleak.Find(); err != nil && code == 0 {
		os.Stderr.WriteString(err.Error())
		code = 1
	}
	os.Exit(code)
}

func profile(t testing.TB, name string) consistency.Profile {
	t.Helper()
	p, err := consistency.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// durable is the profile of these tests: the small cluster has one datacenter, and so no two that could acknowledge.
func durable(t testing.TB) consistency.Profile { return profile(t, "durable") }

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func key() string { return ulid.Make().String() }

func sharedURI(t testing.TB) string {
	t.Helper()
	uri, err := clustertest.Shared(t).URI(clustertest.SmallDC)
	if err != nil {
		t.Fatal(err)
	}
	return uri
}

func client(t testing.TB) *mongo.Client {
	t.Helper()
	c, err := mongo.Connect(options.Client().ApplyURI(sharedURI(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Disconnect(context.Background()) })
	return c
}

// homes are the zones of the small cluster's shards; each has the carts of one datacenter.
var homes = map[topology.DatacenterID]string{"NYC": "s0", "LON": "s1", "SYD": "s2"}

// sharded makes the shop's collections as geoshard apply would: by the datacenter, each datacenter's range on a shard.
func sharded(t testing.TB, c *mongo.Client, database, field string) {
	t.Helper()
	run := func(command bson.D) {
		if err := c.Database("admin").RunCommand(t.Context(), command).Err(); err != nil {
			t.Fatalf("%v: %v", command, err)
		}
	}
	for dc, shard := range homes {
		run(bson.D{{Key: "addShardToZone", Value: shard}, {Key: "zone", Value: "cartstore_" + dc}})
	}
	for _, ns := range store.Namespaces(database, field) {
		for dc := range homes {
			run(bson.D{{Key: "updateZoneKeyRange", Value: ns.Name}, {Key: "zone", Value: "cartstore_" + dc},
				{Key: "min", Value: bson.D{{Key: field, Value: dc}, {Key: ns.Key[1].Name, Value: bson.MinKey{}}}},
				{Key: "max", Value: bson.D{{Key: field, Value: dc}, {Key: ns.Key[1].Name, Value: bson.MaxKey{}}}}})
		}
		run(bson.D{{Key: "shardCollection", Value: ns.Name}, {Key: "key", Value: bson.D{{Key: field, Value: 1}, {Key: ns.Key[1].Name, Value: 1}}}})
	}
}

// shop is a sharded shop of its own, seen from LON.
func shop(t testing.TB, database, field string) *store.Store {
	t.Helper()
	c := client(t)
	clustertest.Claim(t, sharedURI(t), database)
	sharded(t, c, database, field)
	s := at(t, c, database, field, "LON")
	if err := s.Setup(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return s
}

func at(t testing.TB, c *mongo.Client, database, field string, dc topology.DatacenterID) *store.Store {
	t.Helper()
	s, err := store.New(store.Options{Client: c, DataCenter: dc, Database: database, Field: field})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func create(t testing.TB, s *store.Store) cart.Cart {
	t.Helper()
	c, _, err := s.Create(t.Context(), durable(t), key(), "", now())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func change(t testing.TB, s *store.Store, h cart.Handle, c cart.Change) cart.Cart {
	t.Helper()
	got, outcome, err := s.Change(t.Context(), durable(t), h, cart.Request{Key: key(), At: now(), Change: c})
	if err != nil || outcome != cart.Applied {
		t.Fatalf("%T: got %v, %v", c, outcome, err)
	}
	return got
}

func book(n int) cart.AddItem {
	return cart.AddItem{SKU: "book", Quantity: n, Price: 1299, Currency: "GBP"}
}

func stocked(t testing.TB, s *store.Store, sku string, n int64) {
	t.Helper()
	if err := s.BeginStock(t.Context(), durable(t), cart.Stock{DataCenter: s.DataCenter(), SKU: sku, Available: n}); err != nil {
		t.Fatal(err)
	}
}

func available(t testing.TB, s *store.Store, sku string) int64 {
	t.Helper()
	list, err := s.Stock(t.Context(), durable(t), s.DataCenter())
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range list {
		if one.SKU == sku {
			return one.Available
		}
	}
	t.Fatalf("no stock of %s", sku)
	return 0
}

func checkout(t testing.TB, s *store.Store, h cart.Handle, version int64, k string) (cart.Order, cart.Outcome, error) {
	t.Helper()
	return s.Checkout(t.Context(), durable(t), h, cart.Checkout{Key: k, At: now(), IfVersion: version}, shipping.Quote)
}
