package zones

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// String is "+ zone NYC: shard nyc".
func (c AddShardToZone) String() string { return fmt.Sprintf("+ zone %s: shard %s", c.Zone, c.Shard) }

// String is "- zone NYC: shard nyc".
func (c RemoveShardFromZone) String() string {
	return fmt.Sprintf("- zone %s: shard %s", c.Zone, c.Shard)
}

// String is "~ shop.carts: balancing held".
func (c HoldBalancing) String() string { return "~ " + c.Collection + ": balancing held" }

// String is "~ shop.carts: balancing released".
func (c ReleaseBalancing) String() string { return "~ " + c.Collection + ": balancing released" }

// String is "- shop.carts: {dc: "NYC", id: MinKey} to {dc: "NYC\u0000", id: MinKey} in NYC".
func (c RemoveRange) String() string { return "- " + c.Collection + ": " + c.Range.String() }

// String is "+ shop.carts: {dc: "NYC", id: MinKey} to {dc: "NYC\u0000", id: MinKey} in NYC".
func (c AddRange) String() string { return "+ " + c.Collection + ": " + c.Range.String() }

// String is "+ shop.carts: sharded by {dc: 1, id: 1}".
func (c ShardCollection) String() string {
	return "+ " + c.Collection + ": sharded by " + c.Key.String()
}

// String is "~ shop.carts: validator (level strict, action error)" or "- shop.carts: validator". The validator itself can be as long as a file.
func (c SetValidator) String() string {
	if c.Validator == nil {
		return "- " + c.Collection + ": validator"
	}
	return fmt.Sprintf("~ %s: validator (level %s, action %s)", c.Collection, c.Level, c.Action)
}

// String is "{dc: "NYC", id: MinKey} to {dc: "NYC\u0000", id: MinKey} in NYC".
func (r Range) String() string {
	return fmt.Sprintf("%s to %s in %s", formatKey(r.Min), formatKey(r.Max), r.Zone)
}

// formatKey writes a shard key on one line, as a person would in mongosh.
func formatKey(key bson.Raw) string {
	elements, err := key.Elements()
	if err != nil {
		return fmt.Sprintf("broken key (%v)", err)
	}
	parts := make([]string, len(elements))
	for i, e := range elements {
		parts[i] = e.Key() + ": " + formatValue(e.Value())
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func formatValue(v bson.RawValue) string {
	switch v.Type {
	case bson.TypeMinKey:
		return "MinKey"
	case bson.TypeMaxKey:
		return "MaxKey"
	case bson.TypeString:
		return quote(v.StringValue())
	case bson.TypeInt32, bson.TypeInt64:
		return strconv.FormatInt(v.AsInt64(), 10)
	case bson.TypeDouble:
		return formatDouble(v.Double())
	case bson.TypeDateTime:
		return v.Time().UTC().Format("2006-01-02T15:04:05.000Z07:00")
	case bson.TypeObjectID:
		return fmt.Sprintf("ObjectId(%q)", v.ObjectID().Hex())
	case bson.TypeBinary:
		return formatBinary(v)
	default:
		return v.String()
	}
}

// quote escapes what a terminal would not show, in the way of JSON and mongosh.
func quote(s string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		return strconv.Quote(s)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// formatDouble keeps a mark of a double, so that it is not taken for an integer.
func formatDouble(d float64) string {
	text := strconv.FormatFloat(d, 'g', -1, 64)
	if strings.ContainsAny(text, ".eIN") {
		return text
	}
	return text + ".0"
}

func formatBinary(v bson.RawValue) string {
	subtype, data := v.Binary()
	if subtype == bson.TypeBinaryUUID && len(data) == 16 {
		return fmt.Sprintf(`UUID("%x-%x-%x-%x-%x")`, data[:4], data[4:6], data[6:8], data[8:10], data[10:])
	}
	return fmt.Sprintf(`Binary(%d, "%x")`, subtype, data)
}
