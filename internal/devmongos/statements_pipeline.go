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
	for n < len(pipeline) && perDocument[nameOf(pipeline[n].Data)] {
		n++
	}
	plan := splitPlan{shards: pipeline[:n:n], merge: pipeline[n:]}
	if n == len(pipeline) {
		return plan
	}
	rest := pipeline[n+1:]
	name := nameOf(pipeline[n].Data)
	operand := field(pipeline[n].Data, name)
	switch name {
	case "$group":
		if merge, ok := mergeOfGroup(bsoncore.Document(operand.Data)); ok {
			plan.shards = append(plan.shards, pipeline[n])
			plan.merge = append([]bsoncore.Value{merge}, rest...)
		}
	case "$count":
		count, _ := operand.StringValueOK()
		plan.shards = append(plan.shards, pipeline[n])
		sum := stageOf("$group", fields("_id", nil, accumulated(count, "$sum")))
		plan.merge = append([]bsoncore.Value{sum, stageOf("$project", fields("_id", 0))}, rest...)
	case "$limit":
		plan.shards = append(plan.shards, pipeline[n])
	case "$sort":
		if len(rest) > 0 && nameOf(rest[0].Data) == "$limit" {
			plan.shards = append(plan.shards, pipeline[n], rest[0])
		}
	}
	return plan
}

// perDocument are the stages that look at one document at a time.
var perDocument = setOf("$match", "$project", "$addFields", "$set", "$unset", "$unwind", "$replaceRoot", "$replaceWith", "$redact")

// mergeOfGroup makes the $group that puts the shards' groups together; false if an accumulator's results cannot be.
func mergeOfGroup(group bsoncore.Document) (bsoncore.Value, bool) {
	spec := fields("_id", "$_id")
	for e := range elements(group) {
		name := string(e.name)
		if name == "_id" {
			continue
		}
		switch operator := nameOf(e.value.Data); operator {
		case "$sum", "$min", "$max":
			spec = append(spec, accumulated(name, operator))
		case "$count":
			spec = append(spec, accumulated(name, "$sum"))
		default:
			return bsoncore.Value{}, false
		}
	}
	return stageOf("$group", spec), true
}

// accumulated is {name: {operator: "$name"}}.
func accumulated(name, operator string) bson.E {
	return bson.E{Key: name, Value: fields(operator, "$"+name)}
}
