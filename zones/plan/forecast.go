package plan

import (
	"bytes"
	"cmp"
	"maps"
	"math"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// DefaultRate is the rate of migrations that a forecast assumes where none is given: a tenth of a gigabit link between datacenters, which leaves the rest to
// replication and clients.
const DefaultRate topology.ByteRate = 12_500_000

// forecast says what the balancer will move once a cluster has the layout: every part of a chunk that lies in a range of a zone to which the chunk's owner does
// not belong. It leaves out what the balancer moves to even out the shards of one zone. Documents and bytes are estimates: see [Forecast.Measured]. Bytes are those of
// documents, uncompressed, as they travel: indexes are not sent, the shard that gets the documents makes its own entries.
func forecast(world *topology.Topology, state *zones.State, layout zones.Layout, rate topology.ByteRate) zones.Forecast {
	f := zones.Forecast{Rate: rateOf(rate), ChunkSize: state.Balancer.ChunkSize, Moves: outside(state, layout, shardsAfter(state, layout))}
	for i, m := range f.Moves {
		f.Moves[i].FromDC, f.Moves[i].ToDC = world.HomeOf(m.From), world.HomeOf(m.To)
	}
	f.Sum()
	f.Targeting = targeting(world, state, layout)
	return f
}

// shardsAfter maps each zone to the shards that it will have: zones that the layout does not name keep theirs.
func shardsAfter(state *zones.State, layout zones.Layout) zones.ShardsByZone {
	after := state.ShardsByZone()
	maps.Copy(after, layout.ShardsByZone())
	return after
}

// A route is what the parts of chunks have in common that make up one Move.
type route struct {
	zone     topology.ZoneID
	from, to topology.ShardID
}

// A load is an estimate, so it has fractions until it is all added up.
type load struct{ documents, bytes float64 }

// A mover adds up what leaves the shards of one collection.
type mover struct {
	collection string
	shards     zones.ShardsByZone
	// chunk is the average of each shard's chunks.
	chunk map[topology.ShardID]load
	// weight is what each shard holds and has been promised, to choose the least loaded: bytes, or chunks where sizes are not known.
	weight map[topology.ShardID]float64
	moves  map[route]*moving
}

// A moving is a Move whose documents and bytes are not rounded yet.
type moving struct {
	zones.Move
	load
}

// movesOf finds what leaves the shards of one collection, sorted.
func movesOf(c zones.Collection, p zones.Placement, shards zones.ShardsByZone) (moves []zones.Move) {
	all := crossings(c.Chunks, p.Ranges)
	m := newMover(c, all, shards)
	for _, o := range all {
		for _, r := range o.ranges {
			m.part(o.chunk, r, 1/float64(len(o.ranges)))
		}
	}
	for _, move := range m.moves {
		move.Documents, move.Bytes = int64(math.Round(move.documents)), int64(math.Round(move.bytes))
		moves = append(moves, move.Move)
	}
	slices.SortFunc(moves, func(a, b zones.Move) int {
		return cmp.Or(cmp.Compare(a.Zone, b.Zone), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return moves
}

// A crossing is a chunk with the ranges that it overlaps with.
type crossing struct {
	chunk  *zones.Chunk
	ranges []zones.Range
}

// crossings lists the chunks that overlap with ranges. It walks the sorted chunks and the sorted ranges together.
func crossings(chunks []zones.Chunk, ranges []zones.Range) (all []crossing) {
	first := 0
	for i := range chunks {
		chunk := &chunks[i]
		for first < len(ranges) && shardkey.CompareKeys(ranges[first].Max, chunk.Min) <= 0 {
			first++
		}
		end := first
		for end < len(ranges) && shardkey.CompareKeys(ranges[end].Min, chunk.Max) < 0 {
			end++
		}
		if end > first {
			all = append(all, crossing{chunk, ranges[first:end]})
		}
	}
	return all
}

// newMover spreads the size of each shard over those of its chunks that overlap with ranges. What lies between the ranges is taken for empty: nearly all
// documents have declared values.
func newMover(c zones.Collection, all []crossing, shards zones.ShardsByZone) *mover {
	m := &mover{
		collection: c.Name, shards: shards,
		chunk: map[topology.ShardID]load{}, weight: map[topology.ShardID]float64{},
		moves: map[route]*moving{},
	}
	chunks := map[topology.ShardID]float64{}
	for _, o := range all {
		chunks[o.chunk.Shard]++
	}
	for shard, n := range chunks {
		size := c.Sizes[shard]
		m.chunk[shard] = load{float64(size.Documents) / n, float64(size.Bytes) / n}
		m.weight[shard] = n
		if c.Sizes != nil {
			m.weight[shard] = float64(size.Bytes)
		}
	}
	return m
}

// part accounts for the part of a chunk that lies in a range; share is its share of the chunk.
func (m *mover) part(chunk *zones.Chunk, r zones.Range, share float64) {
	shards := m.shards[r.Zone]
	if len(shards) == 0 || slices.Contains(shards, chunk.Shard) {
		return // a zone without shards moves nothing; lint tells it
	}
	to := slices.MinFunc(shards, func(a, b topology.ShardID) int {
		return cmp.Or(cmp.Compare(m.weight[a], m.weight[b]), cmp.Compare(a, b))
	})
	way := route{r.Zone, chunk.Shard, to}
	move, ok := m.moves[way]
	if !ok {
		move = &moving{Move: zones.Move{Collection: m.collection, Zone: way.zone, From: way.from, To: way.to}}
		m.moves[way] = move
	}
	average := m.chunk[chunk.Shard]
	move.documents += share * average.documents
	move.bytes += share * average.bytes
	m.weight[to] += share * max(1, average.bytes)
	move.Chunks++
	move.Spans = appendSpan(move.Spans,
		slices.MaxFunc([]bson.Raw{chunk.Min, r.Min}, shardkey.CompareKeys), slices.MinFunc([]bson.Raw{chunk.Max, r.Max}, shardkey.CompareKeys))
}

// appendSpan adds a run of keys, to the last one where they are neighbours.
func appendSpan(spans []zones.Span, lowest, highest bson.Raw) []zones.Span {
	if n := len(spans); n > 0 && bytes.Equal(spans[n-1].Max, lowest) {
		spans[n-1].Max = highest
		return spans
	}
	return append(spans, zones.Span{Min: lowest, Max: highest})
}
