package zones

import "go.mongodb.org/mongo-driver/v2/bson"

// FormatKey writes a shard key or a bound on one line, as a person would in mongosh: {dc: "NYC", id: MinKey}.
func FormatKey(key bson.Raw) string { return formatKey(key) }

// FormatValue writes a value as FormatKey does.
func FormatValue(v bson.RawValue) string { return formatValue(v) }
