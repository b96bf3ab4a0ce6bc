package homeguard

import (
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/shardkey"
)

// Bounds of a shape: filters come from programs, and some programs let users write them.
const (
	maxShapeLength = 300
	maxShapeFields = 40
	maxShapeDepth  = 3
)

// shapeOf is what many operations have in common: command, namespace, and the filter's fields in order with their operators, without values.
//
//	find shop.carts {cartId, dataCenter: $in, total: $gte $lt}
func shapeOf(s statement) string {
	shape := commandNames[s.command] + " " + s.namespace
	if s.command != insertCommand {
		shape += " " + filterShape(s.filter, 0)
	}
	if len(shape) > maxShapeLength {
		shape = shape[:maxShapeLength] + "…"
	}
	return strings.ToValidUTF8(shape, "?")
}

func filterShape(filter bson.Raw, depth int) string {
	return "{" + strings.Join(distinct(addFields(nil, filter, depth)), ", ") + "}"
}

// addFields lists the fields of a filter, with those of its $and.
func addFields(fields []string, filter bson.Raw, depth int) []string {
	for name, v := range shardkey.Elements(filter) {
		switch {
		case len(fields) >= maxShapeFields:
			return fields
		case depth >= maxShapeDepth:
			fields = append(fields, "…")
		case string(name) == "$and":
			for part := range array(v.Value).documents {
				fields = addFields(fields, part, depth+1)
			}
		case v.Type == bson.TypeArray && (string(name) == "$or" || string(name) == "$nor"):
			fields = append(fields, string(name)+": "+alternatives(array(v.Value), depth+1))
		case len(name) > 0 && name[0] == '$':
			fields = append(fields, string(name))
		default:
			fields = append(fields, string(name)+operatorsOf(v))
		}
	}
	return fields
}

// alternatives are the shapes of the filters of an $or, each once: a list of thousand is one shape.
func alternatives(list array, depth int) string {
	var shapes []string
	for part := range list.documents {
		if shape := filterShape(part, depth); len(shapes) < maxShapeFields && !slices.Contains(shapes, shape) {
			shapes = append(shapes, shape)
		}
	}
	return "[" + strings.Join(distinct(shapes), ", ") + "]"
}

// operatorsOf is ": $gt $lt" for {$gt: 1, $lt: 9}, and nothing for a value to be equal to.
func operatorsOf(v bson.RawValue) string {
	if v.Type == bson.TypeRegex {
		return ": $regex"
	}
	if v.Type != bson.TypeEmbeddedDocument {
		return ""
	}
	var operators []string
	for name := range shardkey.Elements(v.Value) {
		if len(name) > 0 && name[0] == '$' && len(operators) < maxShapeFields {
			operators = append(operators, string(name))
		}
	}
	if len(operators) == 0 {
		return ""
	}
	return ": " + strings.Join(distinct(operators), " ")
}
