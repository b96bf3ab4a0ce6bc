package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// TestDraining shows the plan for each drain, or why it is refused.
func TestDraining(t *testing.T) {
	zone := func(zone, into topology.ZoneID) func(*topology.Topology, *zones.State) (*topology.Topology, []zones.Finding, error) {
		return func(w *topology.Topology, s *zones.State) (*topology.Topology, []zones.Finding, error) {
			return DrainZone(w, s, zone, into)
		}
	}
	datacenter := func(dc topology.DatacenterID) func(*topology.Topology, *zones.State) (*topology.Topology, []zones.Finding, error) {
		return func(w *topology.Topology, s *zones.State) (*topology.Topology, []zones.Finding, error) {
			return DrainDatacenter(w, s, dc)
		}
	}
	var got strings.Builder
	for _, d := range []struct {
		flaw
		drain func(*topology.Topology, *zones.State) (*topology.Topology, []zones.Finding, error)
	}{
		{flaw{"zone LON into NYC", func(*topology.Topology, *zones.State) {}}, zone("LON", "NYC")},
		{flaw{"zone LON into SYD, which is held elsewhere as well", func(w *topology.Topology, s *zones.State) {
			w.Zones[1].AllowedDatacenters = []topology.DatacenterID{"LON", "NYC"}
		}}, zone("LON", "SYD")},
		{flaw{"zone LON, with ranges that nobody declares", func(w *topology.Topology, s *zones.State) {
			c := *carts(s)
			c.Name = "shop.old"
			s.Collections = append(s.Collections, c)
			carts(s).Ranges = append(carts(s).Ranges, zones.Range{Min: keyDoc("TOK", shardkey.MinKey), Max: keyDoc("TOK\x00", shardkey.MinKey), Zone: "LON"})
		}}, zone("LON", "NYC")},
		{flaw{"zone LON, which takes the unknown", func(w *topology.Topology, s *zones.State) {
			w.Namespaces[0].Unknown, w.Namespaces[0].UnknownZone = topology.UnknownToZone, "LON"
		}}, zone("LON", "NYC")},
		{flaw{"an unknown zone", func(*topology.Topology, *zones.State) {}}, zone("LNO", "NYC")},
		{flaw{"into an unknown zone", func(*topology.Topology, *zones.State) {}}, zone("LON", "NYK")},
		{flaw{"into itself", func(*topology.Topology, *zones.State) {}}, zone("LON", "LON")},
		{flaw{"into a zone whose shard is being removed", func(_ *topology.Topology, s *zones.State) { shardNamed(s, "nyc").Draining = true }}, zone("LON", "NYC")},
		{flaw{"datacenter LON", func(*topology.Topology, *zones.State) {}}, datacenter("LON")},
		{flaw{"datacenter LON, whose zone has a second shard elsewhere", func(w *topology.Topology, s *zones.State) {
			w.Zones[1].Shards = append(w.Zones[1].Shards, "syd")
			shardNamed(s, "syd").Zones = []topology.ZoneID{"LON", "SYD"}
		}}, datacenter("LON")},
		{flaw{"datacenter LON, with the nearest shard being removed", func(_ *topology.Topology, s *zones.State) { shardNamed(s, "nyc").Draining = true }}, datacenter("LON")},
		{flaw{"datacenter LON, whose documents may be nowhere else", func(w *topology.Topology, _ *zones.State) {
			w.Zones[1].AllowedDatacenters = []topology.DatacenterID{"LON"}
		}}, datacenter("LON")},
		{flaw{"an unknown datacenter", func(*topology.Topology, *zones.State) {}}, datacenter("LNO")},
	} {
		world := sampleWorld(t)
		state := sampleState(t, world)
		d.in(world, state)
		fmt.Fprintf(&got, "== %s\n", d.name)
		changed, findings, err := d.drain(world, state)
		if err != nil {
			var refused *hint.Error
			if !errors.Is(err, ErrRefused) || !errors.As(err, &refused) || refused.Hint() == "" {
				t.Errorf("%s: %v has no way out", d.name, err)
				continue
			}
			fmt.Fprintf(&got, "error: %v\n  hint: %s\n", err, refused.Hint())
			continue
		}
		plan, err := New(changed, state, nil, Options{Prune: strings.HasPrefix(d.name, "datacenter")}, time.Time{})
		if err != nil {
			t.Fatalf("%s: %v", d.name, err)
		}
		for _, step := range plan.Steps {
			if _, validator := step.Change.(zones.SetValidator); !validator {
				fmt.Fprintln(&got, step.Change)
			}
		}
		got.WriteString(listed(findings))
	}
	testkit.Golden(t, "testdata/drains.txt", got.String())
}

// TestDrainingLeavesTheWorldAsItIs: the caller's world is a value that others hold.
func TestDrainingLeavesTheWorldAsItIs(t *testing.T) {
	world := sampleWorld(t)
	state := sampleState(t, world)
	before, err := world.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := DrainZone(world, state, "LON", "NYC"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := DrainDatacenter(world, state, "LON"); err != nil {
		t.Fatal(err)
	}
	if after, err := world.Marshal(); err != nil || string(after) != string(before) {
		t.Errorf("%v\ngot:\n%s\nwant:\n%s", err, after, before)
	}
}

// TestNoDrainLeavesARangeWithoutAShard: whatever is drained, each declared value still has a zone, and each zone of a range a shard that stays.
func TestNoDrainLeavesARangeWithoutAShard(t *testing.T) {
	drained, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		world, err := topology.Load("../../configs/nyc-lon-syd.yaml")
		if err != nil {
			t.Fatal(err)
		}
		ids := []topology.ShardID{"nyc", "lon", "syd"}
		dcs := []topology.DatacenterID{"NYC", "LON", "SYD"}
		state := &zones.State{}
		for _, id := range ids {
			state.Shards = append(state.Shards, zones.Shard{ID: id, Draining: rapid.IntRange(0, 3).Draw(t, "draining") == 0})
		}
		for i := range world.Zones {
			world.Zones[i].Shards = rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 1, 3, rapid.ID).Draw(t, "shards")
			world.Zones[i].AllowedDatacenters = rapid.SliceOfNDistinct(rapid.SampledFrom(dcs), 0, 3, rapid.ID).Draw(t, "allowed")
		}
		var changed *topology.Topology
		out := rapid.SampledFrom([]topology.ZoneID{"NYC", "LON", "SYD"})
		var zone topology.ZoneID
		var dc topology.DatacenterID
		if rapid.Bool().Draw(t, "a zone") {
			zone = out.Draw(t, "zone")
			changed, _, err = DrainZone(world, state, zone, out.Draw(t, "into"))
		} else {
			dc = rapid.SampledFrom(dcs).Draw(t, "datacenter")
			changed, _, err = DrainDatacenter(world, state, dc)
		}
		if err != nil {
			refused++
			return
		}
		drained++
		checkDrained(t, world, changed, state, zone, dc)
	})
	t.Logf("%d drained, %d refused", drained, refused)
	if drained == 0 || refused == 0 {
		t.Errorf("the worlds drawn are all of one sort")
	}
}

func checkDrained(t *rapid.T, world, changed *topology.Topology, state *zones.State, zone topology.ZoneID, dc topology.DatacenterID) {
	before, err := Want(world, state, Options{})
	if err != nil {
		t.Fatal(err)
	}
	after, err := Want(changed, state, Options{})
	if err != nil {
		t.Fatal(err)
	}
	shards := after.ShardsByZone()
	for i, p := range before.Collections {
		for _, r := range p.Ranges {
			now, ok := after.Collections[i].ZoneOf(r.Min)
			switch {
			case !ok:
				t.Fatalf("%v has no zone any more", r)
			case zone != "" && now == zone:
				t.Fatalf("%v is still in zone %s", r, zone)
			case dc == "" && r.Zone != zone && now != r.Zone:
				t.Fatalf("%v changed to %s", r, now)
			}
			was, _ := world.Zone(now)
			untouched := now == r.Zone && len(was.Shards) == len(shards[now]) && !slices.ContainsFunc(was.Shards, func(s topology.ShardID) bool { return world.HomeOf(s) == dc })
			if len(takers(state, shards[now])) == 0 && !untouched {
				t.Fatalf("%v is in zone %s, whose shards %v cannot take it", r, now, shards[now])
			}
			for _, shard := range shards[now] {
				if dc != "" && world.HomeOf(shard) == dc {
					t.Fatalf("zone %s still has %s, at home in %s", now, shard, dc)
				}
			}
		}
	}
}
