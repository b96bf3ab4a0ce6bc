package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// What the manual demands for resharding: core/sharding-reshard-a-collection.
const (
	// reshardSpace is the free space on each shard, in shares of the documents and indexes that it will get. (Manuals up to 7.0 say 1.2 for the whole collection.)
	reshardSpace = 2
	// reshardLeast is the shortest time that resharding takes, however little there is.
	reshardLeast = 5 * time.Minute
)

// backfillBatch is how many documents one command of a backfill changes: few enough not to be felt.
const backfillBatch = "1000"

// manual lists what an operator has to do by hand: collections with documents that are not sharded, or whose shard key does not begin with the zone field.
// What is empty or missing needs nobody: ShardCollection does it.
func manual(world *topology.Topology, state *zones.State, o Options) (all []zones.Manual) {
	for _, ns := range world.Namespaces {
		c, _ := state.Collection(ns.Name)
		switch {
		case ns.IsPattern() || c.View || c.TimeSeries:
		case c.Sharded && c.Key[0] != (topology.KeyField{Name: ns.ZoneBy}):
			all = append(all, reshard(world, ns, c, o))
		case !c.Sharded && !shardable(c):
			all = append(all, shardWithData(ns, c, o))
		}
	}
	return all
}

// reshard is for a sharded collection with another key. Bounds are full keys, because up to 6.0.12 and 7.0.4 others make the config servers' primary stop again
// and again (SERVER-73763).
func reshard(world *topology.Topology, ns topology.Namespace, c zones.Collection, o Options) zones.Manual {
	ranges, shards := wantedRanges(world, ns)
	list := make([]string, len(ranges))
	for i, r := range ranges {
		list[i] = fmt.Sprintf("{min: %s, max: %s, zone: %s}", shardkey.FormatShell(r.Min), shardkey.FormatShell(r.Max), shardkey.Quote(string(r.Zone)))
	}
	commands := append(backfill(ns, c), fmt.Sprintf(
		"db.adminCommand({reshardCollection: %s, key: %s, collation: {locale: \"simple\"}, zones: [\n  %s\n]})",
		shardkey.Quote(c.Name), shellPattern(ns.Key), strings.Join(list, ",\n  ")))
	why := fmt.Sprintf("its shard key %s does not begin with %s, so no range of keys can follow the zones; apply this plan first, so that the zones exist, then give the documents the field and reshard",
		c.Key, ns.ZoneBy)
	if c.Unique {
		why += "; resharding gives up the uniqueness of the shard key"
	}
	return zones.Manual{Collection: c.Name, Why: why, Commands: commands, Needs: reshardNeeds(c, shards, o.Rate)}
}

// shardWithData is for an unsharded collection that has documents.
func shardWithData(ns topology.Namespace, c zones.Collection, o Options) zones.Manual {
	commands := backfill(ns, c)
	why := fmt.Sprintf("it is not sharded and has documents, all on %s; give them the field %s and shard it; from then on the balancer follows the ranges", c.Primary, ns.ZoneBy)
	if stand := obstacles(c, ns.Key); len(stand) > 0 {
		why += "; before it can be sharded: " + stand[0].hint
	} else {
		commands = append(commands, shardByHand(c, ns.Key)...)
	}
	size := sizeOf(c)
	needs := "its size could not be read"
	if c.Sizes != nil {
		needs = fmt.Sprintf("no space at first; afterwards the balancer moves up to %s from %s, which takes up to %v at %s",
			bytesText(size.Bytes), c.Primary, zones.TimeFor(size.Bytes, rateOf(o.Rate)), rateOf(o.Rate))
	}
	return zones.Manual{
		Collection: c.Name,
		Why:        why,
		Commands:   commands, Needs: needs,
	}
}

// shardByHand are the commands that shard a collection with documents. A collection that does not compare bytes has to be told that its shard key does.
func shardByHand(c zones.Collection, key topology.Key) (commands []string) {
	index, options := "", ""
	if c.Collation != "" {
		index, options = `, {collation: {locale: "simple"}}`, `, false, {collation: {locale: "simple"}}`
	}
	// ShardCollection makes no index where there are documents.
	if !slices.ContainsFunc(c.Indexes, func(i zones.Index) bool { return i.Serves(key) }) {
		commands = append(commands, fmt.Sprintf("coll.createIndex(%s%s)", shellPattern(key), index))
	}
	return append(commands, fmt.Sprintf("sh.shardCollection(%s, %s%s)", shardkey.Quote(c.Name), shellPattern(key), options))
}

// backfill gives documents the zone field. Which value belongs into which document only the operator knows, so the commands do not run before the rule is put in.
// $set would replace what stands in the place of a document on the way to the field, and a shard key takes no arrays: such documents are counted, named and left as
// they are.
func backfill(ns topology.Namespace, c zones.Collection) []string {
	fill := strings.NewReplacer("COLLECTION", shellCollection(c.Name), "FIELD", shardkey.Quote(ns.ZoneBy), "BATCH", backfillBatch, "BLOCKED", strings.Join(blocked(ns.ZoneBy), ", "))
	return []string{
		fill.Replace(`// REPLACE THE PLACEHOLDER by an aggregation expression that computes FIELD from a document: geoshard cannot know it.
// For example {$cond: [{$in: ["$country", ["GB", "IE"]]}, "LON", "NYC"]}. From now on the application has to write the field too.
var rule = PLACEHOLDER`),
		fill.Replace(`var coll = COLLECTION`),
		fill.Replace(`// Documents that cannot be given the field as they are stay untouched. Change them by hand, and run this again.
var blocked = {$or: [BLOCKED]}
if (coll.countDocuments(blocked) > 0) print(coll.countDocuments(blocked) + " documents cannot have " + FIELD + " as they are, for example _id " + EJSON.stringify(coll.findOne(blocked)._id))`),
		fill.Replace(`for (let ids; (ids = coll.find({FIELD: {$exists: false}, $nor: [blocked]}, {_id: 1}).limit(BATCH).toArray().map(d => d._id)).length > 0; ) {
  const done = coll.updateMany({_id: {$in: ids}, FIELD: {$exists: false}, $nor: [blocked]}, [{$set: {FIELD: rule}}], {writeConcern: {w: "majority"}})
  if (done.modifiedCount === 0) throw new Error("the rule gives these documents no value: " + ids)
}`),
		fill.Replace(`coll.countDocuments({$or: [{FIELD: {$exists: false}}, blocked]}) // has to be 0`),
	}
}

// blocked are conditions of documents that cannot be given a field: what stands in one of its parents' places is no document, or an array is in the way.
func blocked(field string) (conditions []string) {
	for at, char := range field {
		if char == '.' {
			parent := shardkey.Quote(field[:at])
			conditions = append(conditions, fmt.Sprintf(`{%s: {$type: "array"}}, {%s: {$exists: true, $not: {$type: "object"}}}`, parent, parent))
		}
	}
	return append(conditions, fmt.Sprintf(`{%s: {$type: "array"}}`, shardkey.Quote(field)))
}

// wantedRanges are the ranges that a collection would get if it did not exist yet, and the number of shards that they lead to.
func wantedRanges(world *topology.Topology, ns topology.Namespace) (ranges []zones.Range, shards int) {
	ranges, err := RangesOf(world, ns, ns.Key)
	if err != nil {
		return nil, 0 // the plan itself fails with it
	}
	var used []topology.ShardID
	for _, r := range ranges {
		zone, _ := world.Zone(r.Zone)
		used = addOnce(used, zone.Shards...)
	}
	return ranges, len(used)
}

func reshardNeeds(c zones.Collection, shards int, rate topology.ByteRate) string {
	if c.Sizes == nil || shards == 0 {
		return "its size could not be read; free space on each shard: twice its share of the documents and of the indexes"
	}
	share := sizeOf(c).Bytes / int64(shards)
	return fmt.Sprintf("%s of free space on each of its shards (%d), twice their share of the %s of documents, and twice their share of its indexes; "+
		"no index build at the same time; at least %v at %s; writes are blocked for up to 2 seconds at the end", bytesText(reshardSpace*share), shards, bytesText(sizeOf(c).Bytes),
		max(reshardLeast, zones.TimeFor(share, rateOf(rate))), rateOf(rate))
}

func rateOf(rate topology.ByteRate) topology.ByteRate {
	if rate <= 0 {
		return DefaultRate
	}
	return rate
}

// sizeOf is the sum over the shards.
func sizeOf(c zones.Collection) (sum zones.Size) {
	for _, s := range c.Sizes {
		sum.Documents += s.Documents
		sum.Bytes += s.Bytes
	}
	return sum
}

// bytesText writes a number of bytes as people do, in decimal units like rates.
func bytesText(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	return units.CustomSize("%.1f %s", float64(n), 1000, []string{"B", "KB", "MB", "GB", "TB"})
}

// shellCollection names a collection in mongosh, whatever characters it has.
func shellCollection(name string) string {
	db, collection, _ := strings.Cut(name, ".")
	return fmt.Sprintf("db.getSiblingDB(%s).getCollection(%s)", shardkey.Quote(db), shardkey.Quote(collection))
}

// shellPattern writes a shard key for mongosh.
func shellPattern(key topology.Key) string {
	parts := make([]string, len(key))
	for i, f := range key {
		kind := "1"
		if f.Hashed {
			kind = `"hashed"`
		}
		parts[i] = shardkey.Quote(f.Name) + ": " + kind
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
