package dashboard

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/catalog"
)

func key(v any) bson.Raw {
	raw, err := bson.Marshal(bson.D{{Key: "dc", Value: v}})
	if err != nil {
		panic(err)
	}
	return raw
}

func TestChunksAreShownWithTheirZonesAndAstrayOnesToo(t *testing.T) {
	c := catalog.Glance{
		Shards: []zones.Shard{{ID: "lon", Zones: []topology.ZoneID{"LON"}}, {ID: "nyc"}},
		Collections: []zones.Collection{{
			Name: "shop.carts", Ranges: []zones.Range{{Min: key("LON"), Max: key("M"), Zone: "LON"}},
			Chunks: []zones.Chunk{
				{Min: key(bson.MinKey{}), Max: key("LON"), Shard: "nyc"},
				{Min: key("LON"), Max: key("LON5"), Shard: "lon"},
				{Min: key("LON5"), Max: key("M"), Shard: "nyc"}, // split inside the zone, and lost
				{Min: key("M"), Max: key(bson.MaxKey{}), Shard: "nyc"},
			},
		}},
	}
	got := viewLayout(c, map[string]map[topology.ShardID]catalog.Part{
		"shop.carts": {"lon": {Owned: zones.Size{Documents: 7}}, "nyc": {Owned: zones.Size{Documents: 2}, Orphaned: zones.Size{Documents: 1}}},
	})
	want := layoutView{
		Shards: []placedView{{ID: "lon", Zones: []topology.ZoneID{"LON"}, Chunks: 1, Documents: 7}, {ID: "nyc", Zones: []topology.ZoneID{}, Chunks: 3, Documents: 2, Orphans: 1}},
		Collections: []collectionView{{Name: "shop.carts", Chunks: []chunkView{
			{Shard: "nyc", Range: `{dc: MinKey} to {dc: "LON"}`},
			{Shard: "lon", Zone: "LON", Range: `{dc: "LON"} to {dc: "LON5"}`},
			{Shard: "nyc", Zone: "LON", Range: `{dc: "LON5"} to {dc: "M"}`, Astray: true},
			{Shard: "nyc", Range: `{dc: "M"} to {dc: MaxKey}`},
		}}},
		Moving: []moveView{}, Moved: []moveView{},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("layout (-want +got):\n%s", diff)
	}
}

func TestTheLogOfMigrationsSaysWhereEachStands(t *testing.T) {
	at := time.UnixMilli(1_000_000)
	entry := func(what string, n int, before time.Duration) (e catalog.LogEntry) {
		e.What, e.Namespace, e.Time = what, "shop.carts", at.Add(-before)
		e.Details.Min, e.Details.From, e.Details.To = key(n), "nyc", "lon"
		return e
	}
	log := []catalog.LogEntry{ // the newest first
		entry("moveChunk.to", 1, 0), entry("moveChunk.start", 1, time.Second), // under way: the recipient's word is not the end
		entry("moveChunk.from", 2, 2*time.Second), entry("moveChunk.commit", 2, 3*time.Second), entry("moveChunk.to", 2, 4*time.Second), entry("moveChunk.start", 2, 5*time.Second),
		entry("moveChunk.error", 3, 6*time.Second), entry("moveChunk.start", 3, 7*time.Second),
		entry("moveChunk.start", 4, time.Hour), // nobody has ended it for long
	}
	moving, moved := moves(log)
	one := func(before time.Duration, failed bool) moveView {
		return moveView{Collection: "shop.carts", From: "nyc", To: "lon", At: at.Add(-before).UnixMilli(), Failed: failed}
	}
	if diff := cmp.Diff([]moveView{one(time.Second, false)}, moving); diff != "" {
		t.Errorf("under way (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]moveView{one(3*time.Second, false), one(6*time.Second, true)}, moved); diff != "" {
		t.Errorf("ended (-want +got):\n%s", diff)
	}
}

func TestShoppersAreLedToTheNearestDatacenter(t *testing.T) {
	w := newStill(t, nil)
	for city, want := range map[string]topology.DatacenterID{
		"San Francisco": "NYC", "São Paulo": "NYC", "Berlin": "LON", "Lagos": "LON", "Tokyo": "SYD", "Auckland": "SYD", "London": "LON",
	} {
		c, err := cityOf(city)
		if got := nearest(w, c); err != nil || got != want {
			t.Errorf("%s: got %s, want %s", city, got, want)
		}
	}
	for i, c := range cities {
		if c.Lat < -90 || c.Lat > 90 || c.Long < -180 || c.Long > 180 {
			t.Errorf("%s is nowhere on Earth", c.Name)
		}
		if again, _ := cityOf(c.Name); again != cities[i] {
			t.Errorf("%s is there twice", c.Name)
		}
	}
}
