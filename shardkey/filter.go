package shardkey

import (
	"math"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// constraints is what a filter says for certain about the fields it names: every matching document satisfies all of them.
type constraints struct {
	simple bool // strings, objects and arrays compare byte by byte
	list   []constraint
}

// constraint says that the value at path is one of values (the only one, if equality is set), or lies between low and high.
type constraint struct {
	path     string
	values   []bson.RawValue // sorted; nil: see bounds
	bounds   interval
	equality bool
}

// interval is a range of values, both ends included.
type interval struct {
	low, high bson.RawValue
}

var (
	undefined = bson.RawValue{Type: bson.TypeUndefined}
	unbounded = interval{MinKey, MaxKey}
)

func constraintsOf(filter bson.Raw, simple bool) constraints {
	c := constraints{simple: simple}
	c.addFilter(filter)
	return c
}

func (c *constraints) addFilter(filter []byte) {
	for name, value := range Elements(filter) {
		switch {
		case string(name) == "$and":
			for _, part := range Elements(value.Value) {
				if part.Type == bson.TypeEmbeddedDocument {
					c.addFilter(part.Value)
				}
			}
		case len(name) > 0 && name[0] == '$':
			// $or, $nor, $expr, $text, $where, $comment: they say nothing for certain.
		case isOperators(value):
			c.addOperators(string(name), value.Value)
		case value.Type != bson.TypeRegex:
			c.addEquality(string(name), value)
		}
	}
}

// isOperators tells {$gt: 1} from a literal object. A DBRef starts with a dollar sign too, but is a literal.
func isOperators(v bson.RawValue) bool {
	if v.Type != bson.TypeEmbeddedDocument {
		return false
	}
	first := fieldsOf(v.Value)
	name, _, _ := first.next()
	return len(name) > 0 && name[0] == '$' && !slices.Contains([]string{"$ref", "$id", "$db"}, string(name))
}

func (c *constraints) addOperators(path string, operators []byte) {
	for operator, operand := range Elements(operators) {
		switch string(operator) {
		case "$eq":
			c.addEquality(path, operand)
		case "$in":
			c.addOneOf(path, operand)
		case "$gt", "$gte":
			c.addBounds(path, operand, true)
		case "$lt", "$lte":
			c.addBounds(path, operand, false)
		}
	}
}

func (c *constraints) addEquality(path string, v bson.RawValue) {
	if c.usable(v) {
		c.list = append(c.list, constraint{path: path, values: []bson.RawValue{v}, equality: true})
	}
}

// addOneOf takes {$in: [...]}; of one value it is an equality, since the server rewrites it to one.
func (c *constraints) addOneOf(path string, list bson.RawValue) {
	if list.Type != bson.TypeArray {
		return
	}
	values := []bson.RawValue{} // not nil: nothing is in an empty list
	for _, v := range Elements(list.Value) {
		if v.Type == bson.TypeRegex || !c.usable(v) {
			return
		}
		values = append(values, v)
	}
	slices.SortFunc(values, Compare)
	values = slices.CompactFunc(values, func(a, b bson.RawValue) bool { return Compare(a, b) == 0 })
	c.list = append(c.list, constraint{path: path, values: values, equality: len(values) == 1})
}

// addBounds narrows the range of values that the server's comparison operators consider, which is that of the operand's own type.
func (c *constraints) addBounds(path string, operand bson.RawValue, lower bool) {
	bounds, ok := rangeOfType(operand)
	if !ok || !c.usable(operand) {
		return
	}
	if lower {
		bounds.low = operand
	} else {
		bounds.high = operand
	}
	c.list = append(c.list, constraint{path: path, bounds: bounds})
}

// usable reports whether the order of keys says where documents matching v are: a collation equates strings that lie far apart.
func (c *constraints) usable(v bson.RawValue) bool {
	switch v.Type {
	case bson.TypeString, bson.TypeSymbol, bson.TypeEmbeddedDocument, bson.TypeArray:
		return c.simple
	default:
		return true
	}
}

// rangeOfType spans the values with which {$gt: operand} and {$lt: operand} compare. ok is false for types whose comparison
// follows rules of its own (null also matches missing fields, NaN only NaN, MinKey everything).
func rangeOfType(operand bson.RawValue) (whole interval, ok bool) {
	switch operand.Type {
	case bson.TypeInt32, bson.TypeInt64, bson.TypeDouble, bson.TypeDecimal128:
		return interval{nan, emptyString}, compareNumbers(operand, nan) != 0
	case bson.TypeString, bson.TypeSymbol:
		return interval{emptyString, emptyObject}, true
	case bson.TypeObjectID, bson.TypeBoolean, bson.TypeDateTime, bson.TypeTimestamp, bson.TypeBinary:
		return unbounded, true
	default:
		return whole, false
	}
}

var (
	nan         = doubleValue(math.NaN())
	emptyString = stringValue("")
	emptyObject = rawValue(bson.TypeEmbeddedDocument, []byte{5, 0, 0, 0, 0})
)

// equality is the value that the filter fixes for the key field name. As in mongos, two equalities on one path fix nothing, even if they agree.
func (c constraints) equality(name string) (value bson.RawValue, found bool) {
	for _, k := range c.list {
		if !k.equality || !reaches(k.path, name) {
			continue
		}
		if found {
			return value, false
		}
		if value, found = k.valueFor(name); !found {
			return value, false
		}
	}
	return value, found
}

// reaches reports whether path is name or one of its parents.
func reaches(path, name string) bool {
	return path == name || strings.HasPrefix(name, path) && name[len(path)] == '.'
}

// valueFor is an equality's value for the key field name, which may lie inside the object that the equality names.
func (k constraint) valueFor(name string) (value bson.RawValue, ok bool) {
	switch {
	case !k.equality:
		return value, false
	case k.path == name:
		return k.values[0], true
	case k.values[0].Type != bson.TypeEmbeddedDocument:
		return value, false
	}
	return valueAt(k.values[0].Value, strings.Split(name[len(k.path)+1:], "."))
}

// intervals lists the ranges of the key field's values, in order; none if nothing can match.
func (c constraints) intervals(f keyField) []interval {
	list := []interval{unbounded}
	for _, k := range c.list {
		switch {
		case !reaches(k.path, f.name):
		case k.path != f.name:
			if v, ok := k.valueFor(f.name); ok {
				list = intersect(list, f.points([]bson.RawValue{v}))
			}
		case k.values != nil:
			list = intersect(list, f.points(k.values))
		case !f.hashed:
			list = intersect(list, []interval{k.bounds})
		}
	}
	return list
}

// points are the places in the key order where a field's value equals one of values.
func (f keyField) points(values []bson.RawValue) []interval {
	list := make([]interval, 0, len(values))
	for _, v := range values {
		switch {
		case v.Type == bson.TypeArray:
			return []interval{unbounded} // an element of it may match, or nothing: not worth a rule
		case f.hashed:
			h := integerValue(Hash(v))
			list = append(list, interval{h, h})
		case v.Type == bson.TypeNull:
			list = append(list, interval{undefined, v}) // null matches undefined as well
		default:
			list = append(list, interval{v, v})
		}
	}
	slices.SortFunc(list, func(a, b interval) int { return Compare(a.low, b.low) })
	return list
}

// intersect keeps what lies in both of two sorted lists.
func intersect(a, b []interval) []interval {
	var both []interval
	for _, x := range a {
		for _, y := range b {
			low, high := x.low, x.high
			if Compare(y.low, low) > 0 {
				low = y.low
			}
			if Compare(y.high, high) < 0 {
				high = y.high
			}
			if Compare(low, high) <= 0 {
				both = append(both, interval{low, high})
			}
		}
	}
	return both
}
