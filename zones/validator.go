package zones

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

// markOfOurs begins the title of the $jsonSchema in geoshard's part of a validator, by which the part is found again.
const markOfOurs = "geoshard: declared values of "

// Rejection is the condition that documents with declared values fulfil: a $jsonSchema for the single values, and for the ranges an $expr each, because
// schemas have no bounds for strings and dates. $expr compares values of all types in the order of shard keys, as ranges do; a missing field counts as null, as in
// a shard key.
func Rejection(field string, declared []topology.Range) bson.Raw {
	var values bson.A
	var ranges []any
	for _, r := range declared {
		if len(r.Values) > 0 {
			values = append(values, shardkey.ValueOf(r.Values[0]))
		} else {
			ranges = append(ranges, between(field, r))
		}
	}
	schema := bson.D{{Key: "$jsonSchema", Value: append(bson.D{{Key: "title", Value: markOfOurs + field}}, oneOf(strings.Split(field, "."), values)...)}}
	if len(ranges) > 0 {
		schema = bson.D{{Key: "$or", Value: append(bson.A{schema}, ranges...)}}
	}
	return document(schema)
}

// oneOf is the part of a schema that a document fulfils if it has one of the values at a path.
func oneOf(path []string, values bson.A) bson.D {
	switch {
	case len(values) == 0:
		return bson.D{{Key: "not", Value: bson.D{}}} // nothing does
	case len(path) == 0:
		return bson.D{{Key: "enum", Value: values}}
	}
	return bson.D{
		{Key: "required", Value: bson.A{path[0]}},
		{Key: "properties", Value: bson.D{{Key: path[0], Value: oneOf(path[1:], values)}}},
	}
}

func between(field string, r topology.Range) bson.D {
	from, to := shardkey.Ends(r)
	value := bson.D{{Key: "$ifNull", Value: bson.A{"$" + field, nil}}}
	var both bson.A
	if from.Type != bson.TypeMinKey {
		both = append(both, bson.D{{Key: "$gte", Value: bson.A{value, bson.D{{Key: "$literal", Value: from}}}}})
	}
	if to.Type != bson.TypeMaxKey {
		both = append(both, bson.D{{Key: "$lt", Value: bson.A{value, bson.D{{Key: "$literal", Value: to}}}}})
	}
	return bson.D{{Key: "$expr", Value: bson.D{{Key: "$and", Value: both}}}}
}

// document encodes what this package has put together itself.
func document(d bson.D) bson.Raw {
	raw, err := bson.Marshal(d)
	if err != nil {
		panic(err) // impossible: names and values of types that BSON has
	}
	return raw
}

// SplitValidator takes a collection's validator apart: into geoshard's part, and the rest, which is somebody else's and is kept. Both are nil where there
// is none.
func SplitValidator(validator bson.Raw) (ours, others bson.Raw) {
	const empty = 5 // bytes of {}, which is what a removed validator leaves behind
	switch {
	case len(validator) <= empty:
		return nil, nil
	case isOurs(validator):
		return validator, nil
	}
	parts, ok := conjunction(validator)
	if !ok {
		return nil, validator
	}
	var rest []bson.Raw
	for _, part := range parts {
		if ours == nil && isOurs(part) {
			ours = part
		} else {
			rest = append(rest, part)
		}
	}
	switch {
	case ours == nil:
		return nil, validator
	case len(rest) == 0:
		return ours, nil
	case len(rest) == 1:
		return ours, rest[0]
	default:
		return ours, allOf(rest...)
	}
}

// JoinValidator is SplitValidator's reverse.
func JoinValidator(ours, others bson.Raw) bson.Raw {
	switch {
	case len(others) == 0:
		return ours
	case len(ours) == 0:
		return others
	default:
		return allOf(others, ours)
	}
}

func allOf(parts ...bson.Raw) bson.Raw {
	list := make(bson.A, len(parts))
	for i, part := range parts {
		list[i] = part
	}
	return document(bson.D{{Key: "$and", Value: list}})
}

// conjunction returns the documents of a {$and: [...]} that has nothing beside it.
func conjunction(validator bson.Raw) ([]bson.Raw, bool) {
	elements, err := validator.Elements()
	if err != nil || len(elements) != 1 || elements[0].Key() != "$and" {
		return nil, false
	}
	return documentsOf(elements[0].Value())
}

func documentsOf(list bson.RawValue) ([]bson.Raw, bool) {
	array, ok := list.ArrayOK()
	if !ok {
		return nil, false
	}
	values, err := array.Values()
	if err != nil {
		return nil, false
	}
	docs := make([]bson.Raw, len(values))
	for i, v := range values {
		if docs[i], ok = v.DocumentOK(); !ok {
			return nil, false
		}
	}
	return docs, true
}

// isOurs says whether a condition is one of Rejection, perhaps of an older version: a schema with our mark, or an $or that begins with one.
func isOurs(condition bson.Raw) bool {
	elements, err := condition.Elements()
	if err != nil || len(elements) != 1 {
		return false
	}
	if elements[0].Key() == "$or" {
		parts, ok := documentsOf(elements[0].Value())
		return ok && len(parts) > 0 && hasMark(parts[0])
	}
	return hasMark(condition)
}

func hasMark(condition bson.Raw) bool {
	title, ok := condition.Lookup("$jsonSchema", "title").StringValueOK()
	return ok && strings.HasPrefix(title, markOfOurs)
}
