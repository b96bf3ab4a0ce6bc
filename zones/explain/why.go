package explain

import (
	"fmt"
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
	c.read(filter)
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

// compares notes that a field is compared with a value, in a way that says so much of it by the bytes.
func (c conditions) compares(field string, v bson.RawValue, says map[string]bool) {
	if !c.byBytes && (v.Type == bson.TypeString || v.Type == bson.TypeEmbeddedDocument || v.Type == bson.TypeArray) {
		says = c.collated
	}
	says[field] = true
}

// read takes the fields of a filter and of its $and; other operators at the top say nothing for certain.
func (c conditions) read(filter bson.Raw) {
	elements, err := filter.Elements()
	if err != nil {
		return
	}
	for _, e := range elements {
		switch name, v := e.Key(), e.Value(); {
		case name == "$and":
			c.readAll(v)
		case strings.HasPrefix(name, "$"):
		case operators(v) != nil:
			c.readOperators(name, operators(v))
		case v.Type == bson.TypeRegex:
			c.bounded[name] = true
		default:
			c.compares(name, v, c.fixed)
		}
	}
}

func (c conditions) readAll(list bson.RawValue) {
	array, ok := list.ArrayOK()
	if !ok {
		return
	}
	values, err := array.Values()
	if err != nil {
		return
	}
	for _, v := range values {
		if part, ok := v.DocumentOK(); ok {
			c.read(part)
		}
	}
}

// operators returns {$gt: 1} as elements, and nil for a value to be equal to.
func operators(v bson.RawValue) []bson.RawElement {
	doc, ok := v.DocumentOK()
	if !ok {
		return nil
	}
	elements, err := doc.Elements()
	if err != nil || len(elements) == 0 || !strings.HasPrefix(elements[0].Key(), "$") {
		return nil
	}
	return elements
}

func (c conditions) readOperators(field string, list []bson.RawElement) {
	for _, e := range list {
		switch e.Key() {
		case "$eq":
			c.compares(field, e.Value(), c.fixed)
		case "$in":
			c.readOneOf(field, e.Value())
		case "$exists":
			// A missing field is null in the key. A router follows this as it follows null.
			if exists, ok := e.Value().BooleanOK(); ok && !exists {
				c.fixed[field] = true
			}
		case "$gt", "$gte", "$lt", "$lte":
			c.compares(field, e.Value(), c.bounded)
		}
	}
}

// readOneOf takes $in, which fixes a field when it lists one value.
func (c conditions) readOneOf(field string, list bson.RawValue) {
	array, ok := list.ArrayOK()
	if !ok {
		return
	}
	values, err := array.Values()
	if err == nil && len(values) == 1 {
		c.compares(field, values[0], c.fixed)
		return
	}
	for _, v := range values {
		c.compares(field, v, c.bounded)
	}
}
