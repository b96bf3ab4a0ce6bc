package devmongos

import (
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

// A reach says how far a write statement has to be sent.
type reach int

const (
	_ reach = iota // unknown
	// reachOne: one shard has everything the statement can concern.
	reachOne
	// reachByID: one document, known by its _id only; every shard is asked and at most one has it.
	reachByID
	// reachMany: a multi-write over several shards.
	reachMany
)

// A destination is where one write statement goes.
type destination struct {
	reach reach
	// shard is set for reachOne.
	shard topology.ShardID
	// alone tells that the statement may take its document to another shard, and must not share a message with others.
	alone bool
}

// idPattern extracts an exact _id from a filter.
var idPattern = func() shardkey.Pattern {
	p, err := shardkey.ParsePattern(bson.Raw(document("_id", 1)))
	if err != nil {
		panic(err)
	}
	return p
}()

// destinationOf decides where a statement of an insert, update or delete command goes. Shards do not check that a write is
// theirs, so this is the only guard. The error is the statement's own, for writeErrors.
func destinationOf(kind string, statement bsoncore.Document, rt *route) (destination, error) {
	if rt.table == nil {
		return destination{reach: reachOne, shard: rt.db.primary}, nil
	}
	switch kind {
	case "insert":
		return destinationOfKey(rt.table, statement)
	case "update":
		return destinationOfUpdate(rt.table, statement)
	default:
		return destinationOfDelete(rt.table, statement)
	}
}

func destinationOfKey(table *shardkey.Table, doc bsoncore.Document) (destination, error) {
	key, err := table.Pattern().KeyOf(bson.Raw(doc))
	if err != nil {
		return destination{}, refuse(codeShardKeyNotFound, "%v", err)
	}
	return destinationAt(table, key)
}

func destinationAt(table *shardkey.Table, key bson.Raw) (destination, error) {
	shard := table.ShardFor(key)
	if shard == "" {
		return destination{}, refuse(codeShardKeyNotFound, "no chunk of %s contains the shard key %s", table.Namespace(), key)
	}
	return destination{reach: reachOne, shard: shard}, nil
}

func destinationOfUpdate(table *shardkey.Table, statement bsoncore.Document) (destination, error) {
	filter := bson.Raw(documentField(statement, "q"))
	collation := bson.Raw(documentField(statement, "collation"))
	target := table.Target(filter, collation)
	multi := boolField(statement, "multi")
	if boolField(statement, "upsert") && target.Key == nil {
		return destination{}, refuse(codeShardKeyNotFound, "Failed to target upsert by query :: could not extract exact shard key")
	}
	if len(target.Shards) == 1 {
		owner := target.Shards[0]
		return destination{reach: reachOne, shard: owner, alone: !multi && mayMove(table, owner, field(statement, "u"))}, nil
	}
	if multi {
		return destination{reach: reachMany}, nil
	}
	if u, ok := field(statement, "u").DocumentOK(); ok && !isOperatorUpdate(u) {
		return destinationOfReplacement(table, filter, u)
	}
	if isExactID(table, filter, collation) {
		return destination{reach: reachByID}, nil
	}
	return destination{}, refuse(codeInvalidOptions,
		"A {multi:false} update on a sharded collection must contain an exact match on _id or must target a single shard, but this update targeted %d shards", len(target.Shards))
}

// destinationOfReplacement goes by the replacement's own key, as mongos does: a replacement cannot change it to another shard's.
func destinationOfReplacement(table *shardkey.Table, filter bson.Raw, replacement bsoncore.Document) (destination, error) {
	if slices.Contains(table.Pattern().Fields(), "_id") && field(replacement, "_id").Type == 0 {
		if id, ok := idPattern.PointOf(filter); ok {
			replacement = withField(replacement, "_id", field(bsoncore.Document(id), "_id"))
		}
	}
	return destinationOfKey(table, replacement)
}

func destinationOfDelete(table *shardkey.Table, statement bsoncore.Document) (destination, error) {
	filter := bson.Raw(documentField(statement, "q"))
	collation := bson.Raw(documentField(statement, "collation"))
	target := table.Target(filter, collation)
	switch {
	case len(target.Shards) == 1:
		return destination{reach: reachOne, shard: target.Shards[0]}, nil
	case intField(statement, "limit") == 0:
		return destination{reach: reachMany}, nil
	case isExactID(table, filter, collation):
		return destination{reach: reachByID}, nil
	}
	return destination{}, refuse(codeShardKeyNotFound,
		"A single delete on a sharded collection must contain an exact match on _id or contain the shard key, but this delete targeted %d shards", len(target.Shards))
}

func destinationOfFindAndModify(rt *route, query, collation bsoncore.Document) (topology.ShardID, error) {
	if rt.table == nil {
		return rt.db.primary, nil
	}
	target := rt.table.Target(bson.Raw(query), bson.Raw(collation))
	if target.Key == nil {
		return "", refuse(codeShardKeyNotFound, "Query for sharded findAndModify must contain the shard key")
	}
	return target.Shards[0], nil
}

// isExactID tells that the filter can match only the one document with its _id, under the collation that counts for _id.
func isExactID(table *shardkey.Table, filter, collation bson.Raw) bool {
	if len(collation) > 0 && table.DefaultCollation() == nil && stringField(bsoncore.Document(collation), "locale") != "simple" {
		return false
	}
	_, ok := idPattern.PointOf(filter)
	return ok
}

func isOperatorUpdate(u bsoncore.Document) bool { return strings.HasPrefix(nameOf(u), "$") }

// mayMove tells that an update of one document, which owner has, might change its shard key so that it belongs to another shard. It errs
// on the side of caution: a shard that refuses such a change says neither which statement of a message it was, nor undoes the others.
func mayMove(table *shardkey.Table, owner topology.ShardID, update bsoncore.Value) bool {
	u, ok := update.DocumentOK()
	if !ok {
		return true // a pipeline
	}
	if !isOperatorUpdate(u) {
		to, err := destinationOfKey(table, u)
		return err != nil || to.shard != owner
	}
	for operator := range elements(u) {
		for e := range elements(operator.value.Data) {
			if touchesKey(table, string(e.name)) {
				return true
			}
			if to, ok := e.value.StringValueOK(); ok && string(operator.name) == "$rename" && touchesKey(table, to) {
				return true
			}
		}
	}
	return false
}

// touchesKey tells that a change of the path may change a field of the shard key.
func touchesKey(table *shardkey.Table, path string) bool {
	return slices.ContainsFunc(table.Pattern().Fields(), func(f string) bool {
		return path == f || strings.HasPrefix(f, path+".") || strings.HasPrefix(path, f+".")
	})
}

// statementsField names the array argument of each batch command.
var statementsField = map[string]string{"insert": "documents", "update": "updates", "delete": "deletes"}

// targetsOf chooses the shards that can hold what a filter matches.
func targetsOf(rt *route, filter, collation bsoncore.Document) []topology.ShardID {
	if rt.table == nil {
		return []topology.ShardID{rt.db.primary}
	}
	return rt.table.Target(bson.Raw(filter), bson.Raw(collation)).Shards
}
