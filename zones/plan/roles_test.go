package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/google/go-cmp/cmp"

	"github.com/geoshard/geoshard/internal/testkit"
)

// TestRoles is what geoshard roles creates.
func TestRoles(t *testing.T) {
	var got strings.Builder
	for _, namespaces := range [][]string{{"shop.carts", "shop.orders", "crm.*"}, nil} {
		for _, role := range []Role{PlanRole(namespaces), ApplyRole(namespaces)} {
			fmt.Fprintf(&got, "== %s for %q\n", role.Name, namespaces)
			for _, p := range role.Privileges {
				fmt.Fprintf(&got, "%s: %s\n", p.Resource, strings.Join(p.Actions, ", "))
			}
		}
	}
	testkit.Golden(t, "testdata/roles.txt", got.String())
}

// TestThePlanRoleChangesNothing: it has no action but those that read.
func TestThePlanRoleChangesNothing(t *testing.T) {
	reads := map[string]bool{"find": true, "listShards": true, "listCollections": true, "listIndexes": true, "collStats": true, "shardedDataDistribution": true, "serverStatus": true, "replSetGetConfig": true}
	for _, p := range PlanRole([]string{"shop.carts"}).Privileges {
		for _, action := range p.Actions {
			if !reads[action] {
				t.Errorf("%s on %s", action, p.Resource)
			}
		}
	}
}

// Before 6.0.3 servers refuse createRole for an action that they do not know, and nobody has to
// have it.
func TestRolesFitTheServersVersion(t *testing.T) {
	role := PlanRole([]string{"shop.carts"})
	for version, want := range map[string]bool{"6.0.2": false, "6.0.3": true, "8.0.4": true, "": true, "unknown": true} {
		fitted := role.For(version)
		has := slices.ContainsFunc(fitted.Privileges, func(p Privilege) bool { return slices.Contains(p.Actions, "shardedDataDistribution") })
		if has != want || fitted.Name != role.Name || len(fitted.Privileges) != len(role.Privileges) {
			t.Errorf("%q: has the action: %v, want %v: %v", version, has, want, fitted)
		}
	}
	if diff := cmp.Diff(PlanRole([]string{"shop.carts"}), role); diff != "" {
		t.Errorf("the role itself was changed:\n%s", diff)
	}
}

func TestCreateRoleIsACommand(t *testing.T) {
	role := Role{"r", []Privilege{{Resource{Cluster: true}, []string{"listShards"}}, {Resource{DB: "shop"}, []string{"find"}}}}
	want := bson.D{
		{Key: "createRole", Value: "r"},
		{Key: "privileges", Value: bson.A{
			bson.D{{Key: "resource", Value: bson.D{{Key: "cluster", Value: true}}}, {Key: "actions", Value: []string{"listShards"}}},
			bson.D{{Key: "resource", Value: bson.D{{Key: "db", Value: "shop"}, {Key: "collection", Value: ""}}}, {Key: "actions", Value: []string{"find"}}},
		}},
		{Key: "roles", Value: bson.A{}},
	}
	if diff := cmp.Diff(want, role.CreateRole()); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// TestMissingPrivilegesAreNamedActionByAction also reads privileges as connectionStatus has them.
func TestMissingPrivilegesAreNamedActionByAction(t *testing.T) {
	on := func(db, collection string, actions ...string) Privilege {
		return Privilege{Resource{DB: db, Collection: collection}, actions}
	}
	cluster := func(actions ...string) Privilege { return Privilege{Resource{Cluster: true}, actions} }
	want := []Privilege{cluster("enableSharding", "listShards"), on("config", "tags", "find"), on("shop", "", "listCollections"), on("shop", "carts", "find", "collMod")}
	for _, c := range []struct {
		name    string
		have    []Privilege
		missing string
	}{
		{"nothing", nil, "enableSharding on the cluster, listShards on the cluster, find on config.tags, listCollections on all collections of shop, find on shop.carts, collMod on shop.carts"},
		{"all of it", want, ""},
		{"the very collections", []Privilege{cluster("listShards"), on("shop", "carts", "find")},
			"enableSharding on the cluster, find on config.tags, listCollections on all collections of shop, collMod on shop.carts"},
		{"all of the database", []Privilege{on("shop", "", "find", "collMod", "listCollections")}, "enableSharding on the cluster, listShards on the cluster, find on config.tags"},
		{"all databases, which leaves out config", []Privilege{on("", "", "find", "collMod", "listCollections")}, "enableSharding on the cluster, listShards on the cluster, find on config.tags"},
		{"another database", []Privilege{on("crm", "", "find", "collMod")}, "enableSharding on the cluster, listShards on the cluster, find on config.tags, listCollections on all collections of shop, find on shop.carts, collMod on shop.carts"},
		{"the zone commands by the catalogue", []Privilege{cluster("listShards"), on("config", "tags", "find", "update", "remove"), on("config", "shards", "find", "update"), on("shop", "", "listCollections", "find", "collMod")}, ""},
		{"the catalogue without remove", []Privilege{cluster("listShards"), on("config", "tags", "find", "update"), on("config", "shards", "find", "update"), on("shop", "", "listCollections", "find", "collMod")}, "enableSharding on the cluster"},
		{"anything", []Privilege{{Resource{AnyResource: true}, []string{"anyAction"}}}, ""},
	} {
		if got := strings.Join((Privileges{Granted: throughBSON(t, c.have), Enforced: true}).Missing(want), ", "); got != c.missing {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.missing)
		}
	}
}

func throughBSON(t *testing.T, have []Privilege) []Privilege {
	t.Helper()
	raw, err := bson.Marshal(bson.D{{Key: "p", Value: Role{"r", have}.CreateRole()[1].Value}})
	if err != nil {
		t.Fatal(err)
	}
	var read struct{ P []Privilege }
	if err := bson.Unmarshal(raw, &read); err != nil {
		t.Fatal(err)
	}
	return read.P
}
