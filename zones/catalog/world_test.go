package catalog_test

import (
	"context"
	"os"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/catalog"
)

func TestMain(m *testing.M) { os.Exit(clustertest.Main(m)) }

// open opens the catalogue of the shared cluster.
func open(t testing.TB) *catalog.Catalog {
	t.Helper()
	return openOf(t, clustertest.Alone(t))
}

// A located cluster has a query router in each datacenter.
type located interface {
	URI(topology.DatacenterID) (string, error)
}

// openOf opens that of another cluster with the same datacenter.
func openOf(t testing.TB, cluster located) *catalog.Catalog {
	t.Helper()
	return openAt(t, cluster, clustertest.SmallDC)
}

// openAt opens a cluster's by the query router of a datacenter.
func openAt(t testing.TB, cluster located, dc topology.DatacenterID) *catalog.Catalog {
	t.Helper()
	uri, err := cluster.URI(dc)
	if err != nil {
		t.Fatal(err)
	}
	c, err := catalog.Open(t.Context(), catalog.Options{URI: uri})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return c
}

var (
	lowest  = bson.MinKey{}
	highest = bson.MaxKey{}
	byDC    = topology.Key{{Name: "dc"}, {Name: "id"}}
)

// key makes a shard key of {dc, id}.
func key(t testing.TB, dc, id any) bson.Raw {
	t.Helper()
	raw, err := bson.Marshal(bson.D{{Key: "dc", Value: dc}, {Key: "id", Value: id}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// tight is the range of one value of dc.
func tight(t testing.TB, dc string, zone topology.ZoneID) zones.Range {
	t.Helper()
	return zones.Range{Min: key(t, dc, lowest), Max: key(t, dc+"\x00", lowest), Zone: zone}
}

// perform makes changes twice each: the second time nothing is left to do.
func perform(t testing.TB, c *catalog.Catalog, changes ...zones.Change) {
	t.Helper()
	for _, change := range changes {
		for _, time := range []string{"first", "second"} {
			if err := c.Perform(t.Context(), change); err != nil {
				t.Fatalf("%s (%s time): %v", change, time, err)
			}
		}
	}
}

// sharded makes a collection with documents of each dc on the shard of its zone: A on s0, B on s1. C is in no zone.
func sharded(t testing.TB, c *catalog.Catalog, ns string) {
	t.Helper()
	zoneA, zoneB := topology.ZoneID(ns+"-A"), topology.ZoneID(ns+"-B")
	perform(t, c,
		zones.AddShardToZone{Shard: "s0", Zone: zoneA}, zones.AddShardToZone{Shard: "s1", Zone: zoneB},
		zones.AddRange{Collection: ns, Range: tight(t, "A", zoneA)}, zones.AddRange{Collection: ns, Range: tight(t, "B", zoneB)},
		zones.ShardCollection{Collection: ns, Key: byDC})
	t.Cleanup(func() {
		db, collection, _ := cut(ns)
		if err := c.Client().Database(db).Collection(collection).Drop(context.Background()); err != nil {
			t.Errorf("drop: %v", err)
		}
		for _, change := range []zones.Change{zones.RemoveShardFromZone{Shard: "s0", Zone: zoneA}, zones.RemoveShardFromZone{Shard: "s1", Zone: zoneB}} {
			if err := c.Perform(context.Background(), change); err != nil {
				t.Errorf("%s: %v", change, err)
			}
		}
	})
}

func cut(ns string) (db, collection string, ok bool) {
	for i := range ns {
		if ns[i] == '.' {
			return ns[:i], ns[i+1:], true
		}
	}
	return ns, "", false
}

// fill inserts documents of about 300 bytes for each value of dc.
func fill(t testing.TB, c *catalog.Catalog, ns string, counts map[any]int) {
	t.Helper()
	db, collection, _ := cut(ns)
	for dc, n := range counts {
		var docs []bson.D
		for id := range n {
			docs = append(docs, bson.D{{Key: "dc", Value: dc}, {Key: "id", Value: id}, {Key: "pad", Value: make([]byte, 250)}})
		}
		if _, err := c.Client().Database(db).Collection(collection).InsertMany(t.Context(), docs); err != nil {
			t.Fatal(err)
		}
	}
}

func connect(t testing.TB, uri string) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client
}
