package homeguard

import (
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
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
	var b strings.Builder
	b.WriteString(commandNames[s.command])
	b.WriteByte(' ')
	b.WriteString(s.namespace)
	if !s.insertion() {
		b.WriteByte(' ')
		b.WriteString(filterShape(s.filter, 0))
	}
	return bounded(b.String())
}

// bounded cuts a text to the length of shapes, and mends it if it is not UTF-8.
func bounded(text string) string {
	if len(text) > maxShapeLength {
		text = text[:maxShapeLength] + "…"
	}
	return strings.ToValidUTF8(text, "?")
}

func filterShape(filter bson.Raw, depth int) string {
	var fields []string
	addFields(&fields, filter, depth)
	slices.Sort(fields)
	return "{" + strings.Join(slices.Compact(fields), ", ") + "}"
}

// addFields lists the fields of a filter, with those of its $and.
func addFields(fields *[]string, filter bson.Raw, depth int) {
	eachField(filter, func(name []byte, v bson.RawValue) {
		switch {
		case len(*fields) >= maxShapeFields:
		case depth >= maxShapeDepth:
			*fields = append(*fields, "…")
		case string(name) == "$and":
			eachDocument(v.Value, func(part bson.Raw) { addFields(fields, part, depth+1) })
		case v.Type == bson.TypeArray && (string(name) == "$or" || string(name) == "$nor"):
			*fields = append(*fields, string(name)+": "+alternatives(v.Value, depth+1))
		case len(name) > 0 && name[0] == '$':
			*fields = append(*fields, string(name))
		default:
			*fields = append(*fields, string(name)+operatorsOf(v))
		}
	})
}

// alternatives are the shapes of the filters of an $or, each once: a list of thousand is one shape.
func alternatives(list bson.Raw, depth int) string {
	var shapes []string
	eachDocument(list, func(part bson.Raw) {
		if shape := filterShape(part, depth); len(shapes) < maxShapeFields && !slices.Contains(shapes, shape) {
			shapes = append(shapes, shape)
		}
	})
	slices.Sort(shapes)
	return "[" + strings.Join(shapes, ", ") + "]"
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
	eachField(v.Value, func(name []byte, _ bson.RawValue) {
		if len(name) > 0 && name[0] == '$' && len(operators) < maxShapeFields {
			operators = append(operators, string(name))
		}
	})
	if len(operators) == 0 {
		return ""
	}
	slices.Sort(operators)
	return ": " + strings.Join(slices.Compact(operators), " ")
}
