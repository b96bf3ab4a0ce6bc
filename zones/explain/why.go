package explain

import (
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
)

// why says in one sentence what the filter says about the shard key.
func why(filter bson.Raw, s sharding, shards int) string {
	key := s.key
	if len(key) == 0 {
		return "the collection is not sharded: one shard has all of it"
	}
	c := conditions{fixed: map[string]bool{}, bounded: map[string]bool{}, collated: map[string]bool{}, byBytes: s.collation == ""}
	var fields bson.D
	_ = bson.Unmarshal(filter, &fields) // what was just written can be read
	c.read(fields)
	prefix := 0
	for prefix < len(key) && c.fixed[key[prefix].Name] {
		prefix++
	}
	switch {
	case prefix == len(key):
		return fmt.Sprintf("the filter fixes the whole shard key %s", key)
	case prefix > 0 && shards == 1:
		return fmt.Sprintf("the filter fixes %s of the shard key %s, and all such keys belong to one shard", names(key[:prefix]), key)
	case prefix > 0:
		return fmt.Sprintf("the filter fixes %s of the shard key %s and leaves %s open, and such keys belong to %d shards: add %s, or make the zone's ranges tight",
			names(key[:prefix]), key, key[prefix].Name, shards, key[prefix].Name)
	case c.collated[key[0].Name]:
		return fmt.Sprintf("the filter has a string for %s, which the collection compares as %s does, while its shard key %s goes by the bytes: every shard may have a match (a query with collation: {locale: \"simple\"} goes by the bytes too)",
			key[0].Name, s.collation, key)
	case c.bounded[key[0].Name]:
		return fmt.Sprintf("the filter only limits %s, the first field of the shard key %s, and does not fix it to one value", key[0].Name, key)
	default:
		return fmt.Sprintf("the filter says nothing for certain about %s, the first field of the shard key %s", key[0].Name, key)
	}
}

func names(key topology.Key) string {
	list := make([]string, len(key))
	for i, f := range key {
		list[i] = f.Name
	}
	return strings.Join(list, ", ")
}

// conditions are what a filter says about fields: that every match has one certain value there, or a value within limits, or one that the collection takes for
// alike though its bytes are others.
type conditions struct {
	fixed, bounded, collated map[string]bool
	// byBytes: strings are compared by their bytes.
	byBytes bool
}

// compares notes that a field is compared with values, in a way that says so much of it by the bytes.
func (c conditions) compares(field string, says map[string]bool, values ...any) {
	if !c.byBytes && slices.ContainsFunc(values, hasStrings) {
		says = c.collated
	}
	says[field] = true
}

// hasStrings reports whether a collation may matter for a value.
func hasStrings(v any) bool {
	switch v.(type) {
	case string, bson.D, bson.A:
		return true
	default:
		return false
	}
}

// read takes the fields of a filter and of its $and; other operators at the top say nothing for certain.
func (c conditions) read(filter bson.D) {
	for _, e := range filter {
		_, pattern := e.Value.(bson.Regex)
		switch {
		case e.Key == "$and":
			parts, _ := e.Value.(bson.A)
			for _, part := range parts {
				filter, _ := part.(bson.D)
				c.read(filter)
			}
		case strings.HasPrefix(e.Key, "$"):
		case operators(e.Value) != nil:
			c.readOperators(e.Key, operators(e.Value))
		case pattern:
			c.bounded[e.Key] = true
		default:
			c.compares(e.Key, c.fixed, e.Value)
		}
	}
}

// operators returns {$gt: 1} as a document, and nil for a value to be equal to.
func operators(v any) bson.D {
	doc, _ := v.(bson.D)
	if len(doc) == 0 || !strings.HasPrefix(doc[0].Key, "$") {
		return nil
	}
	return doc
}

func (c conditions) readOperators(field string, list bson.D) {
	for _, e := range list {
		switch e.Key {
		case "$eq":
			c.compares(field, c.fixed, e.Value)
		case "$in": // fixes a field when it lists one value
			if values, ok := e.Value.(bson.A); ok {
				says := c.bounded
				if len(values) == 1 {
					says = c.fixed
				}
				c.compares(field, says, values...)
			}
		case "$exists":
			// A missing field is null in the key. A router follows this as it follows null.
			if exists, ok := e.Value.(bool); ok && !exists {
				c.fixed[field] = true
			}
		case "$gt", "$gte", "$lt", "$lte":
			c.compares(field, c.bounded, e.Value)
		}
	}
}
