package plan

import (
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// generated is a world whose only namespace declares values, each with a range of its own, and a cluster whose chunks lie as if it had never heard of
// it. A tenth of the ranges is there already, in the usual form.
func generated(values, chunks int) (*topology.Topology, *zones.State) {
	w := &topology.Topology{Version: topology.CurrentVersion}
	s := &zones.State{ClusterID: "c", Version: "6.0.5", Balancer: zones.Balancer{Running: true, ChunkSize: 128 << 20}}
	for i := range 3 {
		dc, shard, zone := topology.DatacenterID(fmt.Sprintf("DC%d", i)), topology.ShardID(fmt.Sprintf("s%d", i)), topology.ZoneID(fmt.Sprintf("Z%d", i))
		w.Datacenters = append(w.Datacenters, topology.Datacenter{ID: dc, Role: topology.RoleActive})
		w.Shards = append(w.Shards, topology.Shard{ID: shard, Members: []topology.Member{{DC: dc, Priority: 1}}})
		w.Zones = append(w.Zones, topology.Zone{ID: zone, Shards: []topology.ShardID{shard}})
		s.Shards = append(s.Shards, zones.Shard{ID: shard, Zones: []topology.ZoneID{zone}})
	}
	key := topology.Key{{Name: "country"}, {Name: "cartId"}}
	ns := topology.Namespace{Name: "shop.carts", Key: key, ZoneBy: "country", Unknown: topology.UnknownReport, OnlyRanges: true}
	c := zones.Collection{
		Name: "shop.carts", Exists: true, Primary: "s0", Sharded: true, Key: key, Indexes: []zones.Index{},
		Sizes: map[topology.ShardID]zones.Size{"s0": {Documents: 1e6, Bytes: 1e9}, "s1": {Documents: 1e6, Bytes: 1e9}, "s2": {Documents: 1e6, Bytes: 1e9}},
	}
	for i := range values {
		v := topology.StringOf(fmt.Sprintf("V%06d", i))
		zone := w.Zones[i%len(w.Zones)].ID
		ns.Ranges = append(ns.Ranges, topology.Range{Zone: zone, Values: []topology.Value{v}})
		if i%10 == 0 {
			c.Ranges = append(c.Ranges, zones.Range{Min: shardkey.StartOf(key, shardkey.ValueOf(v)), Max: keyOfTwo(key, shardkey.ValueOf(v), shardkey.MaxKey), Zone: zone})
		}
	}
	w.Namespaces = []topology.Namespace{ns}
	from := shardkey.StartOf(key, shardkey.MinKey)
	for i := range chunks {
		to := shardkey.StartOf(key, shardkey.MaxKey)
		if i < chunks-1 {
			at := topology.StringOf(fmt.Sprintf("V%06d", i*values/chunks))
			to = keyOfTwo(key, shardkey.ValueOf(at), shardkey.ValueOf(topology.IntegerOf(int64(i))))
		}
		c.Chunks = append(c.Chunks, zones.Chunk{Min: from, Max: to, Shard: s.Shards[i*7%3].ID})
		from = to
	}
	s.Collections = []zones.Collection{c}
	return w, s
}

func BenchmarkPlan(b *testing.B) {
	for _, size := range []struct{ ranges, chunks int }{{100, 1_000}, {1_000, 10_000}, {10_000, 100_000}} {
		b.Run(fmt.Sprintf("ranges=%d/chunks=%d", size.ranges, size.chunks), func(b *testing.B) {
			w, s := generated(size.ranges, size.chunks)
			b.ReportAllocs()
			for b.Loop() {
				plan, err := New(w, s, nil, Options{Tighten: true}, now)
				if err != nil || len(plan.Steps) < size.ranges {
					b.Fatalf("%d steps, %v", len(plan.Steps), err)
				}
			}
		})
	}
}

// Limits of a plan of 10,000 ranges and 100,000 chunks.
const (
	planTime  = 2 * time.Second
	planBytes = 300 << 20
)

// A plan of 10,000 ranges and 100,000 chunks takes at most 300 MB, in a soak at most two seconds, and time and memory grow no worse than n log n.
func TestPlanOfManyRangesAndChunksIsQuick(t *testing.T) {
	testkit.Measures(t)
	small, large := measured(t, 2_000, 20_000), measured(t, 10_000, 100_000)
	t.Logf("2,000 ranges, 20,000 chunks: %v, %d MB; 10,000 ranges, 100,000 chunks: %v, %d MB", small.took, small.bytes>>20, large.took, large.bytes>>20)
	// Five times the size costs 5 * log(100,000)/log(20,000) = 5.8 times the work; 2 is for noise on a shared machine, still far from the 25 of n².
	limit := 2 * 5 * math.Log(100_000) / math.Log(20_000)
	if got := float64(large.took) / float64(small.took); got > limit {
		t.Errorf("five times the size took %.1f times the time, want at most %.1f", got, limit)
	}
	if got := float64(large.bytes) / float64(small.bytes); got > limit {
		t.Errorf("five times the size took %.1f times the memory, want at most %.1f", got, limit)
	}
	if large.bytes > planBytes {
		t.Errorf("got %d MB allocated, want at most %d", large.bytes>>20, planBytes>>20)
	}
	if large.took > planTime && testkit.Soak() {
		t.Errorf("got %v, want at most %v", large.took, planTime)
	}
}

type cost struct {
	took  time.Duration
	bytes uint64
}

// measured is the least of a few runs.
func measured(t *testing.T, ranges, chunks int) cost {
	t.Helper()
	w, s := generated(ranges, chunks)
	least := cost{took: math.MaxInt64, bytes: math.MaxUint64}
	for range 3 {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		var plan *zones.Plan
		var err error
		took := processorTime(t, func() { plan, err = New(w, s, nil, Options{Tighten: true}, now) })
		runtime.ReadMemStats(&after)
		if err != nil || len(plan.Steps) < ranges {
			t.Fatalf("%d steps, %v", len(plan.Steps), err)
		}
		least = cost{min(least.took, took), min(least.bytes, after.TotalAlloc-before.TotalAlloc)}
	}
	return least
}
