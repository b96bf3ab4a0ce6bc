package zones

// Outside finds what a state has outside of its zone by a layout, one Move for each way from shard to shard. Documents and bytes are estimates.
func (l Layout) Outside(state *State) []Move {
	var moves []Move
	shards, collections := l.shardsByZone(), collectionsByName(state)
	for _, p := range l.Collections {
		if c := collections[p.Collection]; c.Sharded {
			moves = append(moves, movesOf(c, p, shards)...)
		}
	}
	return moves
}
