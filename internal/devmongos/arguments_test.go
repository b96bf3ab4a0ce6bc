package devmongos

import (
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
)

// The core would abort at the first batch without events, so it is asked afterwards whether it is there.
func refusesChangeStreams(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "watched", -1, 1, 101)
	client := raw(t, c.router)
	stream := bson.A{d("$changeStream", bson.D{})}
	for _, test := range []struct {
		db  string
		cmd bson.D
	}{
		{"watched", d("aggregate", "c", "pipeline", stream, "cursor", bson.D{})},
		{"watched", d("aggregate", 1, "pipeline", stream, "cursor", bson.D{})},
		{"admin", d("aggregate", 1, "pipeline", bson.A{d("$changeStream", d("allChangesForCluster", true))}, "cursor", bson.D{})},
		{"config", d("aggregate", "chunks", "pipeline", stream, "cursor", bson.D{})},
		{"watched", d("aggregate", "c", "pipeline", bson.A{d("$match", bson.D{}), stream[0]}, "cursor", bson.D{})},
		{"watched", d("explain", d("aggregate", "c", "pipeline", stream, "cursor", bson.D{}))},
		{"watched", d("find", "plain", "tailable", true, "$readPreference", d("mode", "secondaryPreferred"))},
	} {
		got := client.run(t, test.db, test.cmd)
		text, _ := got["errmsg"].(string)
		if got["code"] != int32(codeCommandNotSupported) || got["codeName"] != "CommandNotSupported" || !strings.Contains(text, "not supported by the development query router") {
			t.Errorf("%v: got %v", test.cmd, got)
		}
	}
	if _, err := coll.Watch(t.Context(), bson.A{}); codeIn(err) != codeCommandNotSupported {
		t.Errorf("the driver's watch: %v", err)
	}
	if n, err := coll.CountDocuments(t.Context(), bson.D{}); err != nil || n != 3 {
		t.Errorf("through the core afterwards: %d, %v", n, err)
	}
	// A tail from the primary goes to the member itself.
	db := coll.Database()
	if err := db.CreateCollection(t.Context(), "capped", options.CreateCollection().SetCapped(true).SetSizeInBytes(1<<16)); err != nil {
		t.Fatal(err)
	}
	capped := db.Collection("capped", options.Collection().SetReadPreference(readpref.Primary()))
	if _, err := capped.InsertOne(t.Context(), d("_id", 1)); err != nil {
		t.Fatal(err)
	}
	cursor, err := capped.Find(t.Context(), bson.D{}, options.Find().SetCursorType(options.TailableAwait))
	if err != nil || !cursor.TryNext(t.Context()) || cursor.TryNext(t.Context()) {
		t.Errorf("tail of a capped collection: %v", err)
	}
	if _, err := coll.Find(t.Context(), bson.D{}, options.Find().SetCursorType(options.Tailable)); codeIn(err) != codeBadValue {
		t.Errorf("tail of a sharded collection: %v", err)
	}
}

func explainsWrites(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "explainedWrites", -1, 1, 101)
	if _, err := coll.Database().Collection("plain").InsertOne(t.Context(), d("_id", 1)); err != nil {
		t.Fatal(err)
	}
	set := d("$set", d("x", 1))
	one := func(kind, field, collection string, statement bson.D) bson.D {
		return d(kind, collection, field, bson.A{statement})
	}
	for _, test := range []struct {
		cmd    bson.D
		stage  string
		shards []string
	}{
		{one("update", "updates", "c", d("q", d("k", 1), "u", set)), "SHARD_WRITE", []string{"s1"}},
		{one("update", "updates", "c", d("q", d("_id", 1), "u", set)), "SHARD_WRITE", []string{"s0", "s1", "s2"}},
		{one("update", "updates", "c", d("q", bson.D{}, "u", set, "multi", true)), "SHARD_WRITE", []string{"s0", "s1", "s2"}},
		{one("delete", "deletes", "c", d("q", d("k", 101), "limit", 1)), "SHARD_WRITE", []string{"s2"}},
		{one("delete", "deletes", "plain", d("q", d("_id", 1), "limit", 1)), "SHARD_WRITE", []string{"s0"}},
		{d("findAndModify", "c", "query", d("k", -1), "remove", true), "SINGLE_SHARD", []string{"s0"}},
	} {
		for _, verbosity := range []string{"queryPlanner", "executionStats", "allPlansExecution"} {
			explainsOneWrite(t, c, d("explain", test.cmd, "verbosity", verbosity), test.stage, test.shards)
		}
	}
	for code, cmd := range map[int]bson.D{
		codeShardKeyNotFound: d("findAndModify", "c", "query", d("a", 1), "remove", true),
		codeInvalidLength:    d("update", "c", "updates", bson.A{}),
	} {
		if err := coll.Database().RunCommand(t.Context(), d("explain", cmd)).Err(); codeIn(err) != code {
			t.Errorf("%v: %v, want code %d", cmd, err, code)
		}
	}
	if n, err := coll.CountDocuments(t.Context(), d("x", nil)); err != nil || n != 3 {
		t.Errorf("explain wrote: %d documents left, %v", n, err)
	}
}

func explainsOneWrite(t *testing.T, c *smallCluster, cmd bson.D, stage string, shards []string) {
	t.Helper()
	var got bson.Raw
	if err := c.client(t).Database("explainedWrites").RunCommand(t.Context(), cmd).Decode(&got); err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	names := func(field string, path ...string) []string {
		list, _ := got.Lookup(path...).ArrayOK()
		values, _ := list.Values()
		var found []string
		for _, v := range values {
			name, _ := v.Document().Lookup("shardName").StringValueOK()
			if v.Document().Lookup(field).IsZero() {
				t.Errorf("%v: %s of shard %s has no %s: %v", cmd, path[0], name, field, got)
			}
			found = append(found, name)
		}
		return found
	}
	if s, _ := got.Lookup("queryPlanner", "winningPlan", "stage").StringValueOK(); s != stage {
		t.Errorf("%v: stage %q, want %q", cmd, s, stage)
	}
	wantEqual(t, "shards of the plan", names("winningPlan", "queryPlanner", "winningPlan", "shards"), shards)
	names("connectionString", "queryPlanner", "winningPlan", "shards")
	verbosity := cmd[1].Value
	if verbosity == "queryPlanner" {
		return
	}
	wantEqual(t, "shards of the statistics", names("executionStages", "executionStats", "executionStages", "shards"), shards)
	if n, ok := got.Lookup("executionStats", "totalDocsExamined").AsInt64OK(); !ok || n < 1 {
		t.Errorf("%v: %d documents examined", cmd, n)
	}
	if verbosity == "allPlansExecution" {
		wantEqual(t, "shards of all plans", names("allPlans", "executionStats", "allPlansExecution"), shards)
	}
}

func startsSession(t *testing.T, c *smallCluster) {
	client := raw(t, c.router)
	first, second := client.run(t, "admin", d("startSession", 1)), client.run(t, "admin", d("startSession", 1))
	id, _ := first["id"].(bson.D)
	if first["ok"] != 1.0 || first["timeoutMinutes"] != int32(30) || len(id) != 1 || id[0].Key != "id" {
		t.Fatalf("got %v", first)
	}
	uuid, _ := id[0].Value.(bson.Binary)
	other, _ := second["id"].(bson.D)[0].Value.(bson.Binary)
	if uuid.Subtype != 4 || len(uuid.Data) != 16 || slices.Equal(uuid.Data, other.Data) {
		t.Errorf("got %v and %v", first, second)
	}
	if got := client.run(t, "watchedSession", d("find", "c", "lsid", first["id"])); got["ok"] != 1.0 {
		t.Errorf("find in the session: %v", got)
	}
}
