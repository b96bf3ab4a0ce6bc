package devmongos

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// A want is an action that a command demands on a collection, on a database (without collection),
// or on the cluster (without both).
type want struct{ action, db, collection string }

// A place is what a command's action is on.
type place int

const (
	_           place = iota
	onCluster         // the cluster
	onDatabase        // the command's database
	onItsOwn          // the collection that the command's first field names in its database
	onNamed           // the collection whose full name is the command's first field
	onNamedBase       // the database that the command's first field names
	onSettings        // config.settings
)

// A right says which actions some commands demand. Sources: manual, reference/privilege-actions and
// the pages of the commands; the server's checkAuthForOperation.
type right struct {
	commands string
	place    place
	actions  []string
}

var rights = rightsByName([]right{
	{"find count distinct", onItsOwn, []string{"find"}},
	{"dataSize datasize", onNamed, []string{"find"}},
	{"insert", onItsOwn, []string{"insert"}},
	{"delete", onItsOwn, []string{"remove"}},
	{"create", onItsOwn, []string{"createCollection"}},
	{"drop", onItsOwn, []string{"dropCollection"}},
	{"collMod", onItsOwn, []string{"collMod"}},
	{"createIndexes", onItsOwn, []string{"createIndex"}},
	{"dropIndexes deleteIndexes", onItsOwn, []string{"dropIndex"}},
	{"listIndexes", onItsOwn, []string{"listIndexes"}},
	{"collStats collstats", onItsOwn, []string{"collStats"}},
	{"validate", onItsOwn, []string{"validate"}},
	{"dropDatabase", onDatabase, []string{"dropDatabase"}},
	{"dbStats dbstats", onDatabase, []string{"dbStats"}},
	{"enableSharding", onNamedBase, []string{"enableSharding"}},
	{"movePrimary", onNamedBase, []string{"moveChunk"}},
	{"shardCollection balancerCollectionStatus", onNamed, []string{"enableSharding"}},
	{"refineCollectionShardKey", onNamed, []string{"refineCollectionShardKey"}},
	{"reshardCollection abortReshardCollection cleanupReshardCollection", onNamed, []string{"reshardCollection"}},
	{"moveChunk moveRange", onNamed, []string{"moveChunk"}},
	{"split mergeChunks configureCollectionBalancing", onNamed, []string{"splitChunk"}},
	{"clearJumboFlag", onNamed, []string{"clearJumboFlag"}},
	{"getShardVersion", onNamed, []string{"getShardVersion"}},
	{"balancerStart balancerStop", onSettings, []string{"update"}},
	{"balancerStatus", onSettings, []string{"find"}},
	{"listShards", onCluster, []string{"listShards"}},
	{"listDatabases", onCluster, []string{"listDatabases"}},
	{"addShard", onCluster, []string{"addShard"}},
	{"removeShard", onCluster, []string{"removeShard"}},
	{"getShardMap", onCluster, []string{"getShardMap"}},
	{"flushRouterConfig", onCluster, []string{"flushRouterConfig"}},
	{"setFeatureCompatibilityVersion", onCluster, []string{"setFeatureCompatibilityVersion"}},
	{"setDefaultRWConcern", onCluster, []string{"setDefaultRWConcern"}},
	{"getDefaultRWConcern", onCluster, []string{"getDefaultRWConcern"}},
	{"serverStatus", onCluster, []string{"serverStatus"}},
	{"hostInfo", onCluster, []string{"hostInfo"}},
	{"getLog", onCluster, []string{"getLog"}},
	{"getParameter", onCluster, []string{"getParameter"}},
	{"getCmdLineOpts", onCluster, []string{"getCmdLineOpts"}},
	{"replSetGetStatus", onCluster, []string{"replSetGetStatus"}},
	{"invalidateUserCache", onCluster, []string{"invalidateUserCache"}},
	{"usersInfo", onDatabase, []string{"viewUser"}},
	{"rolesInfo", onDatabase, []string{"viewRole"}},
	{"createUser", onDatabase, []string{"createUser"}},
	{"updateUser", onDatabase, []string{"changePassword"}},
	{"dropUser dropAllUsersFromDatabase", onDatabase, []string{"dropUser"}},
	{"createRole", onDatabase, []string{"createRole"}},
	{"updateRole", onDatabase, []string{"grantRole", "revokeRole"}},
	{"dropRole dropAllRolesFromDatabase", onDatabase, []string{"dropRole"}},
	{"grantRolesToUser grantRolesToRole grantPrivilegesToRole", onDatabase, []string{"grantRole"}},
	{"revokeRolesFromUser revokeRolesFromRole revokePrivilegesFromRole", onDatabase, []string{"revokeRole"}},
})

func rightsByName(rows []right) map[string]right {
	byName := map[string]right{}
	for _, r := range rows {
		for name := range strings.FieldsSeq(r.commands) {
			byName[name] = r
		}
	}
	return byName
}

// ofEveryUser are the commands that are about a client's own sessions, cursors and transactions, or
// that hide what the user may not see.
var ofEveryUser = setOf("getMore", "killCursors", "startSession", "refreshSessions", "killSessions", "commitTransaction", "abortTransaction")

// wantsOf lists the alternatives of what a user needs for a command; none where every user may run
// it.
func wantsOf(name, db string, body bsoncore.Document) [][]want {
	collection := stringField(body, name)
	on := func(actions ...string) (all []want) {
		for _, a := range actions {
			all = append(all, want{a, db, collection})
		}
		return all
	}
	switch name {
	case "update":
		return [][]want{on(writing("update", anyOf(body, "updates", "upsert"))...)}
	case "findAndModify", "findandmodify":
		if boolField(body, "remove") {
			return [][]want{on("find", "remove")}
		}
		return [][]want{on(append(writing("update", boolField(body, "upsert")), "find")...)}
	case "aggregate":
		if collection == "" {
			collection = "$cmd.aggregate"
		}
		return [][]want{wantsOfPipeline(db, collection, field(body, "pipeline"))}
	case "explain":
		explained := documentField(body, name)
		return wantsOf(nameOf(explained), db, explained)
	case "listCollections":
		if boolField(body, "nameOnly") && boolField(body, "authorizedCollections") {
			return nil
		}
		return [][]want{{{name, db, ""}}}
	case "renameCollection":
		from, target := splitAt(collection), splitAt(stringField(body, "to"))
		copied := []want{
			{"find", from[0], from[1]}, {"dropCollection", from[0], from[1]},
			{"insert", target[0], target[1]}, {"createIndex", target[0], target[1]},
		}
		return [][]want{{{"renameCollectionSameDB", from[0], ""}}, copied}
	case "addShardToZone", "removeShardFromZone":
		return [][]want{{{action: "enableSharding"}}, {{"update", "config", "shards"}}}
	case "updateZoneKeyRange":
		return [][]want{{{action: "enableSharding"}}, {
			{"find", "config", "shards"}, {"find", "config", "tags"}, {"update", "config", "tags"}, {"remove", "config", "tags"},
		}}
	}
	r, known := rights[name]
	if !known {
		return nil
	}
	switch named := splitAt(collection); r.place {
	case onCluster:
		db, collection = "", ""
	case onDatabase:
		collection = ""
	case onNamed:
		db, collection = named[0], named[1]
	case onNamedBase:
		db, collection = collection, ""
	case onSettings:
		db, collection = "config", "settings"
	}
	return [][]want{on(r.actions...)}
}

// writing is an action, and the insert that an upsert is as well.
func writing(action string, upsert bool) []string {
	if upsert {
		return []string{action, "insert"}
	}
	return []string{action}
}

// anyOf tells that one of the documents in an array has a flag.
func anyOf(body bsoncore.Document, array, flag string) bool {
	for _, v := range arrayValues(field(body, array)) {
		if boolField(v.Data, flag) {
			return true
		}
	}
	return false
}

func splitAt(ns string) [2]string {
	db, collection, _ := strings.Cut(ns, ".")
	return [2]string{db, collection}
}

// wantsOfPipeline is what the stages of a pipeline demand: the first says what is read, the others
// what is joined and written.
func wantsOfPipeline(db, collection string, pipeline bsoncore.Value) (all []want) {
	read := want{"find", db, collection}
	for i, stage := range arrayValues(pipeline) {
		name := nameOf(stage.Data)
		arguments := documentField(stage.Data, name)
		if i == 0 {
			switch name {
			case "$collStats", "$indexStats":
				read.action = strings.TrimPrefix(name, "$")
			case "$currentOp":
				if read = (want{}); boolField(arguments, "allUsers") {
					read.action = "inprog"
				}
			case "$shardedDataDistribution":
				read = want{action: "shardedDataDistribution"}
			case "$documents":
				read = want{}
			}
		}
		switch name {
		case "$lookup", "$graphLookup":
			all = append(all, wantsOfPipeline(db, stringField(arguments, "from"), field(arguments, "pipeline"))...)
		case "$unionWith":
			from := stringField(stage.Data, name)
			if from == "" {
				from = stringField(arguments, "coll")
			}
			all = append(all, wantsOfPipeline(db, from, field(arguments, "pipeline"))...)
		case "$facet":
			for e := range elements(arguments) {
				all = append(all, wantsOfPipeline(db, collection, e.value)...)
			}
		case "$out", "$merge":
			all = append(all, wantsOfTarget(db, name, field(stage.Data, name))...)
		}
	}
	if read.action != "" {
		all = append(all, read)
	}
	return all
}

// wantsOfTarget is for what a pipeline writes: "collection", {db, coll} of $out, or {into: one of
// both} of $merge.
func wantsOfTarget(db, stage string, target bsoncore.Value) []want {
	if arguments, ok := target.DocumentOK(); ok && stage == "$merge" {
		target = field(arguments, "into")
	}
	collection, named := target.StringValueOK()
	if arguments, ok := target.DocumentOK(); ok && !named {
		collection = stringField(arguments, "coll")
		if other := stringField(arguments, "db"); other != "" {
			db = other
		}
	}
	if stage == "$out" {
		return []want{{"insert", db, collection}, {"remove", db, collection}}
	}
	return []want{{"insert", db, collection}, {"update", db, collection}}
}
