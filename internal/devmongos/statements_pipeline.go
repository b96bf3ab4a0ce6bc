package devmongos

import (
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
		var merge stageList
		merge.add("$group", documentValue(build(func(dst []byte) []byte {
			dst = bsoncore.AppendNullElement(dst, "_id")
			return bsoncore.AppendValueElement(dst, name, accumulator("$sum", name))
		})))
		merge.add("$project", documentValue(build(func(dst []byte) []byte { return bsoncore.AppendInt32Element(dst, "_id", 0) })))
		plan.merge = append(merge.stages, rest...)
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
	mergeable := true
	spec := build(func(dst []byte) []byte {
		for e := range elements(group) {
			name := string(e.name)
			if name == "_id" {
				dst = bsoncore.AppendStringElement(dst, "_id", "$_id")
				continue
			}
			switch operator := stageName(e.value); operator {
			case "$sum", "$min", "$max":
				dst = bsoncore.AppendValueElement(dst, name, accumulator(operator, name))
			case "$count":
				dst = bsoncore.AppendValueElement(dst, name, accumulator("$sum", name))
			default:
				mergeable = false
			}
		}
		return dst
	})
	var stage stageList
	stage.add("$group", documentValue(spec))
	return stage.stages[0], mergeable
}

// accumulator is {operator: "$field"}.
func accumulator(operator, name string) bsoncore.Value {
	return documentValue(build(func(dst []byte) []byte { return bsoncore.AppendStringElement(dst, operator, "$"+name) }))
}
