package shardkey

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Format writes a shard key or a bound on one line, as a person would in mongosh: {dc: "NYC", id: MinKey}.
func Format(key bson.Raw) string {
	elements, err := key.Elements()
	if err != nil {
		return fmt.Sprintf("broken key (%v)", err)
	}
	return written(elements, func(e bson.RawElement) string { return e.Key() + ": " + FormatValue(e.Value()) })
}

// written are elements on one line.
func written(elements []bson.RawElement, one func(bson.RawElement) string) string {
	parts := make([]string, len(elements))
	for i, e := range elements {
		parts[i] = one(e)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// FormatValue writes a value as Format does.
func FormatValue(v bson.RawValue) string {
	switch v.Type {
	case bson.TypeMinKey:
		return "MinKey"
	case bson.TypeMaxKey:
		return "MaxKey"
	case bson.TypeString:
		return Quote(v.StringValue())
	case bson.TypeInt32, bson.TypeInt64:
		return strconv.FormatInt(v.AsInt64(), 10)
	case bson.TypeDouble:
		text := strconv.FormatFloat(v.Double(), 'g', -1, 64)
		if strings.ContainsAny(text, ".eIN") {
			return text
		}
		return text + ".0" // a mark of a double, so that it is not taken for an integer
	case bson.TypeDateTime:
		return v.Time().UTC().Format("2006-01-02T15:04:05.000Z07:00")
	case bson.TypeObjectID:
		return fmt.Sprintf("ObjectId(%q)", v.ObjectID().Hex())
	case bson.TypeBinary:
		subtype, data := v.Binary()
		if subtype == bson.TypeBinaryUUID && len(data) == 16 {
			return fmt.Sprintf(`UUID("%x-%x-%x-%x-%x")`, data[:4], data[4:6], data[6:8], data[8:10], data[10:])
		}
		return fmt.Sprintf(`Binary(%d, "%x")`, subtype, data)
	default:
		return v.String()
	}
}

// Quote writes a string in double quotes. It escapes what a terminal would not show, in the way of JSON and mongosh.
func Quote(s string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		return strconv.Quote(s)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// FormatShell writes a shard key or a bound as an expression of mongosh, in which every value keeps its type.
func FormatShell(key bson.Raw) string {
	elements, _ := key.Elements() // a broken key has none
	return written(elements, func(e bson.RawElement) string { return Quote(e.Key()) + ": " + shellValue(e.Value()) })
}

func shellValue(v bson.RawValue) string {
	switch v.Type {
	case bson.TypeMinKey, bson.TypeMaxKey:
		return FormatValue(v) + "()"
	case bson.TypeString:
		return Quote(v.StringValue())
	case bson.TypeInt32, bson.TypeInt64:
		return fmt.Sprintf(`NumberLong("%d")`, v.AsInt64())
	case bson.TypeDouble:
		text := strconv.FormatFloat(v.Double(), 'g', -1, 64)
		return fmt.Sprintf("Double(%s)", strings.Replace(strings.TrimPrefix(text, "+"), "Inf", "Infinity", 1))
	case bson.TypeDateTime:
		return fmt.Sprintf("new Date(%d)", v.DateTime())
	default:
		return fmt.Sprintf("EJSON.parse(%s)", Quote(v.String()))
	}
}
