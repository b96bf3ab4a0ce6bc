package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// maxIndexes is how many indexes a collection may have (manual: reference/limits).
const maxIndexes = 64

// An obstacle is a reason for which the server refuses to shard a collection.
type obstacle struct{ rule, reason, hint string }

// obstacles lists what keeps a collection that is there from being sharded by a key, as far as its options and indexes tell. The server knows more, for example
// that an index had an array in it once: that is told when it refuses.
func obstacles(c zones.Collection, key topology.Key) (all []obstacle) {
	add := func(rule, hint, reason string, args ...any) {
		all = append(all, obstacle{rule, fmt.Sprintf(reason, args...), hint})
	}
	if c.Capped {
		add("capped", "copy its documents into a collection that is not capped, and use that; a TTL index bounds it by age", "it is a capped collection")
	}
	for _, index := range c.Indexes {
		if index.Unique && index.Name != "_id_" && !index.LeadsWith(key) {
			add("unique-index-per-shard", "begin the index with the shard key, or drop it first", "the unique index %s does not begin with the shard key %s", index.Name, key)
		}
	}
	if slices.ContainsFunc(c.Indexes, func(i zones.Index) bool { return i.Serves(key) }) {
		return all
	}
	// The server takes a hidden or partial index for the key's, finds that it does not serve, and makes no other.
	unfit := func(i zones.Index) bool {
		return i.LeadsWith(key) && (i.Hidden || i.Partial) && !i.Sparse && i.Collation == ""
	}
	if at := slices.IndexFunc(c.Indexes, unfit); at >= 0 {
		index := c.Indexes[at]
		what, hint := "hidden", fmt.Sprintf("unhide it: %s.unhideIndex(%s)", shellCollection(c.Name), shardkey.Quote(index.Name))
		if index.Partial {
			what, hint = "partial", "make one of all documents beside it: "+CreateIndex(c.Name, key, indexName(key)+"_all")
		}
		add("unfit-index", hint, "its only index that begins with the shard key %s is %s, which is %s and does not serve", key, index.Name, what)
		return all
	}
	// It makes the index then, and gives it the name that it always does.
	name := indexName(key)
	if slices.ContainsFunc(c.Indexes, func(i zones.Index) bool { return i.Name == name }) {
		add("index-name-taken", "make the key's index yourself, under another name: "+CreateIndex(c.Name, key, name+"_all"), "an index that does not serve the shard key %s has the name %s, which the key's would get", key, name)
	}
	if len(c.Indexes) >= maxIndexes {
		add("too-many-indexes", "drop one that is not used", "it has %d indexes, as many as it may have, and none serves the shard key %s", len(c.Indexes), key)
	}
	return all
}

// indexName is the name that the server gives to the index of a key.
func indexName(key topology.Key) string {
	parts := make([]string, len(key))
	for i, f := range key {
		parts[i] = f.Name + "_1"
		if f.Hashed {
			parts[i] = f.Name + "_hashed"
		}
	}
	return strings.Join(parts, "_")
}

// CreateIndex is the command for mongosh that makes the index of a shard key, which compares bytes whatever the collection's own collation is; name may be empty.
func CreateIndex(collection string, key topology.Key, name string) string {
	options := `{collation: {locale: "simple"}`
	if name != "" {
		options += ", name: " + shardkey.Quote(name)
	}
	return fmt.Sprintf("%s.createIndex(%s, %s})", shellCollection(collection), shellPattern(key), options)
}
