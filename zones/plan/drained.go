package plan

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/geoshard/geoshard/internal/serverversion"
	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// Drained finds what shards that are to be empty hold although no zone assigns it to others:
// databases whose primary shard they are, with their unsharded collections, and chunks that nothing
// takes away. Until it is elsewhere removeShard does not end (manual:
// tutorial/remove-shards-from-cluster). The shards are those of drained datacenters and those that
// are being removed. The layout is what the zones will be.
//
// Each finding has its size and the command that moves it. What the source refuses to tell is a
// finding too.
func Drained(
	ctx context.Context, source Source, world *topology.Topology, state *zones.State, layout zones.Layout,
) ([]zones.Finding, error) {
	leaving := leavingShards(world, state)
	if len(leaving) == 0 {
		return nil, nil
	}
	d := drained{world: world, state: state, leaving: leaving, layout: layout, zones: shardsAfter(state, layout)}
	kept, err := source.Kept(ctx, leaving)
	switch {
	case source.Refused(err):
		d.warn("drained-unread", spelling.List(leaving),
			"let the user read the database config (geoshard roles), and look again",
			"what keeps the shards from being removed is not known: %v", err)
		return d.report, nil
	case err != nil:
		return nil, err
	}
	for _, db := range kept.Databases {
		d.database(db)
	}
	for _, c := range kept.Collections {
		d.collection(c)
	}
	return d.report, nil
}

// leavingShards are those of the cluster that are to be empty.
func leavingShards(world *topology.Topology, state *zones.State) (leaving []topology.ShardID) {
	empty := world.DrainedShards()
	for _, s := range state.Shards {
		if s.Draining || slices.Contains(empty, s.ID) {
			leaving = append(leaving, s.ID)
		}
	}
	return leaving
}

// drained writes findings about shards that are to be empty.
type drained struct {
	world   *topology.Topology
	state   *zones.State
	leaving []topology.ShardID
	layout  zones.Layout
	zones   zones.ShardsByZone
	report
}

// database is about one whose primary shard is to be empty. That has to be another one even where
// the database has nothing on it.
func (d *drained) database(db zones.Database) {
	to := d.nearest(db.Primary, d.state.ShardIDs())
	move := fmt.Sprintf("db.adminCommand({movePrimary: %s, to: %s})", shardkey.Quote(db.Name), shardkey.Quote(string(to)))
	stopped := "stop all reads and writes of the database's unsharded collections meanwhile, " +
		"or the move may fail and writes be lost (manual: movePrimary): " + move
	sum, known := zones.Size{}, true
	for _, c := range db.Collections {
		size := sizeOf(c)
		sum.Documents, sum.Bytes, known = sum.Documents+size.Documents, sum.Bytes+size.Bytes, known && c.Sizes != nil
		text := sizeText(size, c.Sizes != nil)
		if c.TimeSeries && c.Sizes != nil { // nobody counts its measurements
			text = "a time series, " + bytesText(size.Bytes)
		}
		hint := "it moves with its database; " + stopped
		if d.moveable() && !c.TimeSeries && !c.Encrypted {
			hint = moveCollection(c.Name, to)
		}
		d.unsharded(c.Name, db.Primary, text, to, hint)
	}
	on := fmt.Sprintf("on it %s not sharded (%s)",
		isAre(len(db.Collections), "collection", "collections"), sizeText(sum, known))
	hint := stopped
	switch {
	case db.Unread != "":
		on = "which collections are on it is not known: " + db.Unread
	case len(db.Collections) == 0:
		on, hint = "on it no collection is left that is not sharded", "nothing has to be copied: "+move
	case d.moveable():
		hint = "move its collections first; for those that are left, " + hint
	}
	d.warn("drained-primary", db.Name, d.unless(to, hint),
		"its primary shard is %s, which cannot be removed before another one is; %s", d.named(db.Primary), on)
}

// unsharded is about a collection that lies on a shard as a whole.
func (d *drained) unsharded(name string, on topology.ShardID, size string, to topology.ShardID, hint string) {
	d.warn("drained-unsharded", name, d.unless(to, hint), "it is not sharded: all of it (%s) is on %s", size, d.named(on))
}

// moveable says whether the servers can move a collection that is not sharded while it is used.
func (d *drained) moveable() bool {
	v, err := serverversion.Parse(d.state.Version)
	return err == nil && serverversion.MoveCollection.Holds(v)
}

// moveCollection moves one collection that is not sharded. Those of Queryable Encryption it does
// not take (manual: moveCollection), and of time series the manual does not say so.
func moveCollection(name string, to topology.ShardID) string {
	return fmt.Sprintf("it can be used meanwhile, but builds no index, and takes 5 minutes at least "+
		"(manual: moveCollection): db.adminCommand({moveCollection: %s, toShard: %s})",
		shardkey.Quote(name), shardkey.Quote(string(to)))
}

// named is a shard with what is to become of it.
func (d *drained) named(id topology.ShardID) string {
	if s, _ := d.state.Shard(id); s.Draining {
		return string(id) + " (being removed)"
	}
	return string(id) + " (drained)"
}

// nearest is the nearest of some shards that stay; empty where none does.
func (d *drained) nearest(from topology.ShardID, among []topology.ShardID) topology.ShardID {
	stay := slices.DeleteFunc(takers(d.state, among), func(id topology.ShardID) bool {
		return slices.Contains(d.leaving, id)
	})
	return d.world.Nearest(from, stay)
}

// unless is a hint with a command that names a shard, if there is one.
func (d *drained) unless(to topology.ShardID, hint string) string {
	if to == "" {
		return "add a shard that stays first: no other one can take it"
	}
	return hint
}

// collection is about one with chunks on shards that are to be empty.
func (d *drained) collection(c zones.Collection) {
	if p, planned := d.layout.Placement(c.Name); planned {
		c.Ranges = p.Ranges
	}
	for _, shard := range d.leaving {
		on := c
		on.Chunks = slices.DeleteFunc(slices.Clone(c.Chunks), func(ch zones.Chunk) bool { return ch.Shard != shard })
		size, known := c.Sizes[shard]
		switch {
		case len(on.Chunks) == 0:
		case c.Sharded:
			d.chunks(on, shard, sizeText(size, known))
		default:
			to := d.nearest(shard, d.state.ShardIDs())
			d.unsharded(c.Name, shard, sizeText(size, known), to, moveCollection(c.Name, to))
		}
	}
}

// chunks tells the chunks of a sharded collection on one shard by what becomes of them. The
// balancer looks at a chunk of no zone only once its shard is being removed.
func (d *drained) chunks(c zones.Collection, shard topology.ShardID, size string) {
	inRanges := map[*zones.Chunk][]zones.Range{}
	for _, o := range crossings(c.Chunks, c.Ranges) {
		inRanges[o.chunk] = o.ranges
	}
	free, follow := 0, 0
	pinned := map[topology.ZoneID]int{}
	for i := range c.Chunks {
		chunk := &c.Chunks[i]
		ranges := inRanges[chunk]
		stuck := slices.IndexFunc(ranges, func(r zones.Range) bool {
			return d.nearest(shard, d.zones[r.Zone]) == ""
		})
		switch {
		case stuck >= 0:
			pinned[ranges[stuck].Zone]++
		case chunk.Jumbo:
			d.jumbo(c.Name, *chunk, ranges, shard)
		case len(ranges) > 0:
			follow++
		default:
			free++
		}
	}
	here := fmt.Sprintf("%s with %s", d.named(shard), size)
	for _, zone := range slices.Sorted(maps.Keys(pinned)) {
		to := d.nearest(shard, d.state.ShardIDs())
		give := fmt.Sprintf("give the zone a shard that stays and may hold its documents: "+
			"db.adminCommand({addShardToZone: %s, zone: %s})", shardkey.Quote(string(to)), shardkey.Quote(string(zone)))
		d.fail("drained-pinned", c.Name, d.unless(to, give),
			"%s in zone %s, of which no shard stays, on %s: they never move", isAre(pinned[zone], "chunk", "chunks"), zone, here)
	}
	_, declared := d.world.NamespaceOf(c.Name)
	if c.NoBalance && free+follow > 0 {
		d.fail("drained-held", c.Name,
			fmt.Sprintf("let the balancer work on it: sh.enableBalancing(%s)", shardkey.Quote(c.Name)),
			"the balancer is told to leave the collection alone, and %s on %s: they never move",
			isAre(free+follow, "chunk", "chunks"), here)
		return
	}
	s, _ := d.state.Shard(shard)
	remove := fmt.Sprintf("once you begin to remove the shard, the balancer takes them away: "+
		"db.adminCommand({removeShard: %s})", shardkey.Quote(string(shard)))
	switch {
	case free == 0:
	case s.Draining:
		d.note("drained-chunks", c.Name, "",
			"%s in no zone, on %s: the balancer takes them away", isAre(free, "chunk", "chunks"), here)
	case declared:
		d.note("drained-chunks", c.Name, remove, "%s in no zone, on %s: they stay", isAre(free, "chunk", "chunks"), here)
	default:
		d.warn("drained-chunks", c.Name, "declare the collection with its zones; or "+remove,
			"it is not declared, and %s in no zone, on %s: they stay", isAre(free, "chunk", "chunks"), here)
	}
	if follow > 0 && !declared { // of declared ones the forecast tells
		d.note("drained-chunks", c.Name, "",
			"it is not declared, and %s on %s: the balancer takes them to other shards of their zones",
			isAre(follow, "chunk", "chunks"), here)
	}
}

// jumbo is about a chunk that the balancer does not move because of its size, not even from a shard
// that is being removed (SERVER-86055).
func (d *drained) jumbo(name string, chunk zones.Chunk, ranges []zones.Range, shard topology.ShardID) {
	among := d.state.ShardIDs()
	if len(ranges) > 0 {
		among = d.zones[ranges[0].Zone]
	}
	to := d.nearest(shard, among)
	move := fmt.Sprintf("writes to it wait while it is moved (manual: moveRange, forceJumbo): "+
		"db.adminCommand({moveRange: %s, min: %s, max: %s, toShard: %s, forceJumbo: true})",
		shardkey.Quote(name), shardkey.FormatShell(chunk.Min), shardkey.FormatShell(chunk.Max), shardkey.Quote(string(to)))
	d.fail("drained-jumbo", name, d.unless(to, move),
		"its chunk from %s on %s is too large for the balancer to move: it stays", shardkey.Format(chunk.Min), d.named(shard))
}

// sizeText is a size, if it is known.
func sizeText(s zones.Size, known bool) string {
	if !known {
		return "an unknown number of documents"
	}
	return fmt.Sprintf("%s, %s", count(int(s.Documents), "document", "documents"), bytesText(s.Bytes))
}

// isAre writes a number and what is counted, with the verb that belongs to it.
func isAre(n int, one, many string) string {
	verb := " are"
	if n == 1 {
		verb = " is"
	}
	return count(n, one, many) + verb
}
