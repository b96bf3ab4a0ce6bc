package catalog_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/catalog"
	"github.com/geoshard/geoshard/zones/plan"
)

// Bounds and validators of every kind of value are accepted by the servers, mean there what they mean to the planner, and are read back to an empty plan.
func TestServersTakeTheBoundsOfEveryKindOfValue(t *testing.T) {
	c := open(t)
	ms := time.UnixMilli(1_700_000_000_000)
	low, high, later := topology.StringOf("A"), topology.StringOf("M"), topology.DateOf(ms.Add(time.Hour))
	ns := topology.Namespace{ZoneBy: "dc", Unknown: topology.UnknownReject, Ranges: []topology.Range{
		{Zone: "boundsA", Values: []topology.Value{
			topology.IntegerOf(5), topology.FloatOf(0.5), topology.IntegerOf(0), topology.IntegerOf(1 << 53), topology.IntegerOf(math.MaxInt64), topology.FloatOf(math.MaxFloat64),
			topology.UUIDOf([16]byte(ones(16))), topology.ObjectIDOf([12]byte(ones(12))), topology.StringOf("Z")}},
		{Zone: "boundsB", From: &low, To: &high},
		{Zone: "boundsB", From: &later},
		{Zone: "boundsB", Values: []topology.Value{topology.DateOf(ms), topology.StringOf("Z\x00")}},
	}}
	world := &topology.Topology{Version: topology.CurrentVersion, Zones: []topology.Zone{
		{ID: "boundsA", Shards: []topology.ShardID{"s0"}}, {ID: "boundsB", Shards: []topology.ShardID{"s1"}}}}
	for name, key := range map[string]topology.Key{
		"bounds.single": {{Name: "dc"}}, "bounds.plain": {{Name: "dc"}, {Name: "id"}}, "bounds.hashed": {{Name: "dc"}, {Name: "id", Hashed: true}},
	} {
		ns.Name, ns.Key = name, key
		world.Namespaces = append(world.Namespaces, ns)
	}
	o := plan.Options{Shard: true, Tighten: true, Prune: true}
	t.Cleanup(func() { dropBounds(t, c, world) })
	plan := planned(t, c, world, o)
	for _, step := range plan.Steps {
		perform(t, c, step.Change)
	}
	if again := planned(t, c, world, o); !again.Empty() {
		t.Errorf("a second plan has %v", again.Steps)
	}
	asked := 0
	for _, p := range plan.Layout.Collections {
		for _, v := range []any{
			int32(5), 5.0, int64(5), 5.5, math.Nextafter(5, 6), 0.5, 0, int64(1 << 53), int64(1<<53 + 1), int64(math.MaxInt64), math.MaxFloat64, "", "@", "A", "LON", "M", "Z", "Z\x00", "Z\x00\x00", "boundsA",
			bson.DateTime(ms.UnixMilli()), bson.DateTime(ms.UnixMilli() + 1), bson.NewDateTimeFromTime(later.Date()), bson.Timestamp{T: 1}, bson.ObjectID(ones(12)), bson.ObjectID{},
			bson.Binary{Subtype: 4, Data: ones(16)}, bson.Binary{Subtype: 4, Data: make([]byte, 16)}, nil, true,
		} {
			asked++
			want, declared := p.ZoneOf(shardKey(t, p.Key, v))
			db, collection, _ := cut(p.Collection)
			_, err := c.Client().Database(db).Collection(collection).InsertOne(t.Context(), bson.D{{Key: "dc", Value: v}, {Key: "id", Value: int64(asked)}})
			if (err == nil) != declared {
				t.Errorf("%s: %T %v: got %v, declared = %t", p.Collection, v, v, err, declared)
			}
			if !declared {
				continue
			}
			shard := map[topology.ZoneID]string{"boundsA": "s0", "boundsB": "s1"}[want]
			if got := targets(t, c, p.Collection, bson.D{{Key: "dc", Value: v}}); len(got) != 1 || got[0] != shard {
				t.Errorf("%s: a query for %T %v asks %v, want %s alone", p.Collection, v, v, got, shard)
			}
		}
	}
	t.Logf("%d steps, %d values", len(plan.Steps), asked)
}

func ones(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 0xff
	}
	return b
}

func planned(t *testing.T, c *catalog.Catalog, world *topology.Topology, o plan.Options) *zones.Plan {
	t.Helper()
	state, err := c.Read(t.Context(), zones.Declared(world))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := plan.New(world, state, nil, o, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// shardKey is the key of a document with a value; the second field does not matter to a declared range.
func shardKey(t *testing.T, key topology.Key, v any) bson.Raw {
	t.Helper()
	d := bson.D{{Key: "dc", Value: v}}
	if len(key) > 1 {
		d = append(d, bson.E{Key: "id", Value: int64(7)})
	}
	raw, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// targets lists the shards that a query asks.
func targets(t *testing.T, c *catalog.Catalog, ns string, filter bson.D) []string {
	t.Helper()
	db, collection, _ := cut(ns)
	var out struct {
		QueryPlanner struct {
			WinningPlan struct {
				Shards []struct {
					ShardName string `bson:"shardName"`
				} `bson:"shards"`
			} `bson:"winningPlan"`
		} `bson:"queryPlanner"`
	}
	explain := bson.D{{Key: "explain", Value: bson.D{{Key: "find", Value: collection}, {Key: "filter", Value: filter}}}, {Key: "verbosity", Value: "queryPlanner"}}
	if err := c.Client().Database(db).RunCommand(t.Context(), explain).Decode(&out); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range out.QueryPlanner.WinningPlan.Shards {
		names = append(names, s.ShardName)
	}
	return names
}

// dropBounds leaves the shared cluster as it was.
func dropBounds(t *testing.T, c *catalog.Catalog, world *topology.Topology) {
	if err := c.Client().Database("bounds").Drop(context.Background()); err != nil {
		t.Error(err)
	}
	for _, z := range world.Zones {
		if err := c.Perform(context.Background(), zones.RemoveShardFromZone{Shard: z.Shards[0], Zone: z.ID}); err != nil {
			t.Error(fmt.Errorf("leave zone %s: %w", z.ID, err))
		}
	}
}
