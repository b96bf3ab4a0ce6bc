package devmongos

import "go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

// isRouterField names the fields of a client's command that are not for the members: those that the router fills in itself, and
// the API version, whose strict mode knows no shard versions.
func isRouterField(name string) bool {
	switch name {
	case "$clusterTime", "$configTime", "$topologyTime", "shardVersion", "databaseVersion",
		"apiVersion", "apiStrict", "apiDeprecationErrors":
		return true
	}
	return false
}

func isTransactionField(name string) bool {
	switch name {
	case "txnNumber", "stmtId", "stmtIds", "autocommit", "startTransaction", "coordinator", "txnRetryCounter":
		return true
	}
	return false
}

// isForRouter names all that a client's command outside of transactions says to the router and not to members.
func isForRouter(name string) bool { return isRouterField(name) || isTransactionField(name) }

// isStatementField names what a client's statement says about its transaction, and what the members would not take in one.
func isStatementField(name string) bool {
	switch name {
	case "lsid", "readConcern", "writeConcern", "$readPreference", "recoveryToken":
		return true
	}
	return isTransactionField(name)
}

func isInternalField(name string) bool {
	switch name {
	case "$clusterTime", "operationTime", "opTime", "electionId", "lastCommittedOpTime", "$gleStats", "topologyVersion",
		"$configTime", "$topologyTime", "readOnly", "shardVersion", "databaseVersion":
		return true
	}
	return false
}

// isGeneric names the arguments that any command may carry. They speak of the client's own message: a command that the router makes of
// it says what it needs itself.
func isGeneric(name string) bool {
	switch name {
	case "$db", "lsid", "$readPreference", "readConcern", "writeConcern", "$audit", "$client", "$queryOptions":
		return true
	}
	return isRouterField(name) || isTransactionField(name)
}

// wantsSnapshot tells that a read is at a time of the past, when a chunk may have had another owner: the core knows its history.
func wantsSnapshot(readConcern bsoncore.Document) bool {
	return stringField(readConcern, "level") == "snapshot"
}

func isConfigDatabase(db string) bool { return db == "config" || db == "admin" || db == "local" }
