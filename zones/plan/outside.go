package plan

import (
	"fmt"
	"slices"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/zones"
)

// Outside finds what a state has outside of its zone by a layout, one Move for each way from shard to shard. Documents and bytes are estimates.
func Outside(state *zones.State, layout zones.Layout) []zones.Move {
	return outside(state, layout, layout.ShardsByZone())
}

// JumboOutside names the chunks outside of their zone by a layout that are too large to be moved by the balancer, and counts those that it can move.
func JumboOutside(state *zones.State, layout zones.Layout) (jumbo []string, movable int) {
	shards := layout.ShardsByZone()
	for _, p := range layout.Collections {
		c, _ := state.Collection(p.Collection)
		for _, o := range crossings(c.Chunks, p.Ranges) {
			if !slices.ContainsFunc(o.ranges, func(r zones.Range) bool { return !slices.Contains(shards[r.Zone], o.chunk.Shard) }) {
				continue
			}
			if !o.chunk.Jumbo {
				movable++
				continue
			}
			jumbo = append(jumbo, fmt.Sprintf("%s from %s on %s", c.Name, shardkey.Format(o.chunk.Min), o.chunk.Shard))
		}
	}
	return jumbo, movable
}

func outside(state *zones.State, layout zones.Layout, shards zones.ShardsByZone) (moves []zones.Move) {
	for _, p := range layout.Collections {
		if c, _ := state.Collection(p.Collection); c.Sharded {
			moves = append(moves, movesOf(c, p, shards)...)
		}
	}
	return moves
}
