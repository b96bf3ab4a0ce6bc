package devmongos

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// userCommands manage users and roles. They live on the config servers, as a mongos keeps them there.
var userCommands = map[string]handler{
	"usersInfo": (*router).askUsers,
	"rolesInfo": (*router).askUsers,

	"createUser":               (*router).changeUsers,
	"updateUser":               (*router).changeUsers,
	"dropUser":                 (*router).changeUsers,
	"dropAllUsersFromDatabase": (*router).changeUsers,
	"grantRolesToUser":         (*router).changeUsers,
	"revokeRolesFromUser":      (*router).changeUsers,
	"createRole":               (*router).changeUsers,
	"updateRole":               (*router).changeUsers,
	"dropRole":                 (*router).changeUsers,
	"dropAllRolesFromDatabase": (*router).changeUsers,
	"grantPrivilegesToRole":    (*router).changeUsers,
	"revokePrivilegesFromRole": (*router).changeUsers,
	"grantRolesToRole":         (*router).changeUsers,
	"revokeRolesFromRole":      (*router).changeUsers,
	"invalidateUserCache":      (*router).acknowledge, // the router keeps none
}

func (r *router) askUsers(ctx context.Context, req *request) (bsoncore.Document, error) {
	return r.administer(ctx, req, req.db, append(bson.D{{Key: req.name, Value: req.target()}}, req.arguments()...))
}

func (r *router) changeUsers(ctx context.Context, req *request) (bsoncore.Document, error) {
	cmd := slices.Concat(bson.D{{Key: req.name, Value: req.target()}}, req.arguments(), bson.D{majority})
	return r.administer(ctx, req, req.db, cmd)
}
