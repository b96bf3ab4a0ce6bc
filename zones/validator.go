package zones

import (
	"slices"
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
	var values, ranges bson.A
	for _, r := range declared {
		if len(r.Values) > 0 {
			values = append(values, shardkey.ValueOf(r.Values[0]))
		} else {
			ranges = append(ranges, between(field, r))
		}
	}
	schema := one("$jsonSchema", append(one("title", markOfOurs+field), oneOf(strings.Split(field, "."), values)...))
	if len(ranges) > 0 {
		schema = one("$or", append(bson.A{schema}, ranges...))
	}
	return document(schema)
}

// oneOf is the part of a schema that a document fulfils if it has one of the values at a path.
func oneOf(path []string, values bson.A) bson.D {
	switch {
	case len(values) == 0:
		return one("not", bson.D{}) // nothing does
	case len(path) == 0:
		return one("enum", values)
	}
	return bson.D{
		{Key: "required", Value: bson.A{path[0]}},
		{Key: "properties", Value: one(path[0], oneOf(path[1:], values))},
	}
}

func between(field string, r topology.Range) bson.D {
	from, to := shardkey.Ends(r)
	value := one("$ifNull", bson.A{"$" + field, nil})
	var both bson.A
	if from.Type != bson.TypeMinKey {
		both = append(both, one("$gte", bson.A{value, one("$literal", from)}))
	}
	if to.Type != bson.TypeMaxKey {
		both = append(both, one("$lt", bson.A{value, one("$literal", to)}))
	}
	return one("$expr", one("$and", both))
}

func one(key string, value any) bson.D { return bson.D{{Key: key, Value: value}} }

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
	parts := operands("$and", validator)
	i := slices.IndexFunc(parts, isOurs)
	if i < 0 {
		return nil, validator
	}
	ours = parts[i]
	switch rest := slices.Delete(parts, i, i+1); len(rest) {
	case 0:
		return ours, nil
	case 1:
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

func allOf(parts ...bson.Raw) bson.Raw { return document(one("$and", parts)) }

// operands returns the conditions of an {operator: [...]} that has nothing beside it; none for any other condition.
func operands(operator string, condition bson.Raw) (parts []bson.Raw) {
	elements, err := condition.Elements()
	if err != nil || len(elements) != 1 || elements[0].Key() != operator || elements[0].Value().Unmarshal(&parts) != nil {
		return nil
	}
	return parts
}

// isOurs says whether a condition is one of Rejection, perhaps of an older version: a schema with our mark, or an $or that begins with one.
func isOurs(condition bson.Raw) bool {
	if elements, err := condition.Elements(); err != nil || len(elements) != 1 {
		return false
	}
	if parts := operands("$or", condition); len(parts) > 0 {
		condition = parts[0]
	}
	title, ok := condition.Lookup("$jsonSchema", "title").StringValueOK()
	return ok && strings.HasPrefix(title, markOfOurs)
}
