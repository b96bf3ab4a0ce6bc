package catalog_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/zones/plan"
)

// TestServersKnowTheRoles creates each role, for named collections, a pattern and everything, and reads its privileges back: a server refuses actions and resources
// that it does not know.
func TestServersKnowTheRoles(t *testing.T) {
	admin := open(t).Client().Database("admin")
	created := 0
	for _, namespaces := range [][]string{nil, {"shop.carts", "shop.orders"}, {"shop.*"}} {
		for _, role := range []plan.Role{plan.PlanRole(namespaces), plan.ApplyRole(namespaces)} {
			if err := admin.RunCommand(t.Context(), role.CreateRole()).Err(); err != nil {
				t.Fatalf("%s for %v: %v", role.Name, namespaces, err)
			}
			var info struct {
				Roles []struct {
					Privileges []plan.Privilege `bson:"privileges"`
				} `bson:"roles"`
			}
			if err := admin.RunCommand(t.Context(), bson.D{{Key: "rolesInfo", Value: role.Name}, {Key: "showPrivileges", Value: true}}).Decode(&info); err != nil {
				t.Fatal(err)
			}
			if len(info.Roles) != 1 {
				t.Fatalf("%s: got %d roles", role.Name, len(info.Roles))
			}
			if missing := (plan.Privileges{Granted: info.Roles[0].Privileges, Enforced: true}).Missing(role.Privileges); missing != nil {
				t.Errorf("%s for %v: the server's role lacks %v", role.Name, namespaces, missing)
			}
			if err := admin.RunCommand(t.Context(), bson.D{{Key: "dropRole", Value: role.Name}}).Err(); err != nil {
				t.Fatal(err)
			}
			created++
		}
	}
	t.Logf("%d roles", created)
}
