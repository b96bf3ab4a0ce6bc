package zones

import (
	"math"
	"time"

	"github.com/geoshard/geoshard/topology"
)

// Sum computes the totals, the migrations of each shard and the duration from the moves. Whoever measures the moves' documents and bytes calls it afterwards.
//
// The duration is a lower bound: each shard takes part in one migration at a time, so the shard that gives and takes most bytes is busy longest.
func (f *Forecast) Sum() {
	f.Documents, f.Bytes, f.Chunks, f.Duration = 0, 0, 0, 0
	f.Migrations = map[topology.ShardID]int{}
	busy := map[topology.ShardID]int64{}
	for _, m := range f.Moves {
		f.Documents += m.Documents
		f.Bytes += m.Bytes
		f.Chunks += m.Chunks
		migrations := m.Chunks
		if f.ChunkSize > 0 { // since 6.0.3 chunks may be larger than what is moved at once
			migrations = max(migrations, int((m.Bytes+f.ChunkSize-1)/f.ChunkSize))
		}
		for _, shard := range []topology.ShardID{m.From, m.To} {
			f.Migrations[shard] += migrations
			busy[shard] += m.Bytes
		}
	}
	for _, moved := range busy {
		f.Duration = max(f.Duration, TimeFor(moved, f.Rate))
	}
}

// TimeFor is how long some bytes take at a rate; 0 where the rate is not limited.
func TimeFor(size int64, rate topology.ByteRate) time.Duration {
	if rate <= 0 {
		return 0
	}
	ns := float64(size) / float64(rate) * float64(time.Second)
	if ns >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(ns).Round(time.Second)
}
