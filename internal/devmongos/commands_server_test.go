package devmongos

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func statisticsAddUp(t *testing.T, c *commander) {
	c.shard(t, "stats", "c")
	c.insert(t, "stats", "c", one("k", -1), one("k", 1), one("k", 2), one("k", 101))
	c.insert(t, "stats", "plain", one("_id", 1))
	for _, name := range []string{"collStats", "collstats"} {
		stats := c.ok(t, "stats", one(name, "c"))
		wantEqual(t, "count", stats["count"], any(int64(4)))
		wantEqual(t, "sharded", stats["sharded"], any(true))
		wantEqual(t, "nchunks", stats["nchunks"], any(int32(3)))
		wantEqual(t, "shards", len(stats["shards"].(bson.D)), 3)
	}
	wantEqual(t, "unsharded count", c.ok(t, "stats", one("collStats", "plain"))["count"], any(int64(1)))
	wantEqual(t, "count of nothing", c.ok(t, "noSuchDatabase", one("collStats", "plain"))["count"], any(int32(0)))
	for _, name := range []string{"dbStats", "dbstats"} {
		stats := c.ok(t, "stats", one(name, 1))
		wantEqual(t, "objects", stats["objects"], any(int64(5)))
		wantEqual(t, "db", stats["db"], any("stats"))
	}
	for _, name := range []string{"dataSize", "datasize"} {
		wantEqual(t, "numObjects", c.ok(t, "stats", one(name, "stats.c"))["numObjects"], any(int64(4)))
	}
	wantEqual(t, "valid", c.ok(t, "stats", one("validate", "c"))["valid"], any(true))
	c.fails(t, "noSuchDatabase", one("validate", "c"), codeNamespaceNotFound)
}

// The router believes the defaults for a while; a change through it counts at once.
func defaultConcerns(t *testing.T, c *commander) {
	c.admin(t, with("setDefaultRWConcern", 1, "defaultWriteConcern", bson.D{{Key: "w", Value: "majority"}, {Key: "wtimeout", Value: 1234}}))
	got := c.admin(t, one("getDefaultRWConcern", 1))
	wantEqual(t, "write concern", got["defaultWriteConcern"], any(bson.D{{Key: "w", Value: "majority"}, {Key: "wtimeout", Value: int32(1234)}}))
	c.admin(t, with("setDefaultRWConcern", 1, "defaultWriteConcern", bson.D{{Key: "w", Value: "majority"}, {Key: "wtimeout", Value: 0}}))
}

func featureVersion60(t *testing.T, c *commander) {
	c.admin(t, one("setFeatureCompatibilityVersion", "6.0"))
	c.fails(t, "admin", one("setFeatureCompatibilityVersion", "9.0"), 4926900)
	got := c.admin(t, with("getParameter", 1, "featureCompatibilityVersion", 1))
	wantEqual(t, "version", got["featureCompatibilityVersion"], any(bson.D{{Key: "version", Value: "6.0"}}))
}

func serverTellsOfItself(t *testing.T, c *commander) {
	status := c.admin(t, one("serverStatus", 1))
	if status["process"] != "mongos" || status["repl"] != nil || status["version"] == nil {
		t.Errorf("serverStatus: %v", status)
	}
	for _, name := range []string{"buildInfo", "buildinfo"} {
		if info := c.admin(t, one(name, 1)); info["version"] != status["version"] {
			t.Errorf("%s: version %v, serverStatus says %v", name, info["version"], status["version"])
		}
	}
	for _, cmd := range []bson.D{one("hostInfo", 1), one("getLog", "startupWarnings"), one("getCmdLineOpts", 1), one("logout", 1)} {
		c.admin(t, cmd)
	}
	if you, _ := c.admin(t, one("whatsmyuri", 1))["you"].(string); you == "" {
		t.Error("whatsmyuri: empty")
	}
	wantEqual(t, "isdbgrid", c.admin(t, one("isdbgrid", 1))["isdbgrid"], any(int32(1)))
	connection := c.admin(t, with("connectionStatus", 1, "showPrivileges", true))
	wantEqual(t, "privileges", len(connection["authInfo"].(bson.D)), 3)
	if listed := c.admin(t, one("listCommands", 1))["commands"].(bson.D); len(listed) < 50 {
		t.Errorf("listCommands: %d commands", len(listed))
	}
}
