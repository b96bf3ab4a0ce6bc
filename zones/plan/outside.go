package plan

import "github.com/geoshard/geoshard/zones"

// Outside finds what a state has outside of its zone by a layout, one Move for each way from shard to shard. Documents and bytes are estimates.
func Outside(state *zones.State, layout zones.Layout) []zones.Move {
	return outside(state, layout, layout.ShardsByZone())
}

func outside(state *zones.State, layout zones.Layout, shards zones.ShardsByZone) (moves []zones.Move) {
	for _, p := range layout.Collections {
		if c, _ := state.Collection(p.Collection); c.Sharded {
			moves = append(moves, movesOf(c, p, shards)...)
		}
	}
	return moves
}
