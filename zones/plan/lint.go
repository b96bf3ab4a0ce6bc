package plan

import (
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// lint looks at a cluster, and at what it will be with the layout, for what keeps the declared placement from coming true or will surprise somebody.
//
// What needs the documents, a clock or the user's privileges is not in a state: see [Make].
func lint(world *topology.Topology, state *zones.State, layout zones.Layout) []zones.Finding {
	l := &linter{world: world, state: state, layout: layout, shards: shardsAfter(state, layout)}
	l.version()
	l.balancer()
	for _, shard := range state.Shards {
		l.shard(shard)
	}
	l.configServers()
	l.declaredShards()
	l.modes()
	for _, zone := range layout.Zones {
		l.zone(zone)
	}
	for _, p := range layout.Collections {
		l.placement(p)
	}
	for _, c := range state.Collections {
		if ns, ok := world.NamespaceOf(c.Name); ok {
			l.collection(ns, c)
		}
	}
	return l.report
}

// A linter runs the rules.
type linter struct {
	world  *topology.Topology
	state  *zones.State
	layout zones.Layout
	// shards are those that each zone will have.
	shards zones.ShardsByZone
	report
}

func (l *linter) balancer() {
	b := l.state.Balancer
	if !b.Running {
		l.warn("balancer-off", "balancer", "start it yourself when you want data to move: sh.startBalancer()",
			"the balancer is stopped: ranges take effect for new chunks alone, and nothing moves")
	}
	if b.Window != "" {
		l.note("balancer-window", "balancer", "", "the balancer works only from %s, in the config servers' time: data moves then", b.Window)
	}
}

// zone checks a zone of the layout. That no shard of it may hold documents where they are not allowed is the members' part: see residency.
func (l *linter) zone(z zones.ZoneShards) {
	switch {
	case len(z.Shards) == 0:
		l.fail("zone-without-shards", z.Zone, "name a shard for it in geoshard.yaml", "the zone has no shards, so documents of its ranges stay where they are")
	case len(takers(l.state, z.Shards)) == 0:
		l.fail("zone-without-shards", z.Zone, "add another shard to the zone first",
			"every shard of the zone is being removed from the cluster, and its ranges keep the removal from ending")
	}
	l.residency(z)
}

// placement checks what will be of a collection's ranges.
func (l *linter) placement(p zones.Placement) {
	example, loose := "", 0
	var orphaned []topology.ZoneID
	c, _ := l.state.Collection(p.Collection)
	for i, r := range p.Ranges {
		if _, told := l.layout.ShardsOf(r.Zone); !told && len(l.shards[r.Zone]) == 0 {
			orphaned = addOnce(orphaned, r.Zone)
		}
		if !looseEnd(r) || l.sameShard(c, p.Ranges, i) {
			continue
		}
		if loose++; loose == 1 {
			value, _ := shardkey.FirstTwo(r.Min)
			example = shardkey.FormatValue(value)
		}
	}
	slices.Sort(orphaned)
	for _, zone := range orphaned {
		l.fail("zone-without-shards", p.Collection, "put a shard into the zone", "it has ranges of zone %s, which has no shards", zone)
	}
	if loose > 0 {
		l.warn("prefix-query-two-shards", p.Collection, "plan with --tighten",
			"%s in MaxKey, which the next chunk owns: a query for one value of %s asks a second shard (for example %s)",
			count(loose, "range ends", "ranges end"), p.Key[0].Name, example)
	}
}

// looseEnd says whether a range ends in {value, MaxKey}: whether that key, which a query for the value has to look for, is already outside.
func looseEnd(r zones.Range) bool {
	first, second := shardkey.FirstTwo(r.Max)
	return first.Type != bson.TypeMaxKey && second.Type == bson.TypeMaxKey
}

// sameShard says whether the end of a range will be owned by the one shard that owns the range.
func (l *linter) sameShard(c zones.Collection, ranges []zones.Range, i int) bool {
	own := l.shards[ranges[i].Zone]
	next := ownersThen(l.state, c, ranges[min(i+1, len(ranges)):], l.shards, ranges[i].Max, ranges[i].Max)
	return len(own) == 1 && len(next) == 1 && own[0] == next[0]
}

// collection checks a declared collection as it is.
func (l *linter) collection(ns topology.Namespace, c zones.Collection) {
	switch {
	case ns.IsPattern() && (!c.Sharded || c.Key.String() != ns.Key.String()): // a pattern is about collections that have its key
	case c.View:
		l.fail("namespace-type", c.Name, "declare the collection that it looks at", "the namespace is a view, which cannot be sharded")
	case c.TimeSeries:
		l.fail("namespace-type", c.Name, "take it out of geoshard.yaml", "the namespace is a time-series collection, which cannot be sharded by a zone key")
	case c.Sharded:
		l.sharded(c)
	case c.Exists:
		l.unsharded(ns, c)
	}
}

func (l *linter) sharded(c zones.Collection) {
	if len(c.Key) != 1 || c.Key[0].Name != "_id" {
		l.note("id-unique-per-shard", c.Name, "let the driver choose _id, or use UUIDs",
			"_id is unique on each shard alone: two shards may hold documents of one _id, because the shard key is %s", c.Key)
	}
	for _, index := range c.Indexes {
		if index.Unique && index.Name != "_id_" && !leadsWith(index, c.Key) {
			l.warn("unique-index-per-shard", c.Name, "begin the index with the shard key, or drop its uniqueness",
				"the unique index %s does not begin with the shard key %s, so it is unique on each shard alone", index.Name, c.Key)
		}
	}
	jumbo, example := 0, zones.Chunk{}
	for _, chunk := range c.Chunks {
		if chunk.Jumbo {
			if jumbo++; jumbo == 1 {
				example = chunk
			}
		}
	}
	if jumbo > 0 {
		l.warn("jumbo-chunks", c.Name, "split them, or clear the flag with clearJumboFlag once their documents are fewer",
			"%s not moved by the balancer because of their size, the first on %s from %s", count(jumbo, "chunk is", "chunks are"), example.Shard, shardkey.Format(example.Min))
	}
	if c.NoBalance {
		l.warn("balancing-held", c.Name, fmt.Sprintf("sh.enableBalancing(%q), unless that is intended", c.Name),
			"the balancer is told to leave the collection alone, so nothing of it moves")
	}
}

func (l *linter) unsharded(ns topology.Namespace, c zones.Collection) {
	hint := "see what has to be done by hand"
	if shardable(c) {
		hint = "plan with --shard-collections"
	}
	l.warn("unsharded", c.Name, hint, "the collection is not sharded: all of it is on %s", c.Primary)
	for _, index := range c.Indexes {
		if index.Unique && index.Name != "_id_" && !leadsWith(index, ns.Key) {
			l.fail("unique-index-per-shard", c.Name, "begin the index with the shard key, or drop it first",
				"the unique index %s does not begin with the shard key %s, so the server refuses to shard the collection", index.Name, ns.Key)
		}
	}
}

// leadsWith says whether an index begins with the fields of a shard key.
func leadsWith(i zones.Index, key topology.Key) bool {
	return len(i.Key) >= len(key) && slices.EqualFunc(i.Key[:len(key)], key, func(e bson.E, f topology.KeyField) bool {
		return e.Key == f.Name && f.Hashed == (e.Value == "hashed")
	})
}

// unknownValues says that a collection holds documents whose value of the zone field belongs to no zone. Values are examples, as they are shown.
func (r *report) unknownValues(ns topology.Namespace, collection string, documents int64, values []string) {
	severity, hint, more := zones.SeverityWarning, "declare ranges for the values, or a zone that takes them: unknown: zone", ""
	if ns.Unknown == topology.UnknownReject {
		severity, hint, more = zones.SeverityError, "give them a declared value before you apply: geoshard rehome", "; once the validator is there, updates of them are refused"
	}
	r.add(severity, "unknown-values", collection, hint, "%s a value of %s that belongs to no zone, and may lie on any shard, for example %s%s",
		count(int(documents), "document has", "documents have"), ns.ZoneBy, spelling.List(values), more)
}

// count writes a number and what is counted.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
