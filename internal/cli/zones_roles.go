package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/plan"
)

func newRolesCommand(env *environment) *cobra.Command {
	var flags struct {
		clusterFlags
		Create bool `flag:"create,oneRun" usage:"create the roles in the cluster"`
	}
	return withFlags(&cobra.Command{
		Use:   "roles",
		Short: "Print or create the least roles that geoshard needs",
		Long: `Print the commands for mongosh that create two roles with the least privileges for the namespaces of the topology: ` + plan.PlanRoleName + ` reads, for plan,
status and verify through the router; ` + plan.ApplyRoleName + ` is that, and what apply needs. --create creates them instead, with a user who may (userAdmin of
the database admin), and leaves out actions that the servers are too old for. Neither makes users: grant the roles with grantRolesToUser.` + whichHelp,
		Example: `  geoshard roles -f geoshard.yaml
  geoshard roles --create --uri-file admin.uri`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if flags.Create {
				return env.withWorld(cmd, flags.clusterFlags, func(ctx context.Context, s session) error {
					version, err := s.Version(ctx)
					if err != nil {
						return err
					}
					view := newRolesView(zones.Declared(s.world)).fit(version)
					if view.LeftOut != "" {
						env.say("left out of the roles: %s, which MongoDB %s does not know; orphans are not counted there", view.LeftOut, version)
					}
					for _, role := range view.Roles {
						if err := s.CreateRole(ctx, role.Role); err != nil {
							return err
						}
					}
					view.Created = true
					return env.show(view)
				})
			}
			world, err := worldAlone(cmd)
			if err != nil {
				return err
			}
			return env.show(newRolesView(zones.Declared(world)))
		},
	}, &flags)
}

// A rolesView is both roles as commands.
type rolesView struct {
	Created bool       `json:"created"`
	Roles   []roleView `json:"roles"`
	// LeftOut are actions that the servers do not know.
	LeftOut string `json:"leftOut,omitempty"`
}

// fit leaves out what servers of a version do not know.
func (v rolesView) fit(version string) rolesView {
	fitted := rolesView{Created: v.Created}
	var without []string
	for _, role := range v.Roles {
		r := role.For(version)
		have := plan.Privileges{Granted: r.Privileges, Enforced: true}
		for _, missing := range have.Missing(role.Privileges) {
			if !slices.Contains(without, missing) {
				without = append(without, missing)
			}
		}
		fitted.Roles = append(fitted.Roles, roleView{r})
	}
	fitted.LeftOut = strings.Join(without, ", ")
	return fitted
}

// A roleView is a role as a command of MongoDB.
type roleView struct{ plan.Role }

// MarshalJSON writes the command that creates the role.
func (v roleView) MarshalJSON() ([]byte, error) {
	return bson.MarshalExtJSON(v.CreateRole(), false, false)
}

func newRolesView(namespaces []string) rolesView {
	return rolesView{Roles: []roleView{{plan.PlanRole(namespaces)}, {plan.ApplyRole(namespaces)}}}
}

func (v rolesView) text(out page) {
	for _, role := range v.Roles {
		if v.Created {
			out.printf("created the role %s in the database admin\n", out.bold(role.Name))
			continue
		}
		command, err := bson.MarshalExtJSONIndent(role.CreateRole(), false, false, "", "  ")
		if err != nil {
			panic(fmt.Sprintf("write the role %s: %v", role.Name, err)) // it holds nothing that JSON lacks
		}
		out.printf("db.getSiblingDB(\"admin\").runCommand(%s)\n", command)
	}
}
