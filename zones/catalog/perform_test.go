package catalog_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/catalog"
)

// Each kind of change, twice, with a look at the state after it.
func TestEveryChangeIsIdempotentAndInEffect(t *testing.T) {
	c := open(t)
	const ns, zoneA, zoneB = "catchange.c", "change-A", "change-B"
	// Validators are read from the primary shard of the database, and the shard of A keeps a chunk all the time.
	if err := c.Client().Database("admin").RunCommand(t.Context(), bson.D{{Key: "enableSharding", Value: "catchange"}, {Key: "primaryShard", Value: "s0"}}).Err(); err != nil {
		t.Fatal(err)
	}
	rangeA := tight(t, "A", zoneA)
	validator, err := bson.Marshal(bson.D{{Key: "dc", Value: bson.D{{Key: "$in", Value: bson.A{"A", "B"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	in := func(state *zones.State, shard topology.ShardID, zone topology.ZoneID) bool {
		s, _ := state.Shard(shard)
		return fmt.Sprint(s.Zones) != fmt.Sprint(without(s.Zones, zone))
	}
	for _, step := range []struct {
		change zones.Change
		holds  func(*zones.State, zones.Collection) bool
	}{
		{zones.AddShardToZone{Shard: "s0", Zone: zoneA}, func(s *zones.State, _ zones.Collection) bool { return in(s, "s0", zoneA) }},
		{zones.AddShardToZone{Shard: "s1", Zone: zoneB}, func(s *zones.State, _ zones.Collection) bool { return in(s, "s1", zoneB) }},
		{zones.AddRange{Collection: ns, Range: rangeA}, func(_ *zones.State, c zones.Collection) bool { return len(c.Ranges) == 1 && !c.Exists }},
		{zones.ShardCollection{Collection: ns, Key: byDC}, func(_ *zones.State, c zones.Collection) bool { return c.Sharded && len(c.Chunks) == 3 }},
		{zones.HoldBalancing{Collection: ns}, func(_ *zones.State, c zones.Collection) bool { return c.NoBalance }},
		{zones.RemoveRange{Collection: ns, Range: rangeA}, func(_ *zones.State, c zones.Collection) bool { return len(c.Ranges) == 0 }},
		{zones.AddRange{Collection: ns, Range: tight(t, "A", zoneB)}, func(_ *zones.State, c zones.Collection) bool { return len(c.Ranges) == 1 && c.Ranges[0].Zone == zoneB }},
		{zones.ReleaseBalancing{Collection: ns}, func(_ *zones.State, c zones.Collection) bool { return !c.NoBalance }},
		{zones.SetValidator{Collection: ns, Validator: shardkey.ExtJSON(validator), Level: "strict", Action: "error"}, func(_ *zones.State, c zones.Collection) bool { return string(c.Validator) == string(validator) }},
		{zones.SetValidator{Collection: ns}, func(_ *zones.State, c zones.Collection) bool { return c.Validator == nil && c.ValidationLevel == "" }},
		{zones.RemoveRange{Collection: ns, Range: tight(t, "A", zoneB)}, func(_ *zones.State, c zones.Collection) bool { return len(c.Ranges) == 0 }},
		{zones.RemoveShardFromZone{Shard: "s1", Zone: zoneB}, func(s *zones.State, _ zones.Collection) bool { return !in(s, "s1", zoneB) }},
		{zones.RemoveShardFromZone{Shard: "s0", Zone: zoneA}, func(s *zones.State, _ zones.Collection) bool { return !in(s, "s0", zoneA) }},
	} {
		perform(t, c, step.change)
		state, err := c.Read(t.Context(), []string{ns})
		if err != nil {
			t.Fatal(err)
		}
		if collection, _ := state.Collection(ns); !step.holds(state, collection) {
			t.Errorf("after %s: got %+v, shards %+v", step.change, collection, state.Shards)
		}
	}
}

func without(list []topology.ZoneID, zone topology.ZoneID) []topology.ZoneID {
	var rest []topology.ZoneID
	for _, z := range list {
		if z != zone {
			rest = append(rest, z)
		}
	}
	return rest
}

// What the server refuses, or ignores without a word, is an error with a kind and a way out.
func TestRefusedAndIgnoredChangesAreTold(t *testing.T) {
	c := open(t)
	const ns = "catrefuse.c"
	sharded(t, c, ns)
	zoneA, zoneB := topology.ZoneID(ns+"-A"), topology.ZoneID(ns+"-B")
	db := c.Client().Database("catrefuse")
	if err := db.CreateView(t.Context(), "view", "c", bson.A{}); err != nil {
		t.Fatal(err)
	}
	if err := db.CreateCollection(t.Context(), "series", options.CreateCollection().SetTimeSeriesOptions(options.TimeSeries().SetTimeField("t"))); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Collection("full").InsertOne(t.Context(), bson.D{{Key: "dc", Value: "A"}}); err != nil {
		t.Fatal(err)
	}
	hashed := topology.Key{{Name: "dc"}, {Name: "id", Hashed: true}}
	perform(t, c, zones.ShardCollection{Collection: "catrefuse.hashed", Key: hashed})
	wide := zones.Range{Min: key(t, "A", lowest), Max: key(t, "AA", lowest), Zone: zoneA}
	other, err := bson.Marshal(bson.D{{Key: "id", Value: 1}})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		change zones.Change
		want   error
	}{
		{zones.AddShardToZone{Shard: "s9", Zone: zoneA}, catalog.ErrShardNotFound},
		{zones.RemoveShardFromZone{Shard: "s9", Zone: zoneA}, catalog.ErrShardNotFound},
		{zones.RemoveShardFromZone{Shard: "s0", Zone: zoneA}, catalog.ErrZoneInUse},
		{zones.AddRange{Collection: ns, Range: tight(t, "Z", "nobody")}, catalog.ErrZoneNotFound},
		{zones.AddRange{Collection: ns, Range: tight(t, "A", zoneB)}, catalog.ErrOverlap},
		{zones.AddRange{Collection: ns, Range: zones.Range{Min: other, Max: key(t, "ZZ", lowest), Zone: zoneA}}, catalog.ErrBadBounds},
		{zones.AddRange{Collection: ns, Range: zones.Range{Min: key(t, "Q", 1), Max: key(t, "P", 1), Zone: zoneA}}, catalog.ErrBadBounds},
		{zones.AddRange{Collection: "catrefuse.hashed", Range: zones.Range{Min: key(t, "A", "x"), Max: key(t, "B", "x"), Zone: zoneA}}, catalog.ErrBadBounds},
		// The server says yes to these two and does nothing.
		{zones.RemoveRange{Collection: ns, Range: wide}, catalog.ErrIgnored},
		{zones.RemoveRange{Collection: ns, Range: zones.Range{Min: key(t, "A", 5), Max: key(t, "A\x00", lowest), Zone: zoneA}}, catalog.ErrIgnored},
		// It would take this one, though it is another zone's by now.
		{zones.RemoveRange{Collection: ns, Range: tight(t, "A", zoneB)}, catalog.ErrOverlap},
		{zones.HoldBalancing{Collection: "catrefuse.full"}, catalog.ErrNotSharded},
		{zones.ShardCollection{Collection: ns, Key: hashed}, catalog.ErrOtherKey},
		{zones.ShardCollection{Collection: "catrefuse.full", Key: byDC}, catalog.ErrNotEmpty},
		{zones.ShardCollection{Collection: "catrefuse.view", Key: byDC}, catalog.ErrNotShardable},
		{zones.ShardCollection{Collection: "catrefuse.series", Key: byDC}, catalog.ErrNotShardable},
		{zones.SetValidator{Collection: "catrefuse.nothing"}, catalog.ErrNoCollection},
		{zones.SetValidator{Collection: "catrefuse.view"}, catalog.ErrNotShardable},
	} {
		err := c.Perform(t.Context(), test.change)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", test.change, err, test.want)
			continue
		}
		var told *catalog.Error
		if !errors.As(err, &told) || told.Hint() == "" {
			t.Errorf("%s: no hint in %v", test.change, err)
			continue
		}
		t.Logf("%v\n    %s", err, told.Hint())
		if strings.Contains(err.Error(), "\x00") {
			t.Errorf("%q cannot be printed", err)
		}
	}
	state, err := c.Read(t.Context(), []string{ns})
	if err != nil {
		t.Fatal(err)
	}
	if collection, _ := state.Collection(ns); len(collection.Ranges) != 2 {
		t.Errorf("got ranges %v, want the two of before", collection.Ranges)
	}
}

// A bound that is a prefix of the key is stored with MinKey at its end: no reason to call it ignored.
func TestPrefixBoundsAreFoundAgain(t *testing.T) {
	c := open(t)
	const ns = "catprefix.c"
	sharded(t, c, ns)
	prefix := func(dc string) bson.Raw {
		raw, err := bson.Marshal(bson.D{{Key: "dc", Value: dc}})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	r := zones.Range{Min: prefix("X"), Max: prefix("Y"), Zone: ns + "-A"}
	perform(t, c, zones.AddRange{Collection: ns, Range: r}, zones.RemoveRange{Collection: ns, Range: r})
}
