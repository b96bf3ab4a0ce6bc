package catalog

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/zones/plan"
)

// Privileges asks the query router who we are and what we may do.
func (c *Catalog) Privileges(ctx context.Context) (plan.Privileges, error) {
	var status struct {
		Info struct {
			Users   []struct{ User, DB string } `bson:"authenticatedUsers"`
			Granted []plan.Privilege            `bson:"authenticatedUserPrivileges"`
		} `bson:"authInfo"`
	}
	err := c.admin(ctx, "ask for our privileges", bson.D{{Key: "connectionStatus", Value: 1}, {Key: "showPrivileges", Value: true}}, &status)
	if err != nil {
		return plan.Privileges{}, err
	}
	p := plan.Privileges{Granted: status.Info.Granted, Enforced: len(status.Info.Users) > 0 && len(status.Info.Granted) > 0}
	for _, u := range status.Info.Users {
		p.Users = append(p.Users, u.User+"@"+u.DB)
	}
	return p, nil
}

// CreateRole creates a role in the database admin. A role of that name that is there already is left as it is, and is an error.
func (c *Catalog) CreateRole(ctx context.Context, role plan.Role) error {
	err := c.command(ctx, "create the role "+role.Name, "admin", "admin", role.CreateRole(), nil)
	if codeOf(err) == codeRoleExists {
		return &Error{What: "create the role " + role.Name, Kind: ErrRoleExists, hint: "change it with updateRole in mongosh, or drop it first: db.getSiblingDB(\"admin\").dropRole(\"" + role.Name + "\")"}
	}
	return err
}

// privilegeFor says what the manual demands for a command.
func privilegeFor(command, on string) string {
	switch command {
	case "addShardToZone", "removeShardFromZone":
		return "the action enableSharding on the cluster, or update on config.shards"
	case "updateZoneKeyRange":
		return "the action enableSharding on the cluster, or find on config.shards with find, update and remove on config.tags"
	case "balancerStatus":
		return "the action find on config.settings"
	case "connectionStatus", "hello", "buildInfo":
		return "a login"
	case "$shardedDataDistribution":
		return "the action shardedDataDistribution on the cluster"
	case "$collStats":
		return "the action collStats on " + on
	case "shardCollection":
		return "the action enableSharding on " + on
	case "dataSize", "aggregate":
		return "the action find on " + on
	default:
		return fmt.Sprintf("the action %s on %s", command, on)
	}
}
