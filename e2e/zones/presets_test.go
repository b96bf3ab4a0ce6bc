package zones_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/plan"
	"github.com/geoshard/geoshard/zones/verify"
)

// A preset on a cluster of its own topology takes a quarter of a minute or more, most of it for the cluster. So without GEOSHARD_SOAK=1 there is one of them, and all
// others on the shared cluster (see the next test).
func TestPresetsComeTrueOnTheirOwnTopology(t *testing.T) {
	t.Parallel()
	presets := []string{configs.Default}
	if testkit.Soak() {
		presets = configs.Names()
	}
	for _, preset := range presets {
		t.Run(preset, func(t *testing.T) {
			world := presetWorld(t, preset)
			r := open(t, start(t, world, local.Options{Name: preset})).comeTrue(t, world)
			if len(r.Residency) != len(world.Zones) {
				t.Errorf("got residency of %d zones, want %d", len(r.Residency), len(world.Zones))
			}
		})
	}
	t.Logf("%d of %d presets on their own topology", len(presets), len(configs.Names()))
}

// The zones and namespaces of every preset, with the shards of the small cluster in the place of its own.
func TestEveryPresetComesTrueOnASmallCluster(t *testing.T) {
	s := open(t, clustertest.Alone(t))
	for _, preset := range configs.Names() {
		t.Run(preset, func(t *testing.T) {
			own := presetWorld(t, preset)
			world := *s.cluster.Topology()
			world.Zones, world.Namespaces = slices.Clone(own.Zones), own.Namespaces
			for i, zone := range own.Zones {
				world.Zones[i].Shards = nil
				for _, shard := range zone.Shards {
					at := slices.IndexFunc(own.Shards, func(s topology.Shard) bool { return s.ID == shard })
					world.Zones[i].Shards = append(world.Zones[i].Shards, world.Shards[at].ID)
				}
			}
			t.Cleanup(func() { s.leave(t, &world) })
			s.comeTrue(t, &world)
		})
	}
}

func presetWorld(t *testing.T, preset string) *topology.Topology {
	t.Helper()
	source, err := configs.Read(preset)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(source))
}

// comeTrue is all of it: planned, applied, nothing left to plan, documents of every declared value at home on every member, undeclared ones refused or where the
// world wants them, and a query for a value asks one shard.
func (s access) comeTrue(t *testing.T, world *topology.Topology) *verify.Report {
	t.Helper()
	began := time.Now()
	plan := s.apply(t, world, plan.Options{Shard: true})
	var c counts
	for _, ns := range world.Namespaces {
		values := append(declaredValues(world, ns), topology.StringOf("ATLANTIS"), topology.IntegerOf(7))
		s.put(t, world, ns.Name, values, 20, 100, &c)
	}
	r := s.prove(t, world, c)
	asked := s.oneShardEach(t, world)
	t.Logf("%d steps, %d documents on %d members, %d values asked for, in %s", len(plan.Steps), c.documents, len(r.Namespaces[0].Members), asked, time.Since(began).Round(100*time.Millisecond))
	return r
}

// oneShardEach queries for every declared value, and lets the profiler of each shard tell whether it was asked: the shard of the value's zone was, and no other.
func (s access) oneShardEach(t *testing.T, world *topology.Topology) (asked int) {
	t.Helper()
	primaries := map[topology.ShardID]*mongo.Client{}
	for _, shard := range world.Shards {
		uri, err := s.cluster.SecretMemberURI(shard.MemberName(0))
		if err != nil {
			t.Fatal(err)
		}
		primaries[shard.ID] = connect(t, uri)
	}
	for _, ns := range world.Namespaces {
		router := collection(s.Client(), ns.Name)
		db := router.Database().Name()
		for _, client := range primaries {
			if err := client.Database(db).RunCommand(t.Context(), bson.D{{Key: "profile", Value: 2}}).Err(); err != nil {
				t.Fatal(err)
			}
		}
		for _, v := range declaredValues(world, ns) {
			id, _ := zoneOf(world, ns, v)
			zone, _ := world.Zone(id)
			comment := fmt.Sprintf("%s %s", ns.Name, v)
			cursor, err := router.Find(t.Context(), bson.D{{Key: ns.ZoneBy, Value: bsonOf(t, v)}}, options.Find().SetComment(comment))
			var found []bson.Raw
			if err == nil {
				err = cursor.All(t.Context(), &found)
			}
			if err != nil || len(found) == 0 {
				t.Fatalf("find %s: got %d documents, %v", comment, len(found), err)
			}
			var seen []topology.ShardID
			for shard, client := range primaries {
				n, err := client.Database(db).Collection("system.profile").CountDocuments(t.Context(), bson.D{{Key: "command.comment", Value: comment}})
				if err != nil {
					t.Fatal(err)
				}
				if n > 0 {
					seen = append(seen, shard)
				}
			}
			if slices.Sort(seen); !slices.Equal(seen, zone.Shards) || len(seen) != 1 {
				t.Errorf("find %s: the profilers saw it on %v, want it on %v alone", comment, seen, zone.Shards)
			}
			asked++
		}
	}
	return asked
}
