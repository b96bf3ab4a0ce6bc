package devmongos

import (
	"fmt"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Every command of the router says what it demands, or that every user may run it; nothing is said
// of commands that there are not.
func TestEveryCommandHasItsRights(t *testing.T) {
	commands := newServer(Config{}, newCore("", &backend{}), nil).commands
	byHand := setOf("update", "findAndModify", "findandmodify", "aggregate", "explain", "listCollections", "renameCollection", "addShardToZone", "removeShardFromZone",
		"updateZoneKeyRange")
	for name := range commands {
		_, inTable := rights[name]
		said := 0
		for _, so := range []bool{inTable, byHand[name], ofEveryUser[name], openToAll[name]} {
			if so {
				said++
			}
		}
		if said != 1 {
			t.Errorf("%s: what it demands is said %d times, want once", name, said)
		}
	}
	for _, names := range []nameSet{byHand, ofEveryUser} {
		for name := range names {
			if commands[name] == nil {
				t.Errorf("%s is not known", name)
			}
		}
	}
	for name := range rights {
		if commands[name] == nil {
			t.Errorf("%s is not known", name)
		}
	}
}

func TestWantsOfCommands(t *testing.T) {
	for _, c := range []struct {
		db   string
		cmd  bson.D
		want string
	}{
		{"shop", one("find", "carts"), "[[{find shop carts}]]"},
		{"shop", with("explain", bson.D{{Key: "count", Value: "carts"}}), "[[{find shop carts}]]"},
		{"shop", with("update", "carts", "updates", bson.A{bson.D{{Key: "q", Value: bson.D{}}}}), "[[{update shop carts}]]"},
		{"shop", with("update", "carts", "updates", bson.A{bson.D{}, bson.D{{Key: "upsert", Value: true}}}), "[[{update shop carts} {insert shop carts}]]"},
		{"shop", with("findAndModify", "carts", "remove", true), "[[{find shop carts} {remove shop carts}]]"},
		{"shop", with("findAndModify", "carts", "upsert", true), "[[{update shop carts} {insert shop carts} {find shop carts}]]"},
		{"shop", one("getMore", int64(7)), "[]"},
		{"shop", one("dropDatabase", 1), "[[{dropDatabase shop }]]"},
		{"shop", with("listCollections", 1, "nameOnly", true, "authorizedCollections", true), "[]"},
		{"shop", one("listCollections", 1), "[[{listCollections shop }]]"},
		{"admin", one("listShards", 1), "[[{listShards  }]]"},
		{"admin", one("shardCollection", "shop.carts"), "[[{enableSharding shop carts}]]"},
		{"admin", one("enableSharding", "shop"), "[[{enableSharding shop }]]"},
		{"admin", one("balancerStop", 1), "[[{update config settings}]]"},
		{"admin", one("addShardToZone", "s0"), "[[{enableSharding  }] [{update config shards}]]"},
		{"shop", with("aggregate", "carts", "pipeline", bson.A{
			one("$lookup", bson.D{{Key: "from", Value: "stock"}}), one("$unionWith", "old"), one("$merge", bson.D{{Key: "into", Value: bson.D{{Key: "db", Value: "b"}, {Key: "coll", Value: "c"}}}}),
		}), "[[{find shop stock} {find shop old} {insert b c} {update b c} {find shop carts}]]"},
		{"shop", with("aggregate", "carts", "pipeline", bson.A{one("$collStats", bson.D{}), one("$out", "copy")}), "[[{insert shop copy} {remove shop copy} {collStats shop carts}]]"},
		{"admin", with("aggregate", 1, "pipeline", bson.A{one("$shardedDataDistribution", bson.D{})}), "[[{shardedDataDistribution  }]]"},
	} {
		body := encoded(t, c.cmd)
		if got := fmt.Sprint(wantsOf(nameOf(body), c.db, body)); got != c.want {
			t.Errorf("%s: got %s, want %s", bson.Raw(body), got, c.want)
		}
	}
}

// Which collections a privilege is about: manual, reference/resource-document.
func TestResourcesInclude(t *testing.T) {
	bucket := "carts"
	for _, c := range []struct {
		resource resource
		includes []string // of the places below
	}{
		{resource{AnyResource: true}, []string{"shop.carts", "shop.system.js", "shop.", "config.tags", "."}},
		{resource{Cluster: true}, []string{"."}},
		{resource{}, []string{"shop.carts", "shop."}},
		{resource{DB: "shop"}, []string{"shop.carts", "shop."}},
		{resource{DB: "shop", Collection: "carts"}, []string{"shop.carts"}},
		{resource{Collection: "carts"}, []string{"shop.carts"}},
		{resource{DB: "shop", Collection: "system.js"}, []string{"shop.system.js"}},
		{resource{DB: "config"}, []string{"config.tags"}},
		{resource{DB: "shop", Buckets: &bucket}, nil},
	} {
		var got []string
		for _, ns := range []string{"shop.carts", "shop.system.js", "shop.", "config.tags", "."} {
			if at := splitAt(ns); c.resource.includes(at[0], at[1]) {
				got = append(got, ns)
			}
		}
		if !slices.Equal(got, c.includes) {
			t.Errorf("%+v includes %v, want %v", c.resource, got, c.includes)
		}
	}
}
