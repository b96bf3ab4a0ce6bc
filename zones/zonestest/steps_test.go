package zonestest_test

import (
	"errors"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/zonestest"
)

func bounds(t *testing.T, low, high bson.D) (r zones.Range) {
	t.Helper()
	var err error
	if r.Min, err = bson.Marshal(low); err != nil {
		t.Fatal(err)
	}
	if r.Max, err = bson.Marshal(high); err != nil {
		t.Fatal(err)
	}
	r.Zone = "A"
	return r
}

// Each rule is seen to refuse, so that a plan that passes has kept it.
func TestPerformStepsRefusesMistakes(t *testing.T) {
	key := topology.Key{{Name: "dc"}, {Name: "id"}}
	full := func(dc string) bson.D { return bson.D{{Key: "dc", Value: dc}, {Key: "id", Value: bson.MinKey{}}} }
	lon, nyc := bounds(t, full("LON"), full("LON\x00")), bounds(t, full("NYC"), full("NYC\x00"))
	prefix := bounds(t, bson.D{{Key: "dc", Value: "X"}}, bson.D{{Key: "dc", Value: "Y"}})
	wide, elsewhere := bounds(t, full("A"), full("Z")), lon
	elsewhere.Zone = "NOWHERE"
	const carts, plain, full0, view, loose = "shop.carts", "shop.plain", "shop.full", "shop.view", "shop.loose"
	hold, release := zones.HoldBalancing{Collection: carts}, zones.ReleaseBalancing{Collection: carts}
	state := zones.State{
		Shards: []zones.Shard{{ID: "s0", Zones: []topology.ZoneID{"A"}}, {ID: "s1"}},
		Collections: []zones.Collection{
			{Name: carts, Exists: true, Sharded: true, Key: key, Ranges: []zones.Range{lon}},
			{Name: full0, Exists: true, Sizes: map[topology.ShardID]zones.Size{"s0": {Documents: 1}}},
			{Name: loose, Exists: true, Sizes: map[topology.ShardID]zones.Size{}, Ranges: []zones.Range{prefix}},
			{Name: plain, Exists: true},
			{Name: view, Exists: true, View: true, Sizes: map[topology.ShardID]zones.Size{}},
		},
	}
	for name, c := range map[string]struct {
		changes []zones.Change
		want    error
	}{
		"a range is replaced under a hold":      {[]zones.Change{hold, zones.RemoveRange{Collection: carts, Range: lon}, zones.AddRange{Collection: carts, Range: wide}, release}, nil},
		"a range is replaced without a hold":    {[]zones.Change{zones.RemoveRange{Collection: carts, Range: lon}, zones.AddRange{Collection: carts, Range: wide}}, zonestest.ErrNotHeld},
		"a hold that nobody ends":               {[]zones.Change{hold}, zonestest.ErrStillHeld},
		"a hold of a collection without chunks": {[]zones.Change{zones.HoldBalancing{Collection: plain}}, zonestest.ErrNamespaceUnknown},
		"a range that is not there":             {[]zones.Change{zones.RemoveRange{Collection: carts, Range: nyc}}, zonestest.ErrNothingToDo},
		"a range that is there already":         {[]zones.Change{zones.AddRange{Collection: carts, Range: lon}}, zonestest.ErrNothingToDo},
		"a range that overlaps":                 {[]zones.Change{zones.AddRange{Collection: carts, Range: wide}}, zonestest.ErrRangeOverlap},
		"a range of a zone without shards":      {[]zones.Change{zones.AddRange{Collection: carts, Range: elsewhere}}, zonestest.ErrZoneNotFound},
		"bounds that are no full keys":          {[]zones.Change{zones.AddRange{Collection: carts, Range: prefix}}, zonestest.ErrPrefixBounds},
		"sharded with bounds that are none":     {[]zones.Change{zones.ShardCollection{Collection: loose, Key: key}}, zonestest.ErrPrefixBounds},
		"the last shard of a zone in use":       {[]zones.Change{zones.RemoveShardFromZone{Shard: "s0", Zone: "A"}}, zonestest.ErrZoneStillInUse},
		"a shard that nobody has":               {[]zones.Change{zones.AddShardToZone{Shard: "s9", Zone: "A"}}, zonestest.ErrShardNotFound},
		"sharded twice":                         {[]zones.Change{zones.ShardCollection{Collection: carts, Key: key}}, zonestest.ErrNothingToDo},
		"documents":                             {[]zones.Change{zones.ShardCollection{Collection: full0, Key: key}}, zonestest.ErrDocuments},
		"perhaps documents":                     {[]zones.Change{zones.ShardCollection{Collection: plain, Key: key}}, zonestest.ErrDocuments},
		"a view":                                {[]zones.Change{zones.ShardCollection{Collection: view, Key: key}}, zonestest.ErrNotACollection},
		"no validator for no collection":        {[]zones.Change{zones.SetValidator{Collection: "shop.none"}}, zonestest.ErrNothingToDo},
		"a validator makes the collection":      {[]zones.Change{zones.SetValidator{Collection: "shop.none", Validator: lon.Min}, zones.ShardCollection{Collection: "shop.none", Key: key}}, nil},
		"a collection that is not there at all": {[]zones.Change{zones.ShardCollection{Collection: "shop.none", Key: key}}, nil},
	} {
		var steps []zones.Step
		for _, change := range c.changes {
			steps = append(steps, zones.Step{Change: change})
		}
		if err := zonestest.New(state).PerformSteps(t.Context(), steps); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}
