package devmongos

import (
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// A splitPlan is a pipeline in two parts: what each shard does with its own documents, and what is then done with all that came out.
type splitPlan struct{ shards, merge []bsoncore.Value }

// splitPipeline gives the shards the leading stages that look at one document at a time. Of the first other stage they do as much as
// makes less of their documents: sums, minima and maxima of groups, sorted beginnings.
func splitPipeline(pipeline []bsoncore.Value) splitPlan {
	n := 0
	for n < len(pipeline) && isPerDocument(stageName(pipeline[n])) {
		n++
	}
	plan := splitPlan{shards: pipeline[:n:n], merge: pipeline[n:]}
	if n == len(pipeline) {
		return plan
	}
	rest := pipeline[n+1:]
	operand := field(pipeline[n].Data, stageName(pipeline[n]))
	switch stageName(pipeline[n]) {
	case "$group":
		if merge, ok := mergeOfGroup(bsoncore.Document(operand.Data)); ok {
			plan.shards = append(plan.shards, pipeline[n])
			plan.merge = append([]bsoncore.Value{merge}, rest...)
		}
	case "$count":
		name, _ := operand.StringValueOK()
		plan.shards = append(plan.shards, pipeline[n])
		plan.merge = append([]bsoncore.Value{
			mustDocument(bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: nil}, accumulated(name, "$sum")}}}),
			mustDocument(bson.D{{Key: "$project", Value: bson.D{{Key: "_id", Value: 0}}}}),
		}, rest...)
	case "$limit":
		plan.shards = append(plan.shards, pipeline[n])
	case "$sort":
		if len(rest) > 0 && stageName(rest[0]) == "$limit" {
			plan.shards = append(plan.shards, pipeline[n], rest[0])
		}
	}
	return plan
}

func stageName(stage bsoncore.Value) string {
	for e := range elements(stage.Data) {
		return string(e.name)
	}
	return ""
}

func isPerDocument(stage string) bool {
	switch stage {
	case "$match", "$project", "$addFields", "$set", "$unset", "$unwind", "$replaceRoot", "$replaceWith", "$redact":
		return true
	}
	return false
}

// mergeOfGroup makes the $group that puts the shards' groups together; false if an accumulator's results cannot be.
func mergeOfGroup(group bsoncore.Document) (bsoncore.Value, bool) {
	spec := bson.D{{Key: "_id", Value: "$_id"}}
	for e := range elements(group) {
		name := string(e.name)
		if name == "_id" {
			continue
		}
		switch operator := stageName(e.value); operator {
		case "$sum", "$min", "$max":
			spec = append(spec, accumulated(name, operator))
		case "$count":
			spec = append(spec, accumulated(name, "$sum"))
		default:
			return bsoncore.Value{}, false
		}
	}
	return mustDocument(bson.D{{Key: "$group", Value: spec}}), true
}

// accumulated is {name: {operator: "$name"}}.
func accumulated(name, operator string) bson.E {
	return bson.E{Key: name, Value: bson.D{{Key: operator, Value: "$" + name}}}
}
