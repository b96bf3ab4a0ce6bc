package zones_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/explain"
	"github.com/geoshard/geoshard/zones/plan"
)

// The balancer of MongoDB 6.0 begins every 10 s and moves one chunk after the other, so few of the short run's cases have documents to move.
const (
	fewCases, fewMoves = 20, 1
	allCases           = 1000
)

// A tally is what the cases did.
type tally struct {
	cases, moved, steps, asked, migrations int
	documents, forecast, bytes             int64
}

// Whatever the world: it is planned, applied, and nothing is left to plan; each document is in its zone, each query for a declared value asks one shard. Then another
// world takes its place. In a part of the cases there are documents by then, which have to move: as many as forecast, until none is outside its zone.
func TestRandomWorldsComeTrue(t *testing.T) {
	s := open(t, clustertest.Alone(t))
	seed := testkit.Seed(t)
	cases := testkit.Count(t, "random worlds in pairs", fewCases, allCases)
	moving := cases / testkit.Count(t, "of them with documents to move", fewMoves, allCases/10)
	var sum tally
	began := time.Now()
	for i := range cases {
		random := worldMaker{rand.New(rand.NewPCG(seed, uint64(i))), s.cluster.Topology(), i}
		t.Run(fmt.Sprint(i), func(t *testing.T) { s.randomCase(t, random, i%moving == moving/2, &sum) })
		if t.Failed() {
			t.Fatalf("GEOSHARD_SEED=%d, case %d", seed, i)
		}
	}
	t.Logf("%d random worlds in pairs, %d steps, %d documents, %d values asked for; %d with documents to move: %d migrations, %d bytes forecast, %d bytes moved; in %s",
		sum.cases, sum.steps, sum.documents, sum.asked, sum.moved, sum.migrations, sum.forecast, sum.bytes, time.Since(began).Round(time.Second))
	if sum.moved < cases/moving || sum.bytes == 0 {
		t.Errorf("got %d cases that moved %d bytes, want %d at least", sum.moved, sum.bytes, cases/moving)
	}
}

func (s access) randomCase(t *testing.T, m worldMaker, moving bool, sum *tally) {
	namespaces := m.namespaces()
	if moving && !testkit.Soak() {
		namespaces = namespaces[:1]
	}
	first, second := m.world(namespaces), m.world(namespaces)
	if moving { // everything has to find a new shard
		for !m.places(first) {
			first = m.world(namespaces)
		}
		second = displaced(first)
	}
	t.Cleanup(func() {
		s.leave(t, &topology.Topology{Zones: []topology.Zone{{ID: m.zone(0)}, {ID: m.zone(1)}, {ID: m.zone(2)}, {ID: m.zone(3)}}, Namespaces: namespaces})
	})
	for _, world := range []*topology.Topology{first, second} {
		if err := world.Validate(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, world := range []*topology.Topology{first, second} {
				text, _ := world.Marshal()
				t.Logf("\n%s", text)
			}
		}
	})
	collections := s.before(t, m, first)
	tight := plan.Options{Shard: true, Tighten: true, Prune: true}
	sum.steps += len(s.apply(t, first, tight).Steps)
	sum.cases++

	var c counts
	if moving || m.likely(4) {
		for _, name := range collections {
			s.put(t, first, name, m.values(), 5, 1000, &c)
		}
	}
	if c.documents > 0 {
		s.prove(t, first, c)
	}
	sum.documents += c.documents
	sum.asked += s.asksOneShard(t, first, collections)
	if moving {
		s.move(t, second, c, sum)
		sum.asked += s.asksOneShard(t, second, collections)
		return
	}
	o := plan.Options{Shard: true, Tighten: m.likely(2), Prune: m.likely(2)}
	sum.steps += len(s.apply(t, second, o).Steps)
}

// displaced is the world with each zone on the next shards.
func displaced(w *topology.Topology) *topology.Topology {
	moved := *w
	moved.Zones = slices.Clone(w.Zones)
	for i, zone := range w.Zones {
		moved.Zones[i].Shards = nil
		for _, shard := range zone.Shards {
			at := slices.IndexFunc(w.Shards, func(s topology.Shard) bool { return s.ID == shard })
			moved.Zones[i].Shards = append(moved.Zones[i].Shards, w.Shards[(at+1)%len(w.Shards)].ID)
		}
	}
	return &moved
}

// before makes the collections that patterns are about, and sometimes what an operator did by hand: zones, and ranges that end as people write them.
func (s access) before(t *testing.T, m worldMaker, world *topology.Topology) []string {
	t.Helper()
	var collections []string
	for _, ns := range world.Namespaces {
		if !ns.IsPattern() {
			collections = append(collections, ns.Name)
			if m.likely(3) {
				s.byHand(t, world, ns)
			}
			continue
		}
		name := ns.Name[:len(ns.Name)-1] + "things"
		if err := collection(s.Client(), name).Database().CreateCollection(t.Context(), collection(s.Client(), name).Name()); err != nil {
			t.Fatal(err)
		}
		collections = append(collections, name)
	}
	return collections
}

// byHand gives each string that is a single value of the namespace to a zone as manuals do it: from {dc: X, id: MinKey} to {dc: X, id: MaxKey}.
func (s access) byHand(t *testing.T, world *topology.Topology, ns topology.Namespace) {
	t.Helper()
	if len(ns.Key) == 1 { // then nothing lies between the two bounds
		return
	}
	bound := func(v any, end any) bson.D {
		d := bson.D{{Key: ns.Key[0].Name, Value: v}}
		for _, f := range ns.Key[1:] {
			d = append(d, bson.E{Key: f.Name, Value: end})
		}
		return d
	}
	for _, v := range declaredValues(world, ns) {
		zone, known := zoneOf(world, ns, v)
		if v.Kind() != topology.KindString || !known {
			continue
		}
		declared, _ := world.Zone(zone)
		s.admin(t, bson.D{{Key: "addShardToZone", Value: declared.Shards[0]}, {Key: "zone", Value: zone}})
		s.admin(t, bson.D{{Key: "updateZoneKeyRange", Value: ns.Name}, {Key: "min", Value: bound(v.Text(), bson.MinKey{})}, {Key: "max", Value: bound(v.Text(), bson.MaxKey{})}, {Key: "zone", Value: zone}})
	}
}

// move puts a world in the place of another while there are documents, waits until they are where they belong, and compares what moved with what was forecast.
func (s access) move(t *testing.T, world *topology.Topology, c counts, sum *tally) {
	t.Helper()
	o := plan.Options{Shard: true, Tighten: true, Prune: true}
	plan := s.apply(t, world, o)
	began := time.Now()
	err := apply.Wait(t.Context(), plan.Layout, s, apply.WaitOptions{Goal: apply.WaitClean, Every: 200 * time.Millisecond, Timeout: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	if again := s.plan(t, world, o); !again.Empty() || again.Forecast.Bytes != 0 {
		t.Errorf("planned again: got %v, %d bytes to move, want nothing", again.Steps, again.Forecast.Bytes)
	}
	s.prove(t, world, c)
	migrations, documents, bytes := s.migrated(t, world)
	if f := plan.Forecast; math.Abs(float64(f.Bytes-bytes)) > 0.2*float64(bytes) || f.Documents != documents || !f.Measured || documents == 0 {
		t.Errorf("forecast: got %d documents with %d bytes, measured = %t; %d documents with %d bytes moved", f.Documents, f.Bytes, f.Measured, documents, bytes)
	}
	t.Logf("%d documents with %d bytes in %d migrations, forecast %d with %d bytes; clean after %s", documents, bytes, migrations, plan.Forecast.Documents, plan.Forecast.Bytes, took.Round(100*time.Millisecond))
	sum.steps += len(plan.Steps)
	sum.moved++
	sum.migrations += migrations
	sum.forecast += plan.Forecast.Bytes
	sum.bytes += bytes
}

// migrated adds up what the config servers' log has of migrations of a world's collections.
func (s access) migrated(t *testing.T, world *topology.Topology) (migrations int, documents, bytes int64) {
	t.Helper()
	cursor, err := s.Client().Database("config").Collection("changelog").Find(t.Context(), bson.D{{Key: "what", Value: "moveChunk.commit"}})
	var log []struct {
		Namespace string `bson:"ns"`
		Details   struct {
			Counts struct {
				Documents int64 `bson:"cloned"`
				Bytes     int64 `bson:"clonedBytes"`
			} `bson:"counts"`
		} `bson:"details"`
	}
	if err == nil {
		err = cursor.All(t.Context(), &log)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range log {
		if _, ours := world.NamespaceOf(e.Namespace); ours {
			migrations++
			documents += e.Details.Counts.Documents
			bytes += e.Details.Counts.Bytes
		}
	}
	return migrations, documents, bytes
}

// asksOneShard has the query router explain a query for each declared value whose zone has one shard.
func (s access) asksOneShard(t *testing.T, world *topology.Topology, collections []string) (asked int) {
	t.Helper()
	for _, name := range collections {
		ns, _ := world.NamespaceOf(name)
		for _, v := range declaredValues(world, ns) {
			id, _ := zoneOf(world, ns, v)
			zone, _ := world.Zone(id)
			if len(zone.Shards) != 1 {
				continue
			}
			e, err := explain.Explain(t.Context(), s.Client(), world, name, bson.D{{Key: ns.ZoneBy, Value: bsonOf(t, v)}}, world.Datacenters[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			if len(e.Shards) != 1 || e.Shards[0].ID != zone.Shards[0] {
				t.Errorf("%s, %s: got %v, want %s alone", name, v, e.Shards, zone.Shards[0])
			}
			asked++
		}
	}
	return asked
}
