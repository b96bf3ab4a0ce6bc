package plan

import (
	"fmt"
	"maps"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/hint"
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
	for _, db := range slices.Sorted(maps.Keys(state.Unlisted)) {
		l.warn("database-unlisted", db, "look at the servers of its primary shard, and plan again", "its primary shard did not tell which collections it has: %s", state.Unlisted[db])
	}
	for _, ns := range world.Namespaces {
		l.openRanges(ns)
		if other := otherCase(state, ns.Name); other != "" {
			l.fail("database-case", ns.Name, fmt.Sprintf("write %s as the cluster does", other),
				"the cluster has the database %s, and allows no second one whose name differs in case alone: the namespace gets no ranges", other)
		}
	}
	return l.report
}

// manyValues is how many values a validator may list before inserts are felt to take longer: twice as long, where they come in batches.
const manyValues = 500

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
	if ns, ok := l.world.NamespaceOf(p.Collection); ok && p.Reject != nil {
		values := 0
		for _, r := range ns.Ranges {
			values += len(r.Values)
		}
		if values > manyValues {
			l.note("validator-large", p.Collection, "leave the check to plan and verify (unknown: report), or to the application",
				"its validator lists %d values, and the servers compare each document that is written with one after the other: inserts take several times as long (docs/results/zones.md)", values)
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

// openRanges tells of ranges that have one end alone: they go on through all types of values, and a missing field is one of the lowest.
func (l *linter) openRanges(ns topology.Namespace) {
	for _, r := range ns.Ranges {
		switch {
		case len(r.Values) > 0 || r.From != nil && r.To != nil:
		case r.From != nil:
			l.note("open-range", ns.Name, "give it an end (to) to leave other types out",
				"the range from %s of zone %s has no end: it takes the values of all types that come behind %ss as well", r.From, r.Zone, r.From.Kind())
		case r.To != nil:
			l.note("open-range", ns.Name, "give it a beginning (from) to leave other types out",
				"the range up to %s of zone %s has no beginning: it takes the values of all types that come before %ss as well, and documents without the field", r.To, r.Zone, r.To.Kind())
		}
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
	if c.Unread != "" {
		l.warn("collection-unread", c.Name, "look at the servers of its shards, and plan again", "its shards did not tell its validator, indexes or sizes, which are taken as they are: %s", c.Unread)
	}
	_, planned := l.layout.Placement(c.Name)
	switch {
	case ns.IsPattern() && !c.Sharded && planned:
		l.obstacles(ns, c)
	case ns.IsPattern() && (!c.Sharded || topology.CollectionProblem(c.Name) != ""):
		l.leftOut(ns, c)
	case ns.IsPattern() && !follows(c, ns, Options{}): // see otherKeys
	case c.View:
		l.fail("namespace-type", c.Name, "declare the collection that it reads from", "the namespace is a view, which has no documents of its own to place")
	case c.TimeSeries:
		l.fail("namespace-type", c.Name, "take it out of geoshard.yaml", "the namespace is a time-series collection, whose shard key is of its metadata and time and cannot follow a zone field here")
	case c.Sharded && c.Key[0].Hashed && leads(ns, c.Key):
		err := hashedKey(c.Name, c.Key)
		l.fail("hashed-key", c.Name, hint.Of(err), "%v; it gets no ranges", err)
	case c.Sharded:
		l.sharded(c)
	case c.Exists && c.Unread == "":
		l.unsharded(ns, c)
	}
}

// leftOut tells of a collection that a pattern covers and is not about.
func (l *linter) leftOut(ns topology.Namespace, c zones.Collection) {
	if wrong := topology.CollectionProblem(c.Name); wrong != "" {
		l.note("pattern-left-out", c.Name, "rename it", "geoshard.yaml cannot name it: %s: it gets no ranges from %s", wrong, ns.Name)
		return
	}
	what, hint := "is not sharded", "plan with --shard-collections"
	switch stand := obstacles(c, ns.Key); {
	case !c.Exists:
		what = "does not exist, and has " + count(len(c.Ranges), "range", "ranges")
	case c.View:
		what, hint = "is a view", ""
	case c.TimeSeries:
		what, hint = "is a time series", ""
	case c.Unread != "":
		hint = ""
	case !shardable(c):
		hint = "declare it by its own name to see what has to be done by hand"
	case len(stand) > 0:
		what, hint = "is not sharded, and cannot be, because "+stand[0].reason, stand[0].hint
	}
	l.note("pattern-left-out", c.Name, hint, "it %s: it gets no ranges from %s, which is about collections with the key %s", what, ns.Name, ns.Key)
}

func (l *linter) sharded(c zones.Collection) {
	if len(c.Key) != 1 || c.Key[0].Name != "_id" {
		l.note("id-unique-per-shard", c.Name, "let the driver choose _id, or use UUIDs",
			"_id is unique on each shard alone: two shards may hold documents of one _id, because the shard key is %s", c.Key)
	}
	for _, index := range c.Indexes {
		if index.Unique && index.Name != "_id_" && !index.LeadsWith(c.Key) {
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
	stand, hint := obstacles(c, ns.Key), "see what has to be done by hand"
	switch {
	case shardable(c) && len(stand) > 0:
		hint = "remove what keeps it from being sharded, then plan with --shard-collections"
	case shardable(c):
		hint = "plan with --shard-collections"
	}
	l.warn("unsharded", c.Name, hint, "the collection is not sharded: all of it is on %s", c.Primary)
	l.obstacles(ns, c)
}

// obstacles tells what keeps a collection from being sharded.
func (l *linter) obstacles(ns topology.Namespace, c zones.Collection) {
	for _, o := range obstacles(c, ns.Key) {
		l.fail(o.rule, c.Name, o.hint, "%s, so the server refuses to shard the collection", o.reason)
	}
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
