package devmongos

import (
	"maps"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// A nameSet has names of fields, or of commands.
type nameSet map[string]bool

func setOf(names ...string) nameSet {
	set := nameSet{}
	for _, name := range names {
		set[name] = true
	}
	return set
}

// and has the names of both.
func (s nameSet) and(other nameSet) nameSet {
	both := maps.Clone(s)
	maps.Copy(both, other)
	return both
}

var (
	// routerFields are the fields of a client's command that are not for the members: those that the router fills in itself, and
	// the API version, whose strict mode knows no shard versions.
	routerFields = setOf("$clusterTime", "$configTime", "$topologyTime", "shardVersion", "databaseVersion", "apiVersion", "apiStrict", "apiDeprecationErrors")

	transactionFields = setOf("txnNumber", "stmtId", "stmtIds", "autocommit", "startTransaction", "coordinator", "txnRetryCounter")

	// forRouter are all that a client's command outside of transactions says to the router and not to members.
	forRouter = routerFields.and(transactionFields)

	// statementFields are what a client's statement says about its transaction, and what the members would not take in one.
	statementFields = setOf("lsid", "readConcern", "writeConcern", "$readPreference", "recoveryToken").and(transactionFields)

	internalFields = setOf(
		"$clusterTime", "operationTime", "opTime", "electionId", "lastCommittedOpTime", "$gleStats", "topologyVersion", "$configTime", "$topologyTime", "readOnly",
		"shardVersion", "databaseVersion",
	)

	// genericFields are the arguments that any command may carry. They speak of the client's own message: a command that the router makes of
	// it says what it needs itself.
	genericFields = setOf("$db", "lsid", "$readPreference", "readConcern", "writeConcern", "$audit", "$client", "$queryOptions").and(forRouter)
)

// majority is demanded by every command that changes the cluster's metadata, whatever the client asked for.
var majority = bson.E{Key: "writeConcern", Value: fields("w", "majority")}

// wantsSnapshot tells that a read is at a time of the past, when a chunk may have had another owner: the core knows its history.
func wantsSnapshot(readConcern bsoncore.Document) bool {
	return stringField(readConcern, "level") == "snapshot"
}

func isConfigDatabase(db string) bool { return db == "config" || db == "admin" || db == "local" }
